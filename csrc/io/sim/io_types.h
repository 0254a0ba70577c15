/* io_types.h (sim): the types that the seam leaves to its backend. */
#ifndef IOCPREUSE_IO_SIM_IO_TYPES_H
#define IOCPREUSE_IO_SIM_IO_TYPES_H

#include <stdbool.h>
#include <stdint.h>

#include "../addr.h"

/* The model speaks Windows: NTSTATUS codes and Winsock errors. */
#define IO_NATIVE_NTSTATUS 1

/* io_accept itself makes the socket where there is none, as on Windows; a build with 0 has the
 * other kind of platform. */
#ifndef IO_ACCEPT_MAKES_SOCK
#define IO_ACCEPT_MAKES_SOCK 1
#endif

/* As on Windows, a failed or cancelled send may have gone out in part. */
#define IO_FAILED_SEND_IS_UNSENT 0

/* Nor who may start an operation: here as on Windows, and in the build "late" as on Linux. */
#ifndef IO_THREAD_EXIT_CANCELS
#define IO_THREAD_EXIT_CANCELS 1
#endif

/* Whether sends that are done at once are told so: in the build "late". */
#ifndef SIM_SENDS_AT_ONCE
#define SIM_SENDS_AT_ONCE 0
#endif

/* Whether receives need no buffer while they wait: in the build "late" as well. */
#ifndef IO_RECV_BORROWS
#define IO_RECV_BORROWS 0
#endif

#define IO_SEND_BUFS_MAX 64

/* A handle names a place in the model's table and how often that place was taken, so that a
 * handle which is used after its close is never taken for a newer one. Not 0, so that memory
 * which was only zeroed is no "none". */
typedef uint32_t io_sock_t;
#define IO_SOCK_NONE UINT32_MAX

typedef struct {
    const char *data;
    uint32_t len;
} io_buf_t;

static inline io_buf_t io_buf(const void *data, uint32_t len)
{
    io_buf_t buf;
    buf.data = data;
    buf.len = len;
    return buf;
}

static inline const char *io_buf_data(const io_buf_t *buf)
{
    return buf->data;
}

static inline uint32_t io_buf_len(const io_buf_t *buf)
{
    return buf->len;
}

/* Where an accept leaves the addresses, as AcceptEx does. */
typedef struct {
    uint64_t peer; /* the number of the connection */
} io_accept_buf_t;

/* All but `error` belongs to the model. */
typedef struct io_op {
    int error;       /* public: the Winsock code of a submit that failed */
    uint32_t record; /* its record's index in the model + 1; 0 = not outstanding */
    uint64_t ticket; /* must stand here unchanged until the completion */
    struct {
        struct io_lender *lender; /* NULL = nothing is to be borrowed */
        bool is_passed_on;
        void *name;
        uint64_t number;   /* what it brings is of this connection's stream, */
        uint64_t received; /* so far from the beginning */
    } loan;
} io_op_t;

static inline void *io_op_loan(const io_op_t *op)
{
    return op->loan.name;
}

static inline bool io_op_is_passed_on(const io_op_t *op)
{
    return op->loan.is_passed_on;
}

typedef struct {
    io_op_t *op;
    uint32_t status;
    uint32_t bytes;
    int error;
} io_event_t;

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
