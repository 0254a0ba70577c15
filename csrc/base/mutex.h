/* mutex.h: the engine's lock: small, never recursive, and never held across a wait or a callback.
 *
 * A message takes a dozen of them, and hardly ever has one to wait: on Linux they are therefore
 * taken inline, where pthread_mutex_lock is a call of fifty instructions, and are a tenth of its
 * size. IOCPREUSE_PTHREAD_LOCKS asks for pthread's, for those who wrap or check locks: the
 * simulator; and ThreadSanitizer, which then sees in which order they are taken. */
#ifndef IOCPREUSE_BASE_MUTEX_H
#define IOCPREUSE_BASE_MUTEX_H

#if defined(__SANITIZE_THREAD__)
#define IOCPREUSE_PTHREAD_LOCKS
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define IOCPREUSE_PTHREAD_LOCKS
#endif
#endif

#ifdef _WIN32

#include "win32.h"

typedef struct {
    SRWLOCK lock;
} mutex_t;

static inline void mutex_init(mutex_t *mutex)
{
    InitializeSRWLock(&mutex->lock);
}

static inline void mutex_destroy(mutex_t *mutex)
{
    (void)mutex;
}

static inline void mutex_lock(mutex_t *mutex)
{
    AcquireSRWLockExclusive(&mutex->lock);
}

static inline void mutex_unlock(mutex_t *mutex)
{
    ReleaseSRWLockExclusive(&mutex->lock);
}

#elif defined(__linux__) && !defined(IOCPREUSE_PTHREAD_LOCKS)

#include "futex.h"

#define MUTEX_FREE   0u
#define MUTEX_HELD   1u
#define MUTEX_WANTED 2u /* held, and its holder has somebody to wake */

/* The third one of Ulrich Drepper's "Futexes Are Tricky". */
typedef struct {
    futex_t state;
} mutex_t;

static inline void mutex_init(mutex_t *mutex)
{
    atomic_store(&mutex->state, MUTEX_FREE);
}

static inline void mutex_destroy(mutex_t *mutex)
{
    (void)mutex;
}

__attribute__((cold, noinline, unused)) static void mutex_wait(mutex_t *mutex)
{
    while (atomic_exchange_explicit(&mutex->state, MUTEX_WANTED, memory_order_acquire) !=
           MUTEX_FREE) {
        futex_wait(&mutex->state, MUTEX_WANTED, NULL);
    }
}

static inline void mutex_lock(mutex_t *mutex)
{
    uint32_t state = MUTEX_FREE;
    if (!atomic_compare_exchange_strong_explicit(&mutex->state, &state, MUTEX_HELD,
                                                 memory_order_acquire, memory_order_relaxed)) {
        mutex_wait(mutex);
    }
}

static inline void mutex_unlock(mutex_t *mutex)
{
    if (atomic_exchange_explicit(&mutex->state, MUTEX_FREE, memory_order_release) == MUTEX_WANTED) {
        futex_wake(&mutex->state, 1);
    }
}

#else

#include <pthread.h>

typedef struct {
    pthread_mutex_t lock;
} mutex_t;

static inline void mutex_init(mutex_t *mutex)
{
    (void)pthread_mutex_init(&mutex->lock, NULL);
}

static inline void mutex_destroy(mutex_t *mutex)
{
    (void)pthread_mutex_destroy(&mutex->lock);
}

static inline void mutex_lock(mutex_t *mutex)
{
    (void)pthread_mutex_lock(&mutex->lock);
}

static inline void mutex_unlock(mutex_t *mutex)
{
    (void)pthread_mutex_unlock(&mutex->lock);
}

#endif

#endif
