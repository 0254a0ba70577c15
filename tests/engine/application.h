/* application.h: a server on the engine alone, without Python: workers, a manager, and an
 * application that checks what it is told. */
#ifndef IOCPREUSE_TESTS_APPLICATION_H
#define IOCPREUSE_TESTS_APPLICATION_H

#include "../../csrc/engine/engine.h"
#include "../io_contract/peer.h"
#include "asking.h"

#define WORKERS 3
#define DESKS   2 /* threads that work on requests */

/* What the server says, always whole: the client's own token and a number. */
typedef struct {
    uint64_t token;
    uint64_t number;
} say_t;

/* The number of the greeting and of the replies that come late, from a thread of their own. */
#define GREETING UINT64_MAX
#define LATE     (UINT64_MAX - 1)

/* What a broadcast says instead of a token; its number is the newest client's generation. */
#define CAST UINT64_MAX

#define LATE_RING 1024u
/* What an answer says instead: it may be older than whom it comes to. */
#define ANSWER (UINT64_MAX >> TOKEN_INDEX_BITS)

#define CAST_MAX 64u /* receivers of a broadcast */

typedef struct {
    engine_t *engine;
    atomic_u64_t generation;
    io_addr_t address;
    thread_t *workers[WORKERS];
    thread_t *manager;
    thread_t *late;
    thread_t *cast;
    thread_t *desks[DESKS];
    asking_t asking;
    atomic_u64_t opened;
    atomic_u64_t closed;
    atomic_u64_t overlaps;  /* two events of one session at once: must stay 0 */
    atomic_u64_t disorders; /* an event before OPEN, after CLOSED or twice: must stay 0 */
    atomic_u64_t late_sent;
    atomic_u64_t late_stale;  /* of them, those whose client had gone */
    atomic_u64_t cast_wanted; /* receivers of broadcasts */
    atomic_u64_t cast_queued; /* of them, those who took it */
    atomic_u32_t late_over;
    atomic_u64_t late_next;
    atomic_u64_t late_ring[LATE_RING]; /* tokens to be replied to when they may be gone */
} application_t;

/* Starts a server on loopback; exits the program where that fails. */
void application_start(application_t *app, bool recycle);

/* Stops it and waits; the statistics are as they stood at the end. */
void application_stop(application_t *app, uint64_t drain_ns, engine_stats_t *stats);

#endif
