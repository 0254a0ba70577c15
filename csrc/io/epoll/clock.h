/* clock.h: the monotonic clock, and deadlines by it. */
#ifndef IOCPREUSE_IO_EPOLL_CLOCK_H
#define IOCPREUSE_IO_EPOLL_CLOCK_H

#include <stdint.h>
#include <time.h>

#include "../io.h"

#define CLOCK_NEVER UINT64_MAX

static inline uint64_t clock_ms_to_ns(uint32_t ms)
{
    return (uint64_t)ms * 1000000u;
}

static inline uint64_t clock_now_ns(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* 0 for a time-out of 0: it has passed whenever one looks. */
static inline uint64_t clock_deadline_ns(uint32_t timeout_ms)
{
    if (timeout_ms == IO_INFINITE) {
        return CLOCK_NEVER;
    }
    return timeout_ms == 0 ? 0 : clock_now_ns() + clock_ms_to_ns(timeout_ms);
}

#endif
