/* wheel.h: a timing wheel: which timers come up next.
 *
 * A timer stands in one bucket at most. The buckets of each level are four times as wide as
 * those of the level below, and a timer goes to the finest level that reaches it: so it comes
 * up late by one tick or a fifteenth of its time, whichever is more, and never early. It is
 * not moved to a finer level later, and whoever wants it to come up later need not move it
 * at all: it comes up, is looked at, and is armed again. */
#ifndef IOCPREUSE_ENGINE_WHEEL_H
#define IOCPREUSE_ENGINE_WHEEL_H

#include <stdbool.h>
#include <stdint.h>

#include "../../base/atomics.h"
#include "../../base/list.h"
#include "../../base/mutex.h"

/* The width of the finest buckets. */
#define WHEEL_TICK_NS 20000000ull

#define WHEEL_BUCKETS 64u

/* The coarsest level reaches 5 hours; what is farther away comes up then, to be armed again. */
#define WHEEL_LEVELS 8u

#define WHEEL_NEVER UINT64_MAX

typedef struct {
    list_node_t node;    /* in its bucket; guarded by the wheel's lock */
    atomic_u64_t due_ns; /* when it comes up; 0 = it is in no bucket. Written under that lock */
} wheel_timer_t;

typedef struct {
    mutex_t lock;      /* a leaf */
    uint64_t now;      /* the tick up to which all has come up */
    uint64_t next;     /* the tick of the first bucket with timers; WHEEL_NEVER = there is none */
    uint32_t level;    /* that bucket's place */
    uint32_t place;    /* and on its level */
    uint64_t sleep_ns; /* when the one who pops comes back; 0 = it is at work */
    uint64_t used[WHEEL_LEVELS]; /* a bit for each bucket that has timers */
    list_t buckets[WHEEL_LEVELS][WHEEL_BUCKETS];
} wheel_t;

void wheel_init(wheel_t *wheel);
void wheel_destroy(wheel_t *wheel);

void wheel_timer_init(wheel_timer_t *timer);

/* Has TIMER come up at DUE_NS instead of whenever it did. True where the one who pops must be
 * woken for it. */
bool wheel_arm(wheel_t *wheel, wheel_timer_t *timer, uint64_t due_ns, uint64_t now_ns);

/* The next timer that has come up by NOW_NS, which is in no bucket then; NULL = no more. */
wheel_timer_t *wheel_pop(wheel_t *wheel, uint64_t now_ns);

/* The one who pops will be back at UNTIL_NS: returns that, or when it has to be back earlier. */
uint64_t wheel_sleep(wheel_t *wheel, uint64_t until_ns);

#endif
