/* op.h: an operation: what it is, where it stands, how it begins, and its result. */
#ifndef IOCPREUSE_IO_EPOLL_OP_H
#define IOCPREUSE_IO_EPOLL_OP_H

#include <errno.h>
#include <stdint.h>

#include "../io.h"
#include "errno_map.h"

typedef enum { OP_ACCEPT, OP_RECV, OP_SEND, OP_DISCONNECT } op_kind_t;

/* Where an operation is. It changes under the lock of its socket. */
typedef enum {
    OP_DONE,    /* has its result; in the ready list, or dequeued */
    OP_WAITING, /* for an edge; the socket or the listener points to it */
    OP_TRYING   /* in the ready list, for io_wait to make the call */
} op_state_t;

/* OP is one of KIND on SOCK from now on. Like the others here: under the lock of SOCK, unless that
 * is NULL. */
static inline void op_begin(io_op_t *op, struct epoll_sock *sock, op_kind_t kind)
{
    op->sock = sock;
    op->kind = (uint8_t)kind;
    op->cancelled = false;
    op->error = 0;
}

/* Gives OP its result. STATUS and ERROR are 0 for a good one. */
static inline void op_done(io_op_t *op, uint32_t bytes, uint32_t status, int error)
{
    op->state = OP_DONE;
    op->bytes = bytes;
    op->status = status;
    op->error = error;
}

static inline void op_failed(io_op_t *op, int error)
{
    op_done(op, 0, errno_to_status(error), error);
}

static inline void op_cancelled(io_op_t *op)
{
    op_done(op, 0, NT_CANCELLED, ECANCELED);
}

/* A submit call that fails: no completion will come. Returns what it returns. */
static inline int op_refuse(io_op_t *op, int error)
{
    op->error = error;
    return (int)errno_to_status(error);
}

#endif
