/* cond.h: a condition variable whose waits end by the monotonic clock.
 *
 * It counts signals, and who waits sleeps on that count; the mutex that goes with it guards the
 * rest. pthread's would need pthread's mutex (mutex.h has its own). */
#ifndef IOCPREUSE_IO_EPOLL_COND_H
#define IOCPREUSE_IO_EPOLL_COND_H

#include <stdint.h>

#include "../../base/futex.h"
#include "../../base/mutex.h"
#include "clock.h"

typedef struct {
    futex_t signals;
    uint32_t waiting;
} cond_t;

static inline void cond_init(cond_t *cond)
{
    atomic_store(&cond->signals, 0);
    cond->waiting = 0;
}

/* MUTEX is held, and released meanwhile. May return early, as condition variables do. */
static inline void cond_wait(cond_t *cond, mutex_t *mutex, uint64_t deadline_ns)
{
    struct timespec until = {(time_t)(deadline_ns / 1000000000u),
                             (long)(deadline_ns % 1000000000u)};
    uint32_t seen = atomic_load(&cond->signals);
    cond->waiting++;
    mutex_unlock(mutex);
    futex_wait(&cond->signals, seen, deadline_ns == CLOCK_NEVER ? NULL : &until);
    mutex_lock(mutex);
    cond->waiting--;
}

static inline void cond_wake(cond_t *cond, uint32_t count)
{
    if (cond->waiting > 0) {
        (void)atomic_fetch_add(&cond->signals, 1);
        futex_wake(&cond->signals, count);
    }
}

/* Ends one wait, if there is any. The mutex is held. */
static inline void cond_signal(cond_t *cond)
{
    cond_wake(cond, 1);
}

/* Ends all. The mutex is held. */
static inline void cond_broadcast(cond_t *cond)
{
    cond_wake(cond, INT32_MAX);
}

#endif
