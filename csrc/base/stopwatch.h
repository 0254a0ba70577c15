/* stopwatch.h: how long something has run in all, readable by anyone while it runs.
 *
 * One thread starts and stops it; any thread reads it. Idle, the word holds the total; running, the
 * total less the time of the start, so that a reader adds the time of day to it. One bit tells
 * which, and one word cannot be seen half written. Times are nanoseconds of one monotonic clock. */
#ifndef IOCPREUSE_BASE_STOPWATCH_H
#define IOCPREUSE_BASE_STOPWATCH_H

#include <stdint.h>

#include "atomics.h"

typedef struct {
    atomic_u64_t word; /* twice the number, plus 1 while it runs */
} stopwatch_t;

/* It runs from NOW_NS on. */
static inline void stopwatch_start(stopwatch_t *watch, uint64_t now_ns)
{
    uint64_t total_ns = atomic_u64_load(&watch->word) / 2;
    atomic_u64_store(&watch->word, (total_ns - now_ns) * 2 + 1);
}

/* It stands still from NOW_NS on. */
static inline void stopwatch_stop(stopwatch_t *watch, uint64_t now_ns)
{
    uint64_t base_ns = atomic_u64_load(&watch->word) / 2;
    atomic_u64_store(&watch->word, (base_ns + now_ns) * 2);
}

/* What has passed while it ran. NOW_NS is read by the caller after WORD, which is its value. */
static inline uint64_t stopwatch_read(uint64_t word, uint64_t now_ns)
{
    uint64_t number = word / 2;
    /* The top bit was shifted out; a total never has it. */
    return (word & 1) != 0 ? (number + now_ns) & (UINT64_MAX / 2) : number;
}

#endif
