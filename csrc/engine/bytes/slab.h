/* slab.h: buffers, all of one size: for what is received, and the pages of send queues.
 *
 * A connection that is idle should not hold one, but a receive that is posted
 * with a buffer saves a round through the port. So the first connections keep
 * theirs, and beyond SLAB_KEEP_MAX a session waits with a receive of 0 bytes
 * and takes a buffer only when there is something to read. Where the system takes a buffer only
 * then in any case (IO_RECV_BORROWS), a slab lends them to the receives: nobody holds one while
 * he waits, and the few that go round stay in the processor's cache. */
#ifndef IOCPREUSE_ENGINE_SLAB_H
#define IOCPREUSE_ENGINE_SLAB_H

#include <stdbool.h>
#include <stdint.h>

#include "../../base/atomics.h"
#include "../../base/mutex.h"
#include "../../io/io.h"

/* Sessions that may hold a buffer while they wait: 16 MiB at the default read size. */
#define SLAB_KEEP_MAX 1024

typedef struct slab_buf {
    struct slab_buf *next;
} slab_buf_t;

/* The same for large ones, which are for clients that send much at this moment. */
#define SLAB_KEEP_LARGE_MAX 64

typedef enum {
    SLAB_SMALL,  /* receive buffers */
    SLAB_LARGE,  /* and large ones */
    SLAB_PAGES,  /* of send queues */
    SLAB_CHUNKS, /* of outboxes */
    SLAB_KINDS
} slab_kind_t;

typedef struct slab {
    io_lender_t lender; /* is first: a slab is one */
    mutex_t lock;       /* a leaf */
    slab_buf_t *free;
    uint32_t free_count;
    uint32_t size;      /* bytes of each; constant */
    uint32_t keep_max;  /* sessions that may hold one while they wait; constant */
    slab_kind_t kind;   /* constant */
    atomic_u64_t taken; /* changed under the lock, read without it */
} slab_t;

/* What a worker keeps at hand of each slab's buffers. What a batch of its own takes and gives back
 * then needs no lock, and stays in its processor's cache. The slab counts them as taken. */
typedef struct {
    struct {
        slab_buf_t *free;
        uint32_t bytes;
    } of[SLAB_KINDS];
} pockets_t;

void slab_init(slab_t *slab, slab_kind_t kind, uint32_t size, uint32_t keep_max);

/* Frees what is not taken. */
void slab_destroy(slab_t *slab);

/* A buffer, or NULL: no memory, or (for a session that only WAITS) too many are out. */
void *slab_take(slab_t *slab, bool waits);

void slab_give(slab_t *slab, void *buf);

/* The same for the worker whose POCKETS these are; NULL = no worker. A slab's lender calls them for
 * its borrowers. */
void *pockets_take(pockets_t *pockets, slab_t *slab);
void pockets_give(pockets_t *pockets, slab_t *slab, void *buf);

/* Frees what is in them. */
void pockets_empty(pockets_t *pockets);

/* Whether a session that goes back to waiting had better give its buffer back. */
static inline bool slab_is_crowded(slab_t *slab)
{
    return atomic_u64_load(&slab->taken) > slab->keep_max;
}

#endif
