/* gate.h: how many workers run at once, and who of them waits on the port.
 *
 * IOCP does this in the kernel; epoll knows no such thing. There are as many places as the
 * concurrency value says. A worker holds a place from one io_wait to the next, so that the
 * common case is one look at the table; the others, the followers, wait at the gate. If the
 * holder of a place runs for GATE_WATCH_MS without a return to io_wait, a follower takes its
 * place from it: an application that blocks must not stop the server. One of the followers
 * watches for this, and only while batches flow: an idle server has no periodic wake-ups.
 *
 * All functions are called with the port's lock held. */
#ifndef IOCPREUSE_IO_EPOLL_GATE_H
#define IOCPREUSE_IO_EPOLL_GATE_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "../../base/mutex.h"
#include "cond.h"

#define GATE_WATCH_MS 10u
#define GATE_MAX      256u

typedef struct {
    pthread_t owner; /* only if taken */
    bool taken;
    bool running;  /* the owner left io_wait with events */
    bool polled;   /* the owner's last io_wait looked at epoll */
    uint32_t take; /* how many ready operations the owner's next io_wait takes at most */
    uint32_t batch;
    uint32_t seen; /* the batch that the watcher saw last */
} gate_place_t;

typedef enum {
    WATCH_NONE,
    WATCH_CALLED, /* a follower was signalled to take the watch */
    WATCH_KEPT
} gate_watch_t;

typedef struct {
    cond_t turn;
    gate_place_t *places;
    uint32_t concurrency;
    uint32_t running;   /* places whose owner runs */
    uint32_t followers; /* workers that wait here */
    uint32_t wakes;     /* io_wait calls that io_wake has still to end */
    uint32_t batches;   /* begun since the start, wrapping */
    uint32_t seen;      /* the same, when the watcher looked last */
    uint64_t look_at_ns;
    gate_watch_t watch;
} gate_t;

/* CONCURRENCY 0 = the number of processors. Returns 0 or a negative errno. */
int gate_init(gate_t *gate, uint32_t concurrency);
void gate_destroy(gate_t *gate);

/* The calling thread's place; NULL at the deadline, or when a wake-up was taken. Waits with
 * LOCK, the port's, released. */
gate_place_t *gate_enter(gate_t *gate, mutex_t *lock, uint64_t deadline_ns);

/* The owner of PLACE leaves io_wait, with events. */
void gate_run(gate_t *gate, gate_place_t *place);

/* The owner of PLACE leaves io_wait without: a follower may have it. */
void gate_release(gate_t *gate, gate_place_t *place);

/* The calling thread gives up its place, if it has one, though it goes on. */
void gate_yield(gate_t *gate);

/* Ends COUNT waits of followers, as far as there are any. */
void gate_wake(gate_t *gate, uint32_t count);

#endif
