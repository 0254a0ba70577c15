/* engine.h: the server engine: accept pool, sessions, recycling. What the layer
 * above may call; everything else in this folder is the engine's own.
 *
 * Threads: N workers loop over engine_poll, engine_begin and engine_settle, each with a
 * batch of its own; one manager loops over engine_manage. The calls under "sessions"
 * may be made from any thread. Nothing here blocks but engine_poll,
 * engine_manage and engine_start. */
#ifndef IOCPREUSE_ENGINE_ENGINE_H
#define IOCPREUSE_ENGINE_ENGINE_H

#include <stdbool.h>
#include <stdint.h>

#include "../base/atomics.h"
#include "../io/io.h"
#include "work/batch.h"
#include "bytes/filter.h"
#include "bytes/framing.h"
#include "life/reason.h"
#include "bytes/sendq.h"
#include "bytes/shared.h"
#include "session/names.h"
#include "session/requests.h"
#include "life/token.h"

typedef struct engine engine_t;

/* What the layer above may lend to receives: memory that becomes messages as it is, without a copy.
 * The name of such a loan points at one of these. */
typedef struct {
    uint32_t left; /* bytes received into those that were not fed yet; the engine's, as is FED */
    uint32_t fed;  /* so many of them have been given, or are about to */
    char *messages[IO_LOAN_BUFS_MAX]; /* each of read_size bytes, in the order of the loan */
} direct_loan_t;

typedef struct {
    const io_addr_t *address; /* where to listen; NULL = on HANDLE */
    uintptr_t handle;         /* a listening socket, which the engine owns once it is open */
    io_listen_options_t listen;
    uint32_t concurrency;     /* 0 = the number of processors */
    uint32_t accept_pool;     /* accepts kept posted, at least */
    uint32_t accept_pool_max; /* and at most */
    uint32_t spare_max;       /* disconnected sockets kept beyond those that accept, at most */
    uint64_t quiet_ns;    /* accepts and sockets that nobody has needed for so long are too many;
                           * not 0 */
    uint32_t cooling_max; /* disconnects that may take long at once */
    uint64_t max_connections;        /* beyond it: accepted and closed at once */
    uint32_t max_connections_per_ip; /* the same for those of one address; 0 = no limit */
    uint32_t ip_prefix_4;            /* bits of an IPv4 address that tell one from another there */
    uint32_t ip_prefix_6;            /* and of an IPv6 one */
    uint64_t first_byte_timeout_ns;  /* 0 = none, as the next two */
    uint64_t login_timeout_ns;
    uint64_t idle_timeout_ns;
    const filter_type_t *filter;   /* that each client gets one of; NULL = none */
    uint64_t handshake_timeout_ns; /* a client's whole handshake may take so long; not 0 */
    uint32_t handshakes_max;       /* under way at once; others wait in order; not 0 */
    uint64_t message_timeout_ns; /* from a message's first byte to its last, where something cuts */
    uint64_t linger_ns;          /* an ending client may take so long without progress; not 0 */
    uint32_t read_size;          /* bytes of a message at most, where nothing cuts them */
    framing_t framing;           /* how what is received is cut into messages */
    io_lender_t *direct;         /* of direct loans; NULL = none, as always where something cuts */
    uint64_t write_high;         /* a send queue longer than this is full */
    uint64_t write_low;          /* and has room again from here */
    uint64_t write_limit;        /* beyond it the session is aborted */
    bool recycle;                /* where the probe passes */
    atomic_u64_t *generation;    /* the process's count of clients; outlives the engine */
} engine_options_t;

typedef enum { RECYCLING_OFF, RECYCLING_UNSUPPORTED, RECYCLING_VERIFIED } recycling_t;

typedef struct {
    uint64_t connections_active;
    uint64_t connections_total;
    uint64_t accepts_pending;
    uint64_t accept_errors;
    uint64_t accept_pool_grown;  /* accepts that the pool's size was raised by, in all */
    uint64_t accept_pool_shrunk; /* and lowered by */
    uint64_t sockets_created;
    uint64_t sockets_recycled;
    uint64_t sockets_replaced;
    uint64_t sockets_cooling;
    uint64_t sockets_spare; /* disconnected, and no accept is posted on them */
    uint64_t replaced_by_cause[CAUSE_COUNT];
    uint64_t closed_by_reason[REASON_COUNT]; /* in all connections_total - connections_active */
    uint64_t bytes_received;
    uint64_t bytes_sent;
    uint64_t send_queue_bytes;
    uint64_t completions;
    uint64_t batches;
    uint64_t stale_sends_blocked;
    uint64_t handshakes; /* that were done; the others' clients are counted by reason: */
    uint64_t failed_by_reason[REASON_COUNT]; /* of closed_by_reason, those that never opened */
} engine_stats_t;

/* What became of a call on a session. */
typedef enum {
    CALL_OK,
    CALL_FULL,     /* done, and the send queue is longer than write_high */
    CALL_CLOSED,   /* the session has ended or is ending */
    CALL_STALE,    /* its slot serves another client by now */
    CALL_EOF,      /* a send after our own end of file */
    CALL_OVERFLOW, /* the queue passed write_limit: the session is aborted */
    CALL_NO_MEMORY
} call_t;

typedef struct {
    bool closing;
    uint64_t bytes_received;
    uint64_t bytes_sent;
    uint64_t messages_received;
    uint64_t messages_sent;
    io_addr_t peer;
    io_addr_t local;
} session_info_t;

/* What engine_open returns where memory is short. */
#define ENGINE_NO_MEMORY INT32_MIN

/* Opens the port and listens. 0, a negated native error, or ENGINE_NO_MEMORY. */
int engine_open(engine_t **out, const engine_options_t *options);

/* Frees everything. No thread is in a call; if it was started, it has stopped. */
void engine_close(engine_t *engine);

/* In a forked child, whose only thread this is: gives up this process's copies of all sockets.
 * No client is known any more, and workers end. Only engine_close and the calls under "sessions"
 * may follow; and if the fork was made in a callback, what its worker does to return. */
void engine_disown(engine_t *engine);

int engine_address(engine_t *engine, io_addr_t *out);

/* Probes recycling. Once, before any thread polls. */
void engine_start(engine_t *engine);

/* Posts the first accepts, in the thread that goes on to engine_manage: on Windows they would end
 * with a thread that ends. */
void engine_open_pool(engine_t *engine);
recycling_t engine_recycling(const engine_t *engine);

/* A batch for a new worker; the engine frees it when it is closed. NULL = no memory. */
batch_t *engine_join(engine_t *engine);

/* Waits for completions, up to TIMEOUT_MS, and turns them into events. False once the engine has
 * stopped. */
bool engine_poll(engine_t *engine, batch_t *batch, uint32_t timeout_ms);

/* Before engine_poll, where callbacks block as a habit: takes over an event that another worker has
 * in hand. Whether there is work now: what it settled for the other one may leave buffers to
 * release, without any event. */
bool engine_help(engine_t *engine, batch_t *batch);

/* The events of BATCH begin to run: batch_take gives them one by one. Returns the time. */
uint64_t engine_begin(engine_t *engine, batch_t *batch);

/* The interpreter is there, for which they had to wait: that does not count as their time. Returns
 * the time. */
uint64_t engine_attach(engine_t *engine, batch_t *batch);

/* Its callbacks have run: engine_settle follows. Returns the time. */
uint64_t engine_finish(engine_t *engine, batch_t *batch);

/* After engine_finish: where the callbacks have sent to many, and more has come meanwhile, that is
 * to run as well before all leaves together. If so, engine_begin follows, else engine_settle. */
bool engine_gather(engine_t *engine, batch_t *batch);

/* The time on the clock that engine_begin reads. */
uint64_t engine_now_ns(engine_t *engine);

/* In the callback of an EVENT_DATA: the next message of its client, which stands there until the
 * next call. False when there is none for now, the session is paused or ending, or its turn is
 * over: then another EVENT_DATA tells of the rest. A stream that breaks the framing ends its
 * session, in order, when what came before has been given. */
bool engine_next_message(engine_t *engine, event_t *event, const char **data, uint32_t *len);

/* After engine_settle: whether a turn was over before all was told. Then engine_poll, with a
 * time-out of 0, comes before engine_begin: others have waited meanwhile. */
bool engine_has_rest(batch_t *batch);

/* In the callback of EVENT_FILTER: SELF is its client's filter, and opens. NULL = it cannot be had,
 * and the client has to go. It is the caller's again in the session's last event. */
void engine_set_filter(engine_t *engine, const event_t *event, void *self);

/* In a callback: what engine_set_filter has set, or NULL. */
void *engine_filter(const event_t *event);

/* The place in its loan of the message that engine_next_message has just given, where its buffer
 * was lent by DIRECT: whoever sets it to NULL has taken the buffer. Else NULL: it can only be
 * copied. */
char **engine_direct_message(const event_t *event);

/* Ends them when all have run: sends leave, receives are posted again, drained slots go on.
 * May add new events to the batch. */
void engine_settle(engine_t *engine, batch_t *batch);

/* One round of the manager's work. False once the engine has stopped. */
bool engine_manage(engine_t *engine);

/* How many accepts the pool keeps posted at present. */
uint32_t engine_pool_size(engine_t *engine);

/* How often posting accepts had to be put off so far, because something was short; and in ERROR the
 * native error of the last time, 0 = memory of our own. */
uint64_t engine_shortages(engine_t *engine, int *error);

/* Begins to stop: clients get DRAIN_NS to take what is queued for them; 0 aborts.
 * May be called again, to shorten that. Any thread. */
void engine_stop(engine_t *engine, uint64_t drain_ns);

/* Stops posting accepts and takes back those that are posted; or begins again. Clients wait
 * in the backlog meanwhile. Any thread. */
void engine_pause(engine_t *engine, bool paused);

/* Sessions. BATCH is the calling worker's, or NULL in any other thread. What a worker sends
 * from its callbacks leaves when it settles, gathered; what others send leaves at once, or, when
 * it comes thick and fast, gathered by a worker. */

/* Queues CHAIN, which is empty afterwards only if the result is CALL_OK or CALL_FULL. */
call_t engine_send(engine_t *engine, token_t token, sendq_t *chain, batch_t *batch);

/* Queues a copy of LEN bytes, one message. */
call_t engine_send_copy(engine_t *engine, token_t token, const void *data, size_t len,
                        batch_t *batch);

/* Queues MESSAGE, made for as many, to the COUNT different sessions of TO, in this order. One
 * whose queue is full, by write_high or by write_limit, gets none of it and is told when there is
 * room (EVENT_DRAIN); one that has ended, or ends, neither. Returns how many it was queued to. */
size_t engine_broadcast(engine_t *engine, shared_t *message, const token_t *to, size_t count,
                        batch_t *batch);

/* Flushes, then ends the session in order, for REASON. */
call_t engine_end(engine_t *engine, token_t token, reason_t reason, batch_t *batch);

/* Ends it now; RESET with RST. What is queued is lost. */
call_t engine_abort(engine_t *engine, token_t token, reason_t reason, bool reset);

/* Our FIN follows what is queued; receiving goes on. */
call_t engine_write_eof(engine_t *engine, token_t token, batch_t *batch);

/* Receives no more for now, or again. A receive that is in flight is never cancelled: what it
 * brings is kept. While it is paused, neither data nor the peer's end is told. */
call_t engine_pause_reading(engine_t *engine, token_t token, bool paused);

/* Names (names.h). The memory of one is the caller's until it is entered, and again when it has
 * been let go of for the last time. */

/* The newest name with this HASH, or the next one after AFTER, which the caller holds; it holds
 * this one as well then. NULL = there is none. */
name_t *engine_find_name(engine_t *engine, uint64_t hash, name_t *after);

/* Enters NAME, for the caller to hold, where it has found none; SEEN is the number of the newest
 * that it has compared, or 0. */
name_entry_t engine_enter_name(engine_t *engine, name_t *name, uint64_t hash, uint64_t seen);

/* The caller holds NAME no more. Whether the memory is its own now. */
bool engine_let_go_name(engine_t *engine, name_t *name);

/* What became of a login. */
typedef enum {
    LOGIN_DONE,
    LOGIN_CONFLICT, /* OTHER has the name, and keeps it */
    LOGIN_CLOSED    /* the session has ended or is ending */
} login_t;

/* NAME, which the caller holds, becomes the session's, and EVENT_LOGIN is told directly after the
 * callback that runs now. If OTHER has it, that one keeps it, unless its end has begun, or the
 * session REPLACES it: then it ends for REASON_REPLACED. LEFT is the name that the session has had
 * until now, for the caller to let go of; NULL = none. */
login_t engine_login(engine_t *engine, token_t token, name_t *name, bool replaces, batch_t *batch,
                     token_t *other, name_t **left);

/* In the callback of EVENT_CLOSED, whose client's name is free already: the name, if its memory is
 * the caller's now; else NULL. */
name_t *engine_leave_name(engine_t *engine, const event_t *event);

/* Who has NAME, which the caller holds; TOKEN_NONE = nobody. */
token_t engine_name_owner(engine_t *engine, name_t *name);

/* How many names are had; and up to MOST of them, in the order of their logins, with who has them,
 * for the caller to hold. */
uint32_t engine_count_names(engine_t *engine);
uint32_t engine_list_names(engine_t *engine, name_t **out, token_t *owners, uint32_t most);

/* In the callback of EVENT: what its client has sent and was not told yet, and what it sends from
 * here on, is cut as FRAMING has it, which stays until the next such call or the end of the
 * session; NULL = it is not cut. */
call_t engine_set_framing(engine_t *engine, const event_t *event, const framing_t *framing);

/* Requests: what a client has asked, for whoever works on the answer when it may have gone. The
 * memory is the caller's, for as long as the request is open. It is open once it is begun, and ends
 * once: by a call that returns REPLY_SENT or HANDOVER_ANSWERED, or by an engine_pass_on that
 * returns HANDOVER_NONE. Any thread, as above. */

/* What a reply came to. */
typedef enum {
    REPLY_SENT,    /* queued to its owner; WHY is CALL_OK or CALL_FULL */
    REPLY_PASSED,  /* the answer that waited has been queued to the one who took the request over */
    REPLY_WAITS,   /* the owner is going: an answer is kept for who takes the request over */
    REPLY_REFUSED, /* the owner's queue did not take it, for WHY; the request is open */
    REPLY_ABORTED, /* nobody takes it over */
    REPLY_TWICE,   /* it has been answered, and whoever replied knows */
    REPLY_DISOWNED, /* this is a forked child */
    REPLY_MOVED     /* never: it is the engine's own */
} reply_t;

/* What became of a request that was to go to another client. */
typedef enum {
    HANDOVER_NONE,    /* that one is not there, or going; or the request is not to be had */
    HANDOVER_OPEN,    /* it is that one's, */
    HANDOVER_ANSWERED /* and an answer that waited has been queued to it */
} handover_t;

/* REQUEST, fresh from request_init, is open, and TOKEN's. */
call_t engine_begin_request(engine_t *engine, token_t token, request_t *request);

/* Answers REQUEST with ANSWER, as one of *OWNER's, by what was found. What is in ANSWER afterwards
 * is the caller's to release. */
reply_t engine_reply(engine_t *engine, request_t *request, sendq_t *answer, batch_t *batch,
                     call_t *why, token_t *owner);

/* REQUEST, if it is open, and not being told as lost, becomes TO's. */
handover_t engine_hand_over(engine_t *engine, request_t *request, token_t to, batch_t *batch);

/* In the callback of EVENT_CLOSED, before it tells what is lost: how many requests of its client
 * are open. None is answered or handed over from here on, until engine_pass_on does it. */
size_t engine_lose_requests(engine_t *engine, const event_t *event);

/* The first of these, each with the NEXT one; NULL = there are none left. */
request_t *engine_lost_request(const event_t *event);

/* And when it has been told: the first one, REQUEST, becomes HEIR's, or, where that is TOKEN_NONE
 * or none that takes it, is aborted. KEPT is then an answer that waited, for release. To be called
 * until none is left. */
handover_t engine_pass_on(engine_t *engine, request_t *request, token_t heir, batch_t *batch,
                          sendq_t *kept);

/* The round-trip time in microseconds; 0 = not known. */
call_t engine_rtt(engine_t *engine, token_t token, uint32_t *rtt_us);

call_t engine_info(engine_t *engine, token_t token, session_info_t *out);

/* In a forked child: the same for a client that the parent had at the fork. */
bool engine_info_at_fork(engine_t *engine, token_t token, session_info_t *out);

void engine_stats(engine_t *engine, engine_stats_t *out);

#endif
