/* rng.h: the one source of chance. SplitMix64 (Steele, Lea, Flood 2014): 64 bits of state,
 * so that one number is the whole world. */
#ifndef IOCPREUSE_IO_SIM_RNG_H
#define IOCPREUSE_IO_SIM_RNG_H

#include <stdbool.h>
#include <stdint.h>

typedef struct {
    uint64_t state;
} rng_t;

static inline uint64_t rng_mix(uint64_t z)
{
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9u;
    z = (z ^ z >> 27) * 0x94D049BB133111EBu;
    return z ^ z >> 31;
}

static inline uint64_t rng_next(rng_t *rng)
{
    rng->state += 0x9E3779B97F4A7C15u;
    return rng_mix(rng->state);
}

/* 0 to BELOW - 1. The bias of 2^-32 is nothing to a simulation. */
static inline uint32_t rng_below(rng_t *rng, uint32_t below)
{
    return (uint32_t)((rng_next(rng) >> 32) * below >> 32);
}

/* LOW to HIGH, both included. */
static inline uint64_t rng_between(rng_t *rng, uint64_t low, uint64_t high)
{
    return low + rng_next(rng) % (high - low + 1);
}

/* True ODDS times in 65536. */
static inline bool rng_chance(rng_t *rng, uint32_t odds)
{
    return rng_next(rng) >> 48 < odds;
}

#endif
