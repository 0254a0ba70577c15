/* io_types.h (iocp): the types that the seam leaves to its backend. */
#ifndef IOCPREUSE_IO_IOCP_IO_TYPES_H
#define IOCPREUSE_IO_IOCP_IO_TYPES_H

#include <stdbool.h>
#include <stdint.h>

#include "../../base/win32.h"
#include <winsock2.h>
#include <ws2tcpip.h>

#include "../ntstatus.h"

/* Statuses are what stood in OVERLAPPED.Internal, errors are Winsock codes. */
#define IO_NATIVE_NTSTATUS 1

/* io_accept itself makes the socket where there is none. */
#define IO_ACCEPT_MAKES_SOCK 1

/* Windows does not tell how much of a failed or cancelled send went out. */
#define IO_FAILED_SEND_IS_UNSENT 0

/* ExitThread and WSASend in Microsoft's documentation: what a thread has started is cancelled
 * when it exits. (Since Vista a port's own I/O seems to be spared; nobody promises it.) */
#define IO_THREAD_EXIT_CANCELS 1

/* A receive's buffer is the system's from the start. */
#define IO_RECV_BORROWS 0

#define IO_SEND_BUFS_MAX 64

typedef SOCKET io_sock_t;
#define IO_SOCK_NONE INVALID_SOCKET

typedef WSABUF io_buf_t;

static inline io_buf_t io_buf(const void *data, uint32_t len)
{
    io_buf_t buf;
    buf.len = len;
    buf.buf = (char *)(uintptr_t)data;
    return buf;
}

static inline const char *io_buf_data(const io_buf_t *buf)
{
    return buf->buf;
}

static inline uint32_t io_buf_len(const io_buf_t *buf)
{
    return buf->len;
}

/* AcceptEx wants 16 bytes more than the largest address, twice (local, then remote). */
#define IOCP_ADDR_SPACE ((DWORD)sizeof(SOCKADDR_STORAGE) + 16)

typedef struct {
    char bytes[2 * (sizeof(SOCKADDR_STORAGE) + 16)];
} io_accept_buf_t;

/* Zeroed before every operation, but for `error`. */
typedef struct io_op {
    OVERLAPPED overlapped;
    int error; /* public: the Winsock code of a submit that failed */
} io_op_t;

typedef OVERLAPPED_ENTRY io_event_t;

static inline io_op_t *io_event_op(const io_event_t *event)
{
    return (io_op_t *)(void *)event->lpOverlapped;
}

static inline uint32_t io_event_bytes(const io_event_t *event)
{
    return (uint32_t)event->dwNumberOfBytesTransferred;
}

/* The status is read from the OVERLAPPED: OVERLAPPED_ENTRY.Internal is reserved. */
static inline uint32_t io_event_status(const io_event_t *event)
{
    return (uint32_t)event->lpOverlapped->Internal;
}

static inline int io_event_error(const io_event_t *event)
{
    uint32_t status = io_event_status(event);
    return (int32_t)status >= 0 ? 0 : ntstatus_classify(status).wsa;
}

#endif
