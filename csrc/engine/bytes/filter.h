/* filter.h: what stands between a session's socket and its cutter, and its send queue: TLS, or
 * none.
 *
 *   socket -> receive -> [feed] -> cutter -> messages
 *   socket <- send <- outbox <- [seal] <- send queue <- send(), broadcast()
 *
 * A filter is a table of functions and a state, SELF, for each session. The engine calls one of
 * them at a time for a session, on a worker, and under no lock: a step may take long, or wait for
 * something that a thread waits for which wants the session's lock. Until it returns it is an
 * operation in flight, as a send is: nobody else steps, and nothing that it reads moves.
 *
 * The queue keeps its bytes until the sealed ones that carry them are out. So all that counts what
 * is queued, unsent or in part on its way counts plain bytes, and needs no second book. */
#ifndef IOCPREUSE_ENGINE_FILTER_H
#define IOCPREUSE_ENGINE_FILTER_H

#include <stdbool.h>
#include <stdint.h>

#include "../../base/list.h"
#include "outbox.h"

/* What a step works on. What it is not about is zero. */
typedef struct {
    const char *in;   /* feed and open: received, in order; the step takes off what it has read, */
    uint32_t in_len;  /* and what it leaves is shown again, before anything newer */
    char *plain;      /* feed: where what it reads goes, */
    uint32_t room;    /* so much at most, */
    uint32_t len;     /* and so much has */
    bool more;        /* feed: there may be more without any new bytes: it ran out of room */
    const char *data; /* seal: what is to become one record, all of it */
    uint32_t data_len;
    outbox_t out; /* what the peer is to get; filter_put puts it here */
    slab_t *chunks;
    pockets_t *pockets;
} step_t;

typedef enum {
    FILTER_GOES_ON, /* it has done what it could; open and feed: more is to come first */
    FILTER_OPENED,  /* open: the handshake is done */
    FILTER_END,     /* feed: the peer's goodbye; nothing that follows it is shown */
    FILTER_FAILED,  /* for good; OUT may tell the peer why */
    FILTER_NO_MEMORY
} filter_result_t;

typedef struct {
    uint32_t record_max; /* plain bytes that one record carries */
    uint32_t chunk_size; /* of the buffers that sealed bytes stand in, chunk_t included */
    filter_result_t (*open)(void *self, step_t *step); /* the handshake goes on */
    filter_result_t (*feed)(void *self, step_t *step); /* received bytes become plain ones */
    filter_result_t (*seal)(void *self, step_t *step); /* plain bytes become a record */
    filter_result_t (*shut)(void *self, step_t *step); /* our goodbye */
} filter_type_t;

typedef enum {
    FILTER_COMING,  /* the client has said nothing; there is no SELF */
    FILTER_OPENING, /* the handshake is under way */
    FILTER_OPEN,
    FILTER_SHUT,  /* our goodbye is sealed */
    FILTER_BROKEN /* nothing can be sealed any more */
} filter_phase_t;

/* A session's. The slot's lock guards it, but for what belongs to the turns (turns.h); SELF's
 * inside is the step's. */
typedef struct filter {
    const filter_type_t *type;
    void *self;     /* the layer above's */
    uint8_t phase;  /* filter_phase_t */
    bool more;      /* feed ran out of room */
    bool turn;      /* the next step of the handshake may be made */
    bool peer_shut; /* the peer's goodbye has come: what follows it is thrown away */
    bool cut_off;   /* its FIN has come without one, or what came is wrong */
    void *in_buf;   /* of IN_SLAB: what was received and is not fed yet, or NULL */
    slab_t *in_slab;
    const char *in;
    uint32_t in_len;
    outbox_t out;
    uint64_t received; /* bytes, as the stack counts them */
    uint64_t sent;
    uint64_t plain_end; /* of those sent, how many there were when the last plain byte was out */
    struct slot *slot;  /* constant */

    list_node_t node; /* turns.h: under the turns' lock */
    bool called;
    bool placed;
} filter_t;

/* A filter for SLOT's session, whose client has just come. NULL = no memory. */
filter_t *filter_new(const filter_type_t *type, struct slot *slot);

/* The step puts LEN bytes in its OUT. False = no memory. */
bool filter_put(step_t *step, const void *data, size_t len);

/* LEN bytes have been received in BUF, of SLAB, which is the filter's from now on. */
void filter_take_in(filter_t *filter, void *buf, slab_t *slab, uint32_t len);

/* What was received is not wanted, or has been fed. */
void filter_drop_in(filter_t *filter, pockets_t *pockets);

/* The stack has taken SENT bytes. Returns how many of the queue's are out with them. */
uint64_t filter_sent(filter_t *filter, slab_t *chunks, pockets_t *pockets, uint64_t sent);

/* Of the plain bytes that are out, those that the peer's TCP lacks, when it has ACKED of all bytes.
 * Where it lacks any, what a record has beside its plain bytes counts with them. */
uint64_t filter_unacked(const filter_t *filter, uint64_t acked, uint64_t plain_sent);

/* Before it is freed: gives back all that it holds. SELF is the layer above's. */
void filter_release(filter_t *filter, slab_t *chunks, pockets_t *pockets);

#endif
