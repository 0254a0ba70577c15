/* ready.h: operations on their way out: the ready list that all workers share, and the
 * harvest of one io_wait. */
#ifndef IOCPREUSE_IO_EPOLL_READY_H
#define IOCPREUSE_IO_EPOLL_READY_H

#include <stdbool.h>
#include <stdint.h>

#include "../../base/list.h"
#include "../io.h"

/* What one call of io_wait receives, give or take one receive. More would push the first of it out
 * of the processor's own cache before its answer is sent, and lets the clients whose answers wait
 * for the others' idle; with much less, answers leave in smaller bunches, and each may find its
 * client asleep again. */
#define HARVEST_BYTES_MAX (256u * 1024u)

typedef struct {
    io_event_t *events;
    uint32_t count;
    uint32_t max;
    uint32_t bytes;  /* received */
    void *borrower;  /* whom lenders lend to */
    list_t overflow; /* for the next call: done, but more than the caller's array holds; and
                        receives in state OP_TRYING, when enough has been received */
} harvest_t;

static inline bool harvest_is_heavy(const harvest_t *harvest)
{
    return harvest->bytes >= HARVEST_BYTES_MAX;
}

/* OP is done, its socket's lock may be held. */
void harvest_add(harvest_t *harvest, io_op_t *op);

/* Puts OP in the ready list, and wakes a worker if that is needed for it to be seen.
 * FRESH: OP is to be tried, which may start work in the application; a mere completion
 * may wait a little for a worker that is running. The socket's lock may be held. */
void ready_push(io_t *io, io_op_t *op, bool fresh);

/* Moves up to MOST operations from the ready list to the harvest, as they are: done, or with a
 * call still to be made. The port's lock is held. */
void ready_take(io_t *io, harvest_t *harvest, uint32_t most);

#endif
