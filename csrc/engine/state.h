/* state.h: the engine's state, for the files of this folder and those below it. */
#ifndef IOCPREUSE_ENGINE_STATE_H
#define IOCPREUSE_ENGINE_STATE_H

#include "../base/atomics.h"
#include "../base/list.h"
#include "../base/mutex.h"
#include "engine.h"
#include "life/low_water.h"
#include "life/peers.h"
#include "bytes/slab.h"
#include "life/slot.h"
#include "life/table.h"
#include "work/turns.h"
#include "work/wheel.h"

#define NS_PER_US 1000ull
#define NS_PER_MS 1000000ull
#define NS_PER_S  1000000000ull

/* What a cancel has not brought in so long, closing the handle brings. */
#define CANCEL_PATIENCE_NS (2 * NS_PER_S)

typedef enum {
    STOP_NOT,     /* serving */
    STOP_BEGUN,   /* accepts are cancelled, sessions flush */
    STOP_STOPPED, /* nothing is in flight, all sockets are closed */
    STOP_DISOWNED /* in a forked child: the parent serves */
} stop_t;

struct engine {
    engine_options_t options;
    io_t *io;
    io_sock_t listener;
    recycling_t recycling;
    framing_t plain; /* of a session that is cut no more: receives of at most read_size */
    table_t table;
    uint32_t disowned; /* in a forked child: the slots that are the parent's */
    slab_t pages;      /* of send queues */
    slab_t slab;       /* receive buffers */
    slab_t large;      /* and larger ones */
    slab_t chunks;     /* of what filters have sealed */
    turns_t turns;     /* whose handshake goes on */
    wheel_t wheel;

    /* Guards what follows, the growth of the table and the slots' pool nodes. Never
     * taken together with a slot's lock. */
    mutex_t lock;
    list_t idle;    /* slots in IDLE, those with a socket first */
    uint32_t spare; /* of these, the ones with a socket */
    uint32_t recycling_now;
    uint32_t pool_target;   /* accepts wanted now, from accept_pool to accept_pool_max */
    uint32_t shortage;      /* clients that have come since the pool was last at ease */
    uint32_t shortage_owed; /* accepts that are taken already, as FD_ACCEPT tells: no ease before */
    uint64_t shortage_ns;   /* when the first of them came */
    low_water_t unneeded;   /* of the accepts that are posted */
    low_water_t unused;     /* of the spare sockets */
    uint64_t shrink_ns;     /* when the next of both may be given back */
    uint64_t retry_at_ns;   /* no accept is posted before this; 0 = now */
    uint64_t shortages;     /* times that it was put off */
    int shortage_error;     /* and the native error of the last; 0 = no memory of our own */
    bool refusing;          /* the last client was turned away */
    bool paused;            /* no accept is posted until the application wants more clients */
    peers_t peers;          /* who is connected, where max_connections_per_ip counts them */
    engine_stats_t stats;   /* connections_active and accepts_pending steer the pool */

    names_t names;         /* which session has which; its lock is a leaf, under a slot's lock */
    mutex_t requests_lock; /* of all sessions' requests (requests.h); a leaf, under a slot's lock */
    atomic_u64_t stale_sends;
    atomic_u64_t handshakes;        /* of filters, that are done */
    atomic_u64_t cooling;           /* slots in COOLING */
    atomic_ptr_t crew;              /* the workers' batches; only ever grows */
    atomic_u32_t watch;             /* whether the manager watches them */
    atomic_u64_t blocking_until_ns; /* callbacks are held to block until then */
    atomic_ptr_t kicked;            /* slots that a worker must look at, the newest first */
    atomic_u64_t kicked_ns;         /* when there was first one, after none */
    atomic_u64_t foreign_ns;        /* when a thread of the application's own last sent something */
    atomic_u32_t stop;              /* stop_t */
    atomic_u32_t stop_asked;
    atomic_u64_t stop_deadline_ns;
    uint64_t sever_ns; /* the manager's: when accepts that a cancel has not ended are to end */
    atomic_u32_t deaf; /* the listener may be gone: nobody accepts on it any more */
};

static inline bool engine_is_stopping(engine_t *engine)
{
    return atomic_u32_load(&engine->stop) != STOP_NOT || atomic_u32_load(&engine->stop_asked) != 0;
}

#endif
