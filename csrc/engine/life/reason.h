/* reason.h: why a session ended, and why its socket was not recycled. */
#ifndef IOCPREUSE_ENGINE_REASON_H
#define IOCPREUSE_ENGINE_REASON_H

#include <stdbool.h>
#include <stdint.h>

#include "../bytes/framing.h"

/* In the order of the members that iocpreuse/reason.py lists for the extension. */
typedef enum {
    REASON_PEER_EOF,
    REASON_PEER_RESET,
    REASON_NETWORK,
    REASON_LOCAL_CLOSE,
    REASON_LOCAL_ABORT,
    REASON_WRITE_OVERFLOW,
    REASON_CALLBACK_ERROR,
    REASON_REFUSED,
    REASON_SHUTDOWN,
    REASON_REPLACED,
    REASON_FIRST_BYTE_TIMEOUT,
    REASON_LOGIN_TIMEOUT,
    REASON_IDLE_TIMEOUT,
    REASON_MESSAGE_TIMEOUT,
    REASON_FRAME_ERROR,
    REASON_HANDSHAKE_TIMEOUT,
    REASON_TLS_ERROR, /* the filter failed: what came is none of its records, or its client */
    REASON_TRUNCATED, /* the peer's FIN came without the filter's goodbye */
    REASON_COUNT
} reason_t;

typedef enum { INITIATOR_PEER, INITIATOR_LOCAL, INITIATOR_STACK } initiator_t;

/* The whole record of an end. The first cause is kept; later ones do not change it. */
typedef struct {
    bool known;         /* a cause has been recorded */
    bool has_status;    /* status tells; else the end began without a failed operation */
    bool bug;           /* the status is one that correct code never sees */
    uint8_t reason;     /* reason_t */
    uint8_t initiator;  /* initiator_t */
    uint8_t fault;      /* frame_t, of REASON_FRAME_ERROR */
    uint32_t status;    /* NTSTATUS */
    int error;          /* native error code, 0 = none */
    uint64_t fault_len; /* then: bytes of the message, as far as they came or were announced */
    uint64_t unsent_bytes;
} ending_t;

/* The record for an operation that completed, or failed at once, with STATUS. */
ending_t ending_from_status(uint32_t status, int error);

/* The record for an end that our own side decided on. */
ending_t ending_local(reason_t reason);

/* The record for a client whose message of LEN bytes, or more, breaks the framing. */
ending_t ending_frame(frame_t fault, uint64_t len);

/* Why a socket was closed, where it might have been kept and recycled. */
typedef enum {
    CAUSE_UNSUPPORTED,       /* the start-up probe did not pass */
    CAUSE_OFF,               /* recycle="off" */
    CAUSE_RESET,             /* the peer reset the connection */
    CAUSE_ABORT,             /* we did */
    CAUSE_ERROR,             /* an operation failed in another way */
    CAUSE_UNSENT,            /* not all that was queued could be sent */
    CAUSE_LINGER,            /* the peer's FIN did not come in time after ours */
    CAUSE_CALLBACK_ERROR,    /* a callback raised */
    CAUSE_REFUSED,           /* max_connections, or its like for one address, was reached */
    CAUSE_SURPLUS,           /* enough spare sockets wait already */
    CAUSE_SHRUNK,            /* the pool shrinks, or accepting is paused */
    CAUSE_STOPPING,          /* the server stops */
    CAUSE_ACCEPT_FAILED,     /* the accept on it failed, or was refused at once */
    CAUSE_DISCONNECT_FAILED, /* DisconnectEx failed */
    CAUSE_COOLING_CAP,       /* too many sockets were cooling */
    CAUSE_COOLING_DEADLINE,  /* DisconnectEx took too long */
    CAUSE_STUCK,             /* an operation on it did not end when it was cancelled */
    CAUSE_COUNT,
    CAUSE_NONE = CAUSE_COUNT /* none: recycle it */
} cause_t;

/* The name that Stats.replaced_by_cause uses. */
const char *cause_name(cause_t cause);

#endif
