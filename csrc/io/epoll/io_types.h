/* io_types.h (epoll): the types that the seam leaves to its backend. */
#ifndef IOCPREUSE_IO_EPOLL_IO_TYPES_H
#define IOCPREUSE_IO_EPOLL_IO_TYPES_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/uio.h>

#include "../../base/list.h"
#include "../addr.h"

/* Statuses come from errno, not from Windows. */
#define IO_NATIVE_NTSTATUS 0

/* The socket comes with the client, not from io_accept. */
#define IO_ACCEPT_MAKES_SOCK 0

/* What a failed or cancelled send had taken has been told before. */
#define IO_FAILED_SEND_IS_UNSENT 1

/* No operation belongs to the thread that started it. */
#define IO_THREAD_EXIT_CANCELS 0

/* The buffer is needed when the call is made. */
#define IO_RECV_BORROWS 1

#define IO_SEND_BUFS_MAX 64

/* Owns a descriptor and the operations that wait on it; see sock.h. */
typedef struct epoll_sock *io_sock_t;
#define IO_SOCK_NONE NULL

typedef struct iovec io_buf_t;

static inline io_buf_t io_buf(const void *data, uint32_t len)
{
    io_buf_t buf = {(void *)(uintptr_t)data, len};
    return buf;
}

static inline const char *io_buf_data(const io_buf_t *buf)
{
    return buf->iov_base;
}

static inline uint32_t io_buf_len(const io_buf_t *buf)
{
    return (uint32_t)buf->iov_len;
}

typedef struct {
    io_addr_t peer;
} io_accept_buf_t;

/* How a receive comes by its buffers. */
typedef enum {
    LOAN_NONE,     /* it has one from the start */
    LOAN_ASKED,    /* it has none yet, but a lender */
    LOAN_MADE,     /* that one has lent them, */
    LOAN_PASSED_ON /* or the one next to it */
} op_loan_t;

/* All but `error` is private to the backend; sock.h tells what the members mean. */
typedef struct io_op {
    list_node_t node; /* in the ready list, or among a listener's accepts */
    struct epoll_sock *sock;
    int error;       /* errno; public */
    uint32_t status; /* NTSTATUS */
    uint32_t bytes;
    uint8_t kind;
    uint8_t state;
    bool cancelled;
    uint8_t loan; /* op_loan_t: of a receive */
    union {
        struct {
            union {
                void *buf;                /* or the loan's name */
                struct io_lender *lender; /* before it is made */
            };
            uint32_t len;
        } recv;
        struct {
            struct epoll_sock *
                *out; /* where the socket stands from the start, without descriptor */
            io_accept_buf_t *buf;
        } accept;
    } u;
} io_op_t;

typedef struct {
    io_op_t *op;
    uint32_t status;
    uint32_t bytes;
    int error;
} io_event_t;

static inline void *io_op_loan(const io_op_t *op)
{
    return op->u.recv.buf;
}

static inline bool io_op_is_passed_on(const io_op_t *op)
{
    return op->loan == LOAN_PASSED_ON;
}

static inline io_op_t *io_event_op(const io_event_t *event)
{
    return event->op;
}

static inline uint32_t io_event_bytes(const io_event_t *event)
{
    return event->bytes;
}

static inline uint32_t io_event_status(const io_event_t *event)
{
    return event->status;
}

static inline int io_event_error(const io_event_t *event)
{
    return event->error;
}

#endif
