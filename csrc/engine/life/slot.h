/* slot.h: one entry of the slot table: a socket, its operations, its session.
 *
 * A slot lives as long as the engine and serves one client after another. Its
 * lock guards everything in it but what the comments except. Under the lock no
 * other lock of the engine is taken, no callback runs and nothing is waited
 * for; the seam's submit calls are made under it, so that a cancel can never
 * slip in between the bookkeeping of an operation and its start. */
#ifndef IOCPREUSE_ENGINE_SLOT_H
#define IOCPREUSE_ENGINE_SLOT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../../base/atomics.h"
#include "../../base/list.h"
#include "../../base/mutex.h"
#include "../../io/io.h"
#include "../bytes/filter.h"
#include "../bytes/framing.h"
#include "reason.h"
#include "../bytes/sendq.h"
#include "../session/names.h"
#include "../session/requests.h"
#include "token.h"
#include "../work/wheel.h"

typedef enum {
    SLOT_IDLE,      /* no client; perhaps a socket to reuse */
    SLOT_ACCEPTING, /* an accept is posted */
    SLOT_OPEN,      /* serves a client */
    SLOT_FLUSHING,  /* the end has begun: what is queued goes out, then our FIN */
    SLOT_DRAINING,  /* waits until nothing is in flight */
    SLOT_RECYCLING, /* a disconnect for reuse is in flight */
    SLOT_COOLING,   /* so it is, and it takes long */
    SLOT_REPLACING, /* the socket is being closed */
    SLOT_RETIRED,   /* never used again */
    SLOT_STATE_COUNT
} slot_state_t;

/* Bits of slot_t.in_flight. */
#define FLIGHT_LIFE     1u /* accept or disconnect */
#define FLIGHT_RECV     2u
#define FLIGHT_SEND     4u
#define FLIGHT_CALLBACK 8u  /* an event has been handed to a worker and is not settled */
#define FLIGHT_FILTER   16u /* a worker makes a step of the filter */

/* Bits of slot_t.pending: what the application must still hear, in this order. */
#define PENDING_OPEN   1u
#define PENDING_LOGIN  2u
#define PENDING_DATA   4u
#define PENDING_EOF    8u
#define PENDING_DRAIN  16u
#define PENDING_CLOSED 32u
#define PENDING_FILTER 64u /* alone: it comes before them all */

typedef enum {
    OPERATION_ACCEPT,
    OPERATION_DISCONNECT,
    OPERATION_RECV,
    OPERATION_SEND
} operation_kind_t;

/* One overlapped call. IO is first: a completion's io_op_t is its operation. */
typedef struct operation {
    io_op_t io;
    uint32_t client; /* token_client of the one it was started for */
    uint8_t kind;    /* operation_kind_t */
} operation_t;

/* One client's share of a slot: wiped as a whole between two clients. What a message needs comes
 * first, so that it is near what precedes it in the slot. */
typedef struct {
    void *user; /* the layer above's; touched only inside this session's events */
    sendq_t out;
    filter_t *filter; /* between the socket and all else; NULL = none */
    uint64_t messages_sent;
    uint64_t bytes_sent;
    uint64_t active_ns; /* when bytes last came from it, or were taken for it */
    uint32_t send_len;  /* bytes given to the send that is in flight, or that failed */
    atomic_u32_t mute;  /* no more messages are told; written under the lock, read without it */
    bool fin_wanted;    /* our FIN follows what is queued */
    bool fin_sent;      /* our FIN is out */
    bool write_full;    /* the queue passed write_high; PENDING_DRAIN is owed */
    bool read_paused;   /* no receive until the application wants more */
    bool peer_eof;      /* the peer's FIN has been read */
    bool recv_probe;    /* the receive in flight is one of 0 bytes */
    bool recv_ready;    /* it found something to read */
    bool recv_full;     /* the last one brought as much as a small buffer holds */
    bool recv_direct;   /* RECV_BUF is a direct_loan_t instead */
    bool cut;           /* the cutter has a message that was not told yet; in a callback, its
                         * worker's own, as the cutter is */
    bool telling;       /* the callback that runs is told messages: the cutter is its worker's */
    bool held;          /* what a receive has brought meanwhile, RECV_EVENT, waits for its end */
    bool reset;         /* close with RST */
    bool overdue;       /* the manager has found it so, and a worker is to make sure */
    bool unsettled;     /* of what was sent something may not be acknowledged, */
    bool lagging;       /* and at the last look so it was */
    bool send_failed;   /* nothing can be sent any more; what has come is still told */
    bool cut_short;     /* it ended with something in the queue */
    bool unmet;         /* its filter's handshake is not over: the application knows nothing */
    uint8_t broken;     /* cause_t: CAUSE_NONE, or the failure that rules recycling out */
    uint64_t bytes_received;
    atomic_u64_t messages_received; /* written in callbacks, read without the lock */
    void *recv_buf;                 /* from RECV_SLAB, or NULL */
    struct slab *recv_slab;
    io_event_t recv_event;
    cutter_t cutter;          /* what was received and not told yet, */
    const framing_t *framing; /* and how it is cut; changed under the lock, in a callback only */
    uint64_t begun_ns;        /* when the client was accepted */
    uint64_t resumed_ns;      /* when its silence last began to count anew; 0 = never */
    uint64_t acked;           /* bytes sent that its TCP was last seen to have acknowledged */
    uint64_t acked_ns;        /* when more of them were last seen to be, while others were not */
    uint64_t message_ns;      /* when the first byte came of the message that is not whole */
    uint64_t closing_ns;      /* while FLUSHING: when that began, */
    uint64_t progress_ns;     /* when the client last took something, as far as it was seen, */
    uint64_t heard_open;      /* and the bytes that had come from it until then */
    io_addr_t peer;
    io_addr_t local;
    ending_t ending;
    name_t *name;        /* that the application has given it last, or NULL; held */
    requests_t requests; /* open ones; under the engine's requests_lock */
} session_t;

typedef struct slot {
    mutex_t lock;
    uint32_t index;
    token_t token;
    io_sock_t sock;
    uint32_t in_flight;
    uint32_t pending;
    uint8_t state;           /* slot_state_t */
    uint8_t cause;           /* cause_t: why a disconnect under way is given up */
    bool sock_fresh;         /* made by the accept that is posted, and not counted yet */
    bool let_go;             /* the accept that is posted is being cancelled: the pool shrinks */
    bool given_up;           /* the disconnect that is in flight is, for CAUSE */
    bool kicked;             /* it is on the engine's kick list */
    struct slot *dirty_next; /* on a batch's dirty list, which its worker owns */
    struct batch *dirty;     /* the batch whose worker will flush the queue */
    union {
        session_t session;          /* while it serves a client, and wiped until the next accept */
        io_accept_buf_t accept_buf; /* while an accept is posted */
    };
    operation_t recv;
    union {
        operation_t send;
        operation_t life; /* accept or disconnect: they do not meet, and neither meets a send */
    };
    uint64_t deadline_ns;   /* of what the slot waits for; 0 = none. A session has its own, too */
    uint64_t sent;          /* bytes that its client was sent, while it is disconnected */
    wheel_timer_t timer;    /* comes up at the first of them, or before */
    list_node_t pool_node;  /* among the idle slots; guarded by the pool's lock */
    struct slot *kick_next; /* on the engine's kick list */
} slot_t;

void slot_init(slot_t *slot, uint32_t index);
void slot_destroy(slot_t *slot);

/* The only place that changes a state; a change that slot_transitions lacks is a bug. */
void slot_set_state(slot_t *slot, slot_state_t to);

/* The accept that was posted has brought a client: its session begins, in the place of what the
 * accept has left. */
void slot_begin(slot_t *slot, token_t token);

/* Or it has brought none, and what it has left is forgotten. */
void slot_clear(slot_t *slot);

/* Forgets everything of a client. Nothing is in flight, nothing is queued or held. */
void slot_wipe(slot_t *slot);

const char *slot_state_name(slot_state_t state);
bool slot_may_change(slot_state_t from, slot_state_t to);

/* The bytes that the stack has taken for SESSION, as it counts them itself. */
static inline uint64_t session_taken(const session_t *session)
{
    return session->filter == NULL ? session->bytes_sent : session->filter->sent;
}

/* And those that have come. */
static inline uint64_t session_heard(const session_t *session)
{
    return session->filter == NULL ? session->bytes_received : session->filter->received;
}

/* The slot that OPERATION is one of. */
static inline slot_t *slot_of(operation_t *operation)
{
    size_t place =
        operation->kind == OPERATION_RECV ? offsetof(slot_t, recv) : offsetof(slot_t, send);
    return (slot_t *)(void *)((char *)operation - place);
}

/* The bit of in_flight for an operation of that KIND. */
static inline uint32_t flight_of(operation_kind_t kind)
{
    switch (kind) {
    case OPERATION_RECV:
        return FLIGHT_RECV;
    case OPERATION_SEND:
        return FLIGHT_SEND;
    case OPERATION_ACCEPT:
    case OPERATION_DISCONNECT:
        break;
    }
    return FLIGHT_LIFE;
}

/* Prepares the slot's operation of that KIND for a new start, for its present client. */
static inline io_op_t *slot_arm(slot_t *slot, operation_kind_t kind)
{
    operation_t *operation = kind == OPERATION_RECV ? &slot->recv : &slot->send;
    operation->client = token_client(slot->token);
    operation->kind = (uint8_t)kind;
    slot->in_flight |= flight_of(kind);
    return &operation->io;
}

/* An operation of the slot's client has come back. It never outlives that client, the drain waits
 * for it; one of another client would mean that bytes may have reached a stranger. */
void slot_land(slot_t *slot, const operation_t *operation);

#endif
