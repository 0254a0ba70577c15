/* batch.h: what one worker has in hand: the events that Python must hear, and
 * the work that waits until it has heard them. Each worker owns one batch; no
 * other thread looks into it. */
#ifndef IOCPREUSE_ENGINE_BATCH_H
#define IOCPREUSE_ENGINE_BATCH_H

#include <stdbool.h>
#include <stdint.h>

#include "sendq.h"
#include "slot.h"

/* Completions taken at once (libuv takes as many), and the events they and the
 * slots that were kicked can come to. */
#define BATCH_COMPLETIONS_MAX 128
#define BATCH_EVENTS_MAX      512

typedef enum {
    EVENT_OPEN,   /* a client has come */
    EVENT_DATA,   /* DATA and LEN hold what it sent, until the event is settled */
    EVENT_EOF,    /* it will send no more; set KEEP to go on sending */
    EVENT_DRAIN,  /* the send queue is short again */
    EVENT_CLOSED, /* it is gone; ENDING tells why. The last event of a session */
} event_kind_t;

typedef struct {
    event_kind_t kind;
    slot_t *slot;
    token_t token;
    void **user; /* the session's pointer for the layer above */
    const char *data;
    uint32_t len;
    bool keep;
} event_t;

typedef struct batch {
    event_t *events; /* points at one half of ROOM */
    uint32_t count;
    slot_t *dirty; /* slots whose queue this worker flushes when it settles */
    sendq_t done;  /* pinned buffers whose owners may be released */
    bool took_accept;
    uint64_t completions;
    uint64_t bytes_received;
    uint64_t bytes_sent;
    io_event_t completed[BATCH_COMPLETIONS_MAX];
    event_t room[2][BATCH_EVENTS_MAX];
} batch_t;

void batch_init(batch_t *batch);

/* False where the batch is full: the slot is then to be looked at later. */
bool batch_add(batch_t *batch, event_kind_t kind, slot_t *slot);

/* The events so far; the batch goes on with an empty list. They stay valid until
 * the next call. */
event_t *batch_swap(batch_t *batch, uint32_t *count);

#endif
