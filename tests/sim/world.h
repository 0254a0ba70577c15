/* world.h: one run of the real engine in the simulated system: its threads, its application,
 * its clients. One number, the seed, decides everything that happens.
 *
 * The engine's threads are virtual: workers, the manager, and any number of threads of the
 * application. The scheduler (world.c) lets one of them, a client, or the kernel make a step at
 * a time. Where a thread releases the last lock that it holds, others may run before it goes
 * on, as if it had been preempted there: that is how their races are found. */
#ifndef IOCPREUSE_TESTS_SIM_WORLD_H
#define IOCPREUSE_TESTS_SIM_WORLD_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "../../csrc/engine/engine.h"
#include "../../csrc/engine/state.h"
#include "../../csrc/io/sim/sim.h"
#include "thrift.h"
#include "fiber.h"
#include "requesting.h"
#include "toy_counts.h"

#define WORKERS_MAX  4u
#define CLIENTS_MAX  48u
#define SESSIONS_MAX 4096u
#define PINS_MAX     4096u
#define LOCKS_MAX    4u
#define NEST_MAX     3u
#define SLOTS_MAX    512u
#define SCRATCH_SIZE 4096u
#define CASTS_MAX    12288u
#define ANSWERS_MAX  4096u

/* More spare sockets than any world can have. */
#define SPARE_ENOUGH 65536u

/* The streams of broadcasts, beside those of the clients. */
#define BROADCAST_MARK (1ull << 62)

/* What is asked for on the command line. */
typedef struct {
    uint64_t seed;
    uint32_t steps;       /* before the stop; 0 = as the seed says */
    uint64_t fail_submit; /* the n-th fails; 0 = none */
    int fail_submit_error;
    uint64_t fail_alloc; /* the n-th fails; 0 = none */
    bool calm;           /* no faults but those two */
    FILE *log;           /* the trace as text, or NULL */
} plan_t;

/* What was seen, over any number of runs. */
typedef struct {
    uint64_t runs;
    uint64_t steps;
    uint64_t preemptions;
    uint64_t sessions;
    uint64_t clients;
    uint64_t events;
    uint64_t sends;
    uint64_t broadcasts;
    uint64_t logins[LOGIN_CLOSED + 1];
    uint64_t names_replaced;  /* that were taken over from somebody who was open, */
    uint64_t names_inherited; /* and from one whose end had begun */
    uint64_t names_overtaken; /* looked for anew, because others were entered meanwhile */
    uint64_t asks;            /* requests that were begun */
    uint64_t replies[REPLY_MOVED + 1];
    uint64_t handovers[HANDOVER_ANSWERED + 1];
    uint64_t stale_calls; /* calls on sessions that are over */
    uint64_t bytes_to_clients;
    uint64_t bytes_from_clients;
    uint64_t recuts;          /* framings that were set */
    uint64_t direct_messages; /* received into buffers that were lent */
    uint64_t virtual_ns;
    uint64_t submits;
    uint64_t allocs;
    uint64_t allocs_failed;
    uint64_t faults[SIM_FAULT_COUNT];
    uint64_t rows[SLOT_STATE_COUNT][SLOT_STATE_COUNT];
    uint64_t stats_replaced[CAUSE_COUNT];
    uint64_t timeouts[REASON_COUNT];
    uint64_t toys[TOY_COUNT];
    uint64_t recycled;
} totals_t;

/* One client, as the application knows it. */
typedef struct {
    token_t token;
    uint64_t number;          /* of its connection */
    uint32_t conn;            /* in the model, while it is open */
    uint64_t accepted;        /* bytes that engine_send took */
    uint64_t heard;           /* bytes of the client that came in messages, framing included */
    const framing_t *framing; /* how that is cut; NULL = as the engine was told */
    const char *message;      /* in its callback: the message, with what it takes of the stream */
    uint32_t message_len;
    uint32_t message_skip;
    uint32_t message_size;
    bool in_call;  /* a callback of it runs */
    bool sending;  /* a thread is in engine_send or engine_broadcast for it */
    bool closed;   /* EVENT_CLOSED has come */
    bool is_reset; /* the application aborted it with RST */
    bool eof_heard;
    bool eof_written;
    uint32_t cast_first; /* the first of its casts that it has not read, and the last; as */
    uint32_t cast_last;  /* places in casts + 1, 0 = none */
    uint32_t logins_asked;
    uint32_t logins;     /* EVENT_LOGINs */
    uint32_t fulls;      /* times that CALL_FULL was returned */
    uint32_t drains;     /* EVENT_DRAINs */
    uint64_t resumed_ns; /* when reading last went on after a pause; 0 = never */
    bool logged_in;      /* a login was taken */
    bool meddled;        /* the application has tried to end or to pause it */
    bool ends;           /* the application has begun its end, and was the first to do so */
    reason_t reason;     /* then: why */
    bool may_overflow;   /* or it may have, with a send: what waits ahead of it may leave first */
} rec_t;

/* The next message of a stream, as the model sees it. */
typedef struct {
    frame_t end;   /* FRAME_MESSAGE, or what is wrong: with CUT_OFF the rest is still to come */
    uint32_t skip; /* bytes before it */
    uint32_t len;
    uint32_t size; /* all that it takes of the stream */
} message_t;

/* A broadcast's bytes in a client's stream: the first LEN of the stream MARK. */
typedef struct {
    uint64_t mark;
    uint64_t position;
    uint32_t len;
    uint32_t next; /* of the same client: its place + 1 */
} cast_t;

typedef struct broadcast broadcast_t;

typedef struct {
    rng_t rng;      /* its own: worlds without it go on as they did */
    uint64_t kinds; /* that clients want; 0 = each one of its own */
    uint64_t asked;
    uint32_t live; /* names that are entered */
    token_t other; /* who is about to end because its name is taken over */
} naming_t;

/* Bytes that the engine sends from where they are. */
typedef struct {
    char *bytes;
    size_t len;
} pin_t;

typedef enum {
    WORKER_WAITS,
    WORKER_CALLS,   /* has events to hand to the application */
    WORKER_IN_CALL, /* the application's callback has begun and not ended */
    WORKER_SETTLES,
    WORKER_GONE
} worker_phase_t;

typedef struct {
    worker_phase_t phase;
    bool busy; /* it is inside the engine, preempted */
    uint64_t until_ns;
    uint64_t stuck_ns; /* since when its callback holds others up */
    batch_t *batch;
    event_t *event; /* whose callback runs */
    bool goes_on;   /* EVENT may have another message */
} worker_t;

typedef enum {
    CLIENT_POLITE, /* talks, listens, closes, waits for our end */
    CLIENT_HASTY,  /* talks and closes without reading */
    CLIENT_RESETTER,
    CLIENT_VANISHER, /* is not heard of again, without a FIN */
    CLIENT_SILENT,   /* says nothing */
    CLIENT_DEAF,     /* talks, and never reads */
    CLIENT_SLOW,     /* reads a little at a time */
    CLIENT_KEEPER,   /* keeps its side open when ours is closed */
    CLIENT_KINDS
} client_kind_t;

typedef struct {
    client_kind_t kind;
    uint32_t conn;
    uint32_t to_write;
    uint32_t acts_left;
    bool fin;
    uint64_t next_ns;
} client_t;

/* What the seed makes of this world. */
typedef struct {
    uint32_t workers;
    uint32_t clients_max;
    uint32_t burst_max;
    uint32_t steps;        /* until the stop */
    uint32_t odds_preempt; /* of 65536 */
    uint32_t odds_alloc;
    uint32_t odds_slow_call;
    uint32_t odds_act;        /* that a callback does something */
    uint32_t odds_end;        /* that it is something that ends the session */
    uint32_t whims;           /* of 1024: how often other threads do something */
    uint32_t odds_broadcast;  /* of 1024: that it is a broadcast, as in callbacks */
    uint64_t think_ns;        /* clients' and callbacks' pauses */
    uint64_t manager_late_ns; /* the manager's clock is that coarse */
    uint64_t drain_ns;
    bool stops_again;
    recycling_t recycling;
    engine_options_t engine;
    sim_config_t sim;
} world_config_t;

#define RECUT_FRAMINGS 4u

typedef struct {
    rng_t rng;     /* its own: worlds without it go on as they did */
    uint32_t odds; /* of 1024: that a callback sets one */
    framing_t plain;
    framing_t framings[RECUT_FRAMINGS];
} recutting_t;

/* The layer above, as one that lends. */
typedef struct {
    io_lender_t lender; /* is first */
    struct world *world;
    rng_t rng; /* its own: worlds without it go on as they did */
    uint64_t loans;
} lending_t;

typedef struct world {
    plan_t plan;
    totals_t *totals;
    world_config_t config;
    rng_t rng;
    lending_t lending;
    recutting_t recutting;
    requesting_t requesting;
    naming_t naming;
    toying_t toying;
    engine_t *engine;
    io_t *io;
    atomic_u64_t generation;
    uint64_t steps;
    uint32_t nest;
    bool running; /* hooks may preempt and fail allocations */

    const void *locks[LOCKS_MAX];
    uint32_t locks_count;
    int64_t allocs_live;
    uint64_t starved_ns; /* when an allocation last failed */
    uint64_t allocs;

    worker_t workers[WORKERS_MAX];
    fiber_t *manager;
    bool manager_busy;
    bool manager_gone;
    bool stop_asked;
    bool stop_again;
    uint64_t stop_due_ns; /* when it must be over */

    client_t clients[CLIENTS_MAX];
    uint32_t clients_count;
    uint64_t blocked_ns; /* until then no worker was free */
    bool paused;         /* the application takes no clients */
    uint64_t resumed_ns;
    uint64_t busy_peak;   /* of the slots that served, or were disconnected */
    uint32_t pool_target; /* the pool's size after the last step, or at the stop */
    thrift_t thrift;
    uint64_t connect_next_ns;
    uint32_t burst_left;

    rec_t *recs;
    uint32_t recs_count;
    uint64_t ends[REASON_COUNT]; /* clients whose end was told, by why */
    uint64_t stale_sends;        /* as the engine should count them */
    uint64_t stale_unsure;       /* and perhaps these: their clients went during a broadcast */
    uint32_t rec_of_conn[SIM_CONNS_MAX]; /* its place in recs + 1 */
    cast_t *casts;
    uint32_t casts_count;
    broadcast_t *broadcasts; /* under way */
    pin_t *pins;
    uint32_t pins_top;
    uint32_t pins_live;
    char scratch[SCRATCH_SIZE];

    uint64_t settled_ns[SLOTS_MAX];   /* when an event of the slot was last settled */
    token_t timed_out[SLOTS_MAX];     /* who was ended for its silence there, last */
    uint64_t drained_read[SLOTS_MAX]; /* what the client had read when its session began to drain */
    uint32_t severed[SLOTS_MAX];      /* whose socket was closed under its operations, + 1 */
    bool held[SLOTS_MAX];             /* there is an event of the slot that is not settled */
    bool touched[SLOTS_MAX];
    uint32_t touched_list[SLOTS_MAX];
    uint32_t touched_count;
} world_t;

/* Runs one world from its beginning to its end. Returns the hash of its trace. A broken
 * invariant ends the process, with a line that replays it. */
uint64_t world_run(const plan_t *plan, totals_t *totals);

/* Ends the process. */
_Noreturn void world_fail(world_t *world, const char *format, ...);

/* Ends it unless CONDITION holds. */
#define CHECK_THAT(world, condition, ...)                                                          \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            world_fail((world), __VA_ARGS__);                                                      \
        }                                                                                          \
    } while (0)

/* What to type to see this run again. */
void world_print_replay(const world_t *world);

/* One step of somebody who can make one. */
void world_step(world_t *world);

/* config.c: what the seed says. */
void config_make(world_config_t *config, const plan_t *plan, rng_t *rng);
/* Makes FRAMING one of that KIND; but for FRAMING_FIXED, it has its max_length. */
void config_framing(framing_t *framing, framing_kind_t kind, rng_t *rng);

/* threads.c: the engine's threads. Each returns whether it made a step. */
void threads_make(world_t *world);
void threads_start(world_t *world);
bool threads_work(world_t *world, uint32_t index);
bool threads_manage(world_t *world);
bool threads_are_gone(const world_t *world);
bool threads_are_urgent(const world_t *world);
uint64_t threads_next_ns(const world_t *world);

/* app.c: the application. */
/* False where there is nothing to call back for. */
bool app_begin(world_t *world, event_t *event, batch_t *batch);
void app_end(world_t *world, event_t *event, batch_t *batch);
/* SLOT's socket is about to be disconnected for reuse. */
void app_check_recycled(world_t *world, const slot_t *slot);
bool app_intrude(world_t *world); /* from a thread of its own */

/* messages.c: what a client's stream from POSITION on begins with. */
message_t messages_next(const framing_t *framing, uint64_t stream, uint64_t position,
                        uint64_t written);

/* recutting.c: its ways to cut streams. */
void recutting_begin(world_t *world);
/* In a callback of REC, that of EVENT. */
void recutting_try(world_t *world, rec_t *rec, const event_t *event);
/* How REC's stream is cut. */
const framing_t *recutting_framing(const world_t *world, const rec_t *rec);

/* sending.c: its sends. */
void sending_try(world_t *world, rec_t *rec, batch_t *batch);
void sending_release(world_t *world, sendq_t *done);
/* There was no memory to queue LEN bytes for SLOT's client, whose lock is held: at this moment they
 * do not count any more, as what others send goes in their place. */
void sending_lacked(world_t *world, const slot_t *slot, size_t len);
/* Memory of the test's own: freed as soon as the engine is done with it. Returns its owner. */
void *sending_own(world_t *world, uint32_t len, char **bytes);
void sending_disown(world_t *world, const void *owner, const char *bytes);

/* lending.c: its buffers, for receives. */
/* Has the engine borrow, in some worlds; before it is opened. */
void lending_begin(world_t *world);
/* In the callback of EVENT, which is through with MESSAGE: takes its buffer, or leaves it. */
void lending_take(world_t *world, const event_t *event, const char *message);

/* broadcasting.c: and its broadcasts. */
bool broadcasting_try(world_t *world, batch_t *batch); /* now and then; whether it did */
/* The engine takes MESSAGE for SLOT's queue; its lock is held. */
void broadcasting_taken(world_t *world, const shared_t *message, const slot_t *slot);
/* REC's stream goes on with the first LEN bytes of the stream MARK. */
void broadcasting_note(world_t *world, rec_t *rec, uint64_t mark, uint32_t len);
/* How many of LEN bytes are what the client of CONN should get at POSITION. */
size_t broadcasting_match(void *world, uint32_t conn, uint64_t position, const char *bytes,
                          size_t len);

/* requesting.c: its requests. */
void requesting_begin(world_t *world);
void requesting_try(world_t *world, const rec_t *rec, batch_t *batch); /* now and then */
bool requesting_intrude(world_t *world); /* from a thread of its own; whether it did */
void requesting_lose(world_t *world, const rec_t *rec, const event_t *event);
void requesting_pass_on(world_t *world, const event_t *event, batch_t *batch);
void requesting_admitted(world_t *world, const slot_t *slot, call_t result);
void requesting_taken(world_t *world, const slot_t *slot, const sendq_t *chain);
void requesting_queued(world_t *world, const slot_t *slot, call_t result);
void requesting_check(world_t *world);
void requesting_end(world_t *world);

/* naming.c: its names. */
void naming_begin(world_t *world);
void naming_login(world_t *world, rec_t *rec, batch_t *batch);
bool naming_try(world_t *world, batch_t *batch); /* now and then; whether it did */
void naming_replaced(world_t *world, token_t token);
void naming_leave(world_t *world, const event_t *event);
void naming_check(world_t *world);
void naming_end(world_t *world);

/* silence.c: since when the client of SESSION owes the rest of a message. */
uint64_t silence_message_ns(const session_t *session);
/* SLOT's session begins to end for REASON. */
void silence_check(world_t *world, slot_t *slot, reason_t reason);

/* patience.c: clients have the time that they may take for an orderly end, and no more. */
/* How long SLOT, which is ending or disconnected, may wait until it is looked at again. */
uint64_t patience_span_ns(const world_t *world, const slot_t *slot);
/* What SLOT has cancelled, OP with its bit FLIGHT, has a time to end in; or its socket has been
 * closed for that, and it is over. */
void patience_check_cancelled(world_t *world, const slot_t *slot, uint32_t flight,
                              const io_op_t *op);
/* SLOT, which is FLUSHING, is not past all bounds. */
void patience_check_bound(world_t *world, const slot_t *slot);
/* It is given up. */
void patience_check_end(world_t *world, const slot_t *slot, uint64_t now_ns);
/* SLOT begins to drain. */
void patience_note_drain(world_t *world, const slot_t *slot);
/* The disconnect of SLOT's socket is about to be cancelled, which may abort the connection. */
void patience_check_cancel(world_t *world, const slot_t *slot);
/* The connection that SLOT has, or had until it was severed. */
uint32_t patience_conn_of(world_t *world, const slot_t *slot);
/* The listener is about to be severed, at a stop. */
void patience_check_accepts(world_t *world);
/* SLOT's socket is about to be closed under what is outstanding on it, */
void patience_note_sever(world_t *world, const slot_t *slot);
/* and its session is over. */
void patience_forget(world_t *world, const slot_t *slot);
/* What is told as UNSENT of REC's, whose slot it was, is what its client is known to lack. */
void patience_check_unsent(world_t *world, const rec_t *rec, const slot_t *slot);

/* crowd.c: the clients. */
bool crowd_act(world_t *world);
bool crowd_connect(world_t *world);
uint64_t crowd_next_ns(const world_t *world);
void crowd_leave(world_t *world);

/* thrift.c: that no socket is made or closed without need. */
/* After each change of what the engine counts, and after each step. */
void thrift_note(world_t *world);
void thrift_step(world_t *world);
/* A socket is about to be made. */
void thrift_made(world_t *world);
/* An accept is taken back because there are too many; when it is OVER, its socket is closed. */
void thrift_lets_go(world_t *world, bool over);
/* A client has been taken in. */
void thrift_came(world_t *world);
void thrift_end(world_t *world);

/* check.c: the invariants. */
void check_touch(world_t *world, const void *lock);
void check_step(world_t *world);
void check_all(world_t *world);

/* Whether something that the session has received is still to be cut. */
bool check_has_input(const session_t *session);

/* The buffers of SLAB's that workers have at hand. */
uint64_t counts_pockets(world_t *world, const slab_t *slab);

void buffers_check(world_t *world);

/* What check_all holds of the engine's counts of its clients: ACTIVE ones by address, and those
 * that have ended by their reason. */
void counts_check_peers(world_t *world, uint64_t active);
void counts_check_ends(world_t *world);
void check_end(world_t *world);

/* hooks.c: what the linker puts between the engine and its libraries. */
void hooks_enter(world_t *world); /* NULL: none */
const world_t *hooks_world(void);
/* Whoever calls this has no lock, and is preempted, or not. */
void hooks_rest(void);

#endif
