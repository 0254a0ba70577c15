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
#include <stdint.h>

#include "../base/atomics.h"
#include "../base/list.h"
#include "../base/mutex.h"
#include "../io/io.h"
#include "framing.h"
#include "reason.h"
#include "sendq.h"
#include "token.h"
#include "wheel.h"

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
#define FLIGHT_CALLBACK 8u /* an event has been handed to a worker and is not settled */

/* Bits of slot_t.pending: what the application must still hear, in this order. */
#define PENDING_OPEN   1u
#define PENDING_LOGIN  2u
#define PENDING_DATA   4u
#define PENDING_EOF    8u
#define PENDING_DRAIN  16u
#define PENDING_CLOSED 32u

typedef enum {
    OPERATION_ACCEPT,
    OPERATION_DISCONNECT,
    OPERATION_RECV,
    OPERATION_SEND
} operation_kind_t;

/* One overlapped call. IO is first: a completion's io_op_t is its operation. */
typedef struct operation {
    io_op_t io;
    struct slot *slot;
    token_t token; /* the client it was started for */
    operation_kind_t kind;
} operation_t;

/* One client's share of a slot: wiped as a whole between two clients. */
typedef struct {
    void *user; /* the layer above's; touched only inside this session's events */
    io_addr_t peer;
    io_addr_t local;
    sendq_t out;
    char *recv_buf; /* from RECV_SLAB, or NULL */
    struct slab *recv_slab;
    cutter_t cutter;   /* what was received and not told yet; in a callback, its worker's own */
    bool cut;          /* the cutter has a message that was not told yet; the same */
    atomic_u32_t mute; /* no more messages are told; written under the lock, read without it */
    uint32_t send_len; /* bytes given to the send that is in flight, or that failed */
    bool recv_probe;   /* the receive in flight is one of 0 bytes */
    bool recv_ready;   /* it found something to read */
    bool recv_full;    /* the last one brought as much as a small buffer holds */
    bool read_paused;  /* no receive until the application wants more */
    bool peer_eof;     /* the peer's FIN has been read */
    bool fin_wanted;   /* our FIN follows what is queued */
    bool fin_sent;     /* our FIN is out */
    bool write_full;   /* the queue passed write_high; PENDING_DRAIN is owed */
    bool reset;        /* close with RST */
    bool logged_in;    /* the application has given it a name */
    bool overdue;      /* the manager has found it so, and a worker is to make sure */
    cause_t broken;    /* CAUSE_NONE, or the failure that rules recycling out */
    ending_t ending;
    uint64_t begun_ns;   /* when the client was accepted */
    uint64_t active_ns;  /* when bytes last came from it, or were taken for it */
    uint64_t resumed_ns; /* when its silence last began to count anew; 0 = never */
    uint64_t bytes_received;
    uint64_t bytes_sent;
    atomic_u64_t messages_received; /* written in callbacks, read without the lock */
    uint64_t messages_sent;
} session_t;

typedef struct slot {
    mutex_t lock;
    uint32_t index;
    slot_state_t state;
    uint32_t in_flight;
    uint32_t pending;
    token_t token;
    io_sock_t sock;
    bool sock_fresh; /* made by the accept that is posted, and not counted yet */
    bool let_go;     /* the accept that is posted is being cancelled: the pool shrinks */
    cause_t cause;   /* why a disconnect under way is given up */
    session_t session;
    operation_t life; /* accept and disconnect never meet */
    operation_t recv;
    operation_t send;
    io_accept_buf_t accept_buf;
    uint64_t deadline_ns; /* of what the slot waits for; 0 = none. A session has its own, too */
    wheel_timer_t timer;  /* comes up at the first of them, or before */

    list_node_t pool_node;     /* among the idle slots; guarded by the pool's lock */
    struct slot *kick_next;    /* on the engine's kick list */
    bool kicked;               /* it is on it */
    struct slot *dirty_next;   /* on a batch's dirty list, which its worker owns */
    const struct batch *dirty; /* the batch whose worker will flush the queue */
} slot_t;

void slot_init(slot_t *slot, uint32_t index);
void slot_destroy(slot_t *slot);

/* The only place that changes a state; a change that slot_transitions lacks is a bug. */
void slot_set_state(slot_t *slot, slot_state_t to);

/* Forgets everything of a client. Nothing is in flight, nothing is queued or held. */
void slot_wipe(slot_t *slot);

const char *slot_state_name(slot_state_t state);
bool slot_may_change(slot_state_t from, slot_state_t to);

/* An operation of the slot's client has come back. It never outlives that client, the drain waits
 * for it; one of another generation would mean that bytes may have reached a stranger. */
void slot_land(slot_t *slot, const operation_t *operation, uint32_t flight);

/* Prepares an operation for a new start, for the slot's present client. */
static inline io_op_t *slot_arm(slot_t *slot, operation_t *operation, uint32_t flight)
{
    operation->token = slot->token;
    slot->in_flight |= flight;
    return &operation->io;
}

#endif
