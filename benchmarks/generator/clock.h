/* clock.h: time as the generator measures it. */
#ifndef GENERATOR_CLOCK_H
#define GENERATOR_CLOCK_H

#include <stdint.h>
#include <time.h>

#define NS_PER_S 1000000000u

static inline uint64_t clock_ns(clockid_t id)
{
    struct timespec now;
    return clock_gettime(id, &now) == 0 ? (uint64_t)now.tv_sec * NS_PER_S + (uint64_t)now.tv_nsec
                                        : 0;
}

static inline uint64_t now_ns(void)
{
    return clock_ns(CLOCK_MONOTONIC);
}

#endif
