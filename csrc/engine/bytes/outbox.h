/* outbox.h: sealed bytes on their way to the stack, and how many of the queue's bytes they carry.
 *
 * They stand in chunks, buffers of a slab: whoever seals takes one, and it goes back as soon as the
 * stack has all of it. A record begins a chunk, and mostly ends in it; the chunk that a record ends
 * in knows how many plain bytes it carries, and those are off the queue when that chunk is out. */
#ifndef IOCPREUSE_ENGINE_OUTBOX_H
#define IOCPREUSE_ENGINE_OUTBOX_H

#include <stdbool.h>
#include <stdint.h>

#include "../../io/io.h"
#include "slab.h"

typedef struct chunk {
    struct chunk *next;
    uint32_t len;
    uint32_t sent;
    uint32_t plain; /* bytes of the queue in the record that ends here; 0 = none does */
} chunk_t;

typedef struct {
    chunk_t *head;
    chunk_t *tail;
    uint64_t plain; /* in all of it */
    bool begun;     /* the first part of a record is out, with the chunk that it stood in */
    bool ended;     /* what is put next begins a chunk */
} outbox_t;

/* Puts LEN bytes behind what there is, in buffers of SLAB. False = no memory: then the rest of what
 * is being sealed is lost, and so is the connection. */
bool outbox_put(outbox_t *outbox, slab_t *slab, pockets_t *pockets, const void *data, size_t len);

/* What has been put since the last time is one record, and carries PLAIN bytes. */
void outbox_end_record(outbox_t *outbox, uint32_t plain);

/* Moves all of FROM behind TO. */
void outbox_append(outbox_t *to, outbox_t *from);

/* Describes it in BUFS, up to MAX of them. Returns how many. */
uint32_t outbox_gather(const outbox_t *outbox, io_buf_t *bufs, uint32_t max);

/* The stack has taken SENT bytes off the front. Returns how many of the queue's are out with them;
 * then BEHIND tells how many of those sent came after the last of these. */
uint64_t outbox_consume(outbox_t *outbox, slab_t *slab, pockets_t *pockets, uint64_t sent,
                        uint64_t *behind);

/* Of the queue's bytes, those that the peer may have in part: of a record that is not all out. */
uint64_t outbox_touched(const outbox_t *outbox);

void outbox_clear(outbox_t *outbox, slab_t *slab, pockets_t *pockets);

static inline bool outbox_is_empty(const outbox_t *outbox)
{
    return outbox->head == NULL;
}

#endif
