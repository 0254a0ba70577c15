/* futex.h: a thread that sleeps on a word in memory, as Linux has it: futex(2). */
#ifndef IOCPREUSE_BASE_FUTEX_H
#define IOCPREUSE_BASE_FUTEX_H

#include <linux/futex.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

/* Where time_t is wider than a long, on 32 bits, a call of its own takes it. */
#ifndef SYS_futex
#define SYS_futex SYS_futex_time64
#endif
#ifdef SYS_futex_time64
#define FUTEX_CALL (sizeof(time_t) > sizeof(long) ? SYS_futex_time64 : SYS_futex)
#else
#define FUTEX_CALL SYS_futex
#endif

typedef _Atomic uint32_t futex_t;

/* Sleeps unless VALUE no longer stands there; until it is woken, or UNTIL on the monotonic clock
 * (NULL = for ever). May return early. */
static inline void futex_wait(futex_t *word, uint32_t value, const struct timespec *until)
{
    (void)syscall(FUTEX_CALL, word, FUTEX_WAIT_BITSET_PRIVATE, value, until, NULL,
                  FUTEX_BITSET_MATCH_ANY);
}

/* Wakes up to COUNT threads that sleep there. */
static inline void futex_wake(futex_t *word, uint32_t count)
{
    (void)syscall(FUTEX_CALL, word, FUTEX_WAKE_PRIVATE, count, NULL, NULL, 0);
}

#endif
