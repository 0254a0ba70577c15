/* batch.h: what one worker has in hand: the events that Python must hear, and
 * the work that waits until it has heard them. Each worker owns one batch; no
 * other thread looks into it. */
#ifndef IOCPREUSE_ENGINE_BATCH_H
#define IOCPREUSE_ENGINE_BATCH_H

#include <stdbool.h>
#include <stdint.h>

#include "../bytes/sendq.h"
#include "../life/slot.h"

/* Completions taken at once (libuv takes as many), and the events they and the
 * slots that were kicked can come to. */
#define BATCH_COMPLETIONS_MAX 128
#define BATCH_EVENTS_MAX      512

/* So many are taken where callbacks answer those who asked: what the system and we know of their
 * connections is then still in the processor's cache when the answers leave. */
#define BATCH_COMPLETIONS_FEW 32

typedef enum {
    EVENT_FILTER, /* one has spoken that has a filter: engine_set_filter gives it one of its own */
    EVENT_OPEN,   /* a client has come */
    EVENT_LOGIN,  /* the application has given it a name */
    EVENT_DATA,   /* it has sent something: engine_next_message gives it, message by message */
    EVENT_EOF,    /* it will send no more; set KEEP to go on sending */
    EVENT_DRAIN,  /* the send queue is short again */
    EVENT_CLOSED, /* it is gone; ENDING tells why. The last event of a session */
    EVENT_FAILED, /* the same of one that was never told as open: its handshake came to nothing */
} event_kind_t;

typedef struct {
    event_kind_t kind;
    slot_t *slot;
    token_t token;
    void **user;       /* the session's pointer for the layer above */
    uint64_t turn_ns;  /* of an EVENT_DATA: when its turn is over; 0 = it has just begun */
    uint32_t messages; /* that it has told of */
    bool keep;
} event_t;

typedef struct batch {
    event_t *events; /* points at one half of ROOM */
    uint32_t count;
    uint64_t now_ns; /* the clock as the worker last read it */

    /* The events whose callbacks run now. LOCK, a leaf, guards these: when a callback blocks,
     * another worker does what is left of them, before and behind it. */
    mutex_t lock;
    event_t *running;
    uint32_t running_count;
    uint32_t running_next;         /* the next to run; the one before it runs now */
    uint32_t running_settled;      /* those before it are settled */
    uint32_t watched_next;         /* RUNNING_NEXT when the manager last looked */
    atomic_u64_t running_since_ns; /* 0 = none run; written under LOCK, read without it */
    slot_t *dirty;                 /* slots whose queue is flushed when the events are settled */
    slot_t *dirty_last;            /* the end of that list, where there is one */
    uint32_t dirty_count;          /* slots in it */

    /* The worker's own. */
    uint32_t slow;           /* callbacks in a row that took long */
    uint64_t begun_ns;       /* when the events that run began; written under LOCK */
    atomic_u64_t sends;      /* what they have sent; only the worker writes it */
    struct batch *crew_next; /* in the engine's list of batches; constant */

    /* While it gathers: what its events have sent waits for what later ones send. */
    bool gathers;
    bool fans_out;      /* the last ones sent to many more sessions than they were */
    uint32_t ran_count; /* events since the last flush, */
    uint32_t sent_to;   /* and the slots that then waited for it */
    uint64_t gathers_until_ns;
    uint64_t flush_ns; /* what it last took to flush what was sent to so many */

    sendq_t done; /* pinned buffers whose owners may be released */
    pockets_t pockets;
    bool took_accept;
    bool put_off;   /* a handshake has let events go first */
    bool has_rest;  /* an event's turn was over before its messages were: others come first */
    bool is_timely; /* NOW_NS was read since callbacks last ran */

    /* Its share of engine_stats_t. */
    atomic_u64_t completions;
    atomic_u64_t polls; /* that brought any */
    atomic_u64_t bytes_received;
    atomic_u64_t bytes_sent;

    io_event_t completed[BATCH_COMPLETIONS_MAX];
    event_t room[2][BATCH_EVENTS_MAX];
} batch_t;

void batch_init(batch_t *batch);
void batch_destroy(batch_t *batch);

/* Forgets all events, in a forked child: also those after the one that runs, if one does. */
void batch_disown(batch_t *batch);

/* False where the batch is full: the slot is then to be looked at later. */
bool batch_add(batch_t *batch, event_kind_t kind, slot_t *slot);

/* Whether there are events to run, or buffers to release. */
static inline bool batch_has_work(const batch_t *batch)
{
    return batch->count > 0 || !sendq_is_empty(&batch->done);
}

/* The events so far begin to run, at NOW_NS; the batch goes on with an empty list. */
void batch_begin(batch_t *batch, uint64_t now_ns);

/* Until NOW_NS they have waited for the interpreter; they run from now on. */
void batch_attach(batch_t *batch, uint64_t now_ns);

/* The next of them to run; NULL when all have been taken, here or by another worker. What
 * was taken before has run; SENT_TO tells then how many slots are to be flushed. */
event_t *batch_take(batch_t *batch);

/* The event whose callback runs, for that callback; NULL before the first. */
static inline event_t *batch_running(const batch_t *batch)
{
    /* Only the worker itself goes on to the next. */
    return batch->running_next == 0 ? NULL : &batch->running[batch->running_next - 1];
}

/* One that has run and is not settled, in OUT; false when there is none. For another worker: it
 * leaves out the one that may be running. */
bool batch_take_done(batch_t *batch, event_t *out);

/* When all have run, all that are not settled: COUNT of them, and (DIRTY is not NULL) the slots to
 * flush. For the worker itself, which has the events until it begins the next. */
event_t *batch_take_rest(batch_t *batch, uint32_t *count, slot_t **dirty);

/* Puts SLOT behind those to flush: who was sent to first is served first. Its lock is held. */
void batch_add_dirty(batch_t *batch, slot_t *slot);

/* Takes the whole list. */
slot_t *batch_take_dirty(batch_t *batch);

/* Moves what has not begun to run to TO, up to MOST of it and as far as there is room. */
void batch_steal(batch_t *from, batch_t *to, uint32_t most);

/* Whether the events that have run took more than LONG_NS each at NOW_NS, not counting SEND_NS for
 * each time that they sent. The worker's. */
bool batch_was_slow(batch_t *batch, uint64_t now_ns, uint64_t long_ns, uint64_t send_ns);

/* Whether events run, or wait for the interpreter. From any thread; it may end the moment after. */
bool batch_is_running(batch_t *batch);

/* Whether events run, at the manager's look at NOW_NS. They are stuck from the last one on by
 * which they had come on. */
bool batch_watch(batch_t *batch, uint64_t now_ns);

/* Whether CALLS and more have run of those that run now, and were as slow as that. */
bool batch_is_slow(batch_t *batch, uint64_t now_ns, uint32_t calls, uint64_t long_ns,
                   uint64_t send_ns);

/* Whether events that have not come on since SINCE_NS hold anything up. */
bool batch_is_stuck(batch_t *batch, uint64_t since_ns);

#endif
