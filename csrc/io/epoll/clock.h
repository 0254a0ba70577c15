/* clock.h: the monotonic clock, and waits by it. */
#ifndef IOCPREUSE_IO_EPOLL_CLOCK_H
#define IOCPREUSE_IO_EPOLL_CLOCK_H

#include <pthread.h>
#include <stdint.h>
#include <time.h>

#include "../../base/sync.h"
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

/* Returns 0 or an errno. */
static inline int clock_cond_init(pthread_cond_t *cond)
{
    pthread_condattr_t attributes;
    int error = pthread_condattr_init(&attributes);
    if (error != 0) {
        return error;
    }
    (void)pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    error = pthread_cond_init(cond, &attributes);
    (void)pthread_condattr_destroy(&attributes);
    return error;
}

/* May return early, as condition variables do. */
static inline void clock_cond_wait(pthread_cond_t *cond, mutex_t *mutex, uint64_t deadline_ns)
{
    if (deadline_ns == CLOCK_NEVER) {
        (void)pthread_cond_wait(cond, &mutex->lock);
        return;
    }
    struct timespec until = {(time_t)(deadline_ns / 1000000000u),
                             (long)(deadline_ns % 1000000000u)};
    (void)pthread_cond_timedwait(cond, &mutex->lock, &until);
}

#endif
