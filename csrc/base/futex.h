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

typedef _Atomic uint32_t futex_t;

/* Sleeps unless VALUE no longer stands there; until it is woken, or UNTIL on the monotonic clock
 * (NULL = for ever). May return early. */
static inline void futex_wait(futex_t *word, uint32_t value, const struct timespec *until)
{
    (void)syscall(SYS_futex, word, FUTEX_WAIT_BITSET_PRIVATE, value, until, NULL,
                  FUTEX_BITSET_MATCH_ANY);
}

/* Wakes up to COUNT threads that sleep there. */
static inline void futex_wake(futex_t *word, uint32_t count)
{
    (void)syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, count, NULL, NULL, 0);
}

#endif
