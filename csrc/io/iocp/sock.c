/* sock.c: what is done to one connection. */
#include "port.h"
#include "sockaddr.h"

#include <string.h>

#include <mstcpip.h>

#include "../../base/check.h"

/* Winsock's numbers, since Windows 10 1709; older headers lack the names. */
#define SOCK_TCP_KEEPIDLE  3
#define SOCK_TCP_KEEPCNT   16
#define SOCK_TCP_KEEPINTVL 17

/* What SIO_KEEPALIVE_VALS, which sets both at once, must say to keep the system's default. */
#define SOCK_KEEPALIVE_IDLE_MS_DEFAULT     7200000u
#define SOCK_KEEPALIVE_INTERVAL_MS_DEFAULT 1000u

/* What one send that has to wait takes on. It completes when the stack has all of it, and until
 * then the caller sees no progress: a whole megabyte would show none for as long as a slow client
 * needs for it. What is beyond it follows at once. */
#define SOCK_SEND_WAITING_MAX 65536u

SOCKET iocp_socket(int family)
{
    return WSASocketW(family, SOCK_STREAM, IPPROTO_TCP, NULL, 0,
                      WSA_FLAG_OVERLAPPED | WSA_FLAG_NO_HANDLE_INHERIT);
}

/* The OVERLAPPED must be clean for every operation: what the last one left there, an
 * offset or an event, would be taken for a request. */
static OVERLAPPED *sock__start(io_op_t *op)
{
    memset(&op->overlapped, 0, sizeof op->overlapped);
    return &op->overlapped;
}

/* What a submit returns. A call that succeeded at once posts its packet as well, so it counts
 * as pending. OP may be somebody else's by now, unless the call failed. */
static int sock__submitted(io_op_t *op, bool succeeded)
{
    if (succeeded) {
        return 0;
    }
    int error = WSAGetLastError();
    return error == WSA_IO_PENDING ? 0 : iocp_op_fail(op, error);
}

static int sock__status(int error)
{
    return error == 0 ? 0 : (int)(int32_t)ntstatus_from_wsa(error);
}

/* Windows does not say whether it survives a disconnect for reuse, and a send at once on a socket
 * that blocks would take a worker away: so it is said to every client's. */
static int sock__set_nonblocking(SOCKET sock)
{
    u_long nonblocking = 1;
    return ioctlsocket(sock, (long)FIONBIO, &nonblocking) == 0 ? 0 : WSAGetLastError();
}

static int sock__set(SOCKET sock, int level, int name, DWORD value)
{
    int result = setsockopt(sock, level, name, (const char *)&value, sizeof value);
    return result == 0 ? 0 : WSAGetLastError();
}

int io_accept(io_t *io, io_op_t *op, io_sock_t listener, io_sock_t *inout, io_accept_buf_t *buf)
{
    DWORD received = 0;
    if (*inout == IO_SOCK_NONE) {
        SOCKET sock = iocp_socket(io->family);
        if (sock == INVALID_SOCKET) {
            return iocp_op_fail(op, WSAGetLastError());
        }
        int error = iocp_port_associate(io, sock);
        if (error != 0) {
            (void)closesocket(sock);
            return iocp_op_fail(op, error);
        }
        *inout = sock;
    }
    /* No data is asked for with the accept: a client that says nothing would hold it. */
    return sock__submitted(op,
                           io->extension.accept_ex(listener, *inout, buf->bytes, 0, IOCP_ADDR_SPACE,
                                                   IOCP_ADDR_SPACE, &received, sock__start(op)));
}

static uint32_t sock__seconds_as_ms(uint32_t seconds, uint32_t otherwise_ms)
{
    if (seconds == 0) {
        return otherwise_ms;
    }
    return seconds > UINT32_MAX / 1000u ? UINT32_MAX : seconds * 1000u;
}

/* For Windows before 1709. It has no word for the count: that one is fixed at 10. */
static int sock__set_keepalive_times_old(SOCKET sock, const io_sock_options_t *options)
{
    struct tcp_keepalive times;
    DWORD returned = 0;
    times.onoff = 1;
    times.keepalivetime =
        sock__seconds_as_ms(options->keepalive_idle_s, SOCK_KEEPALIVE_IDLE_MS_DEFAULT);
    times.keepaliveinterval =
        sock__seconds_as_ms(options->keepalive_interval_s, SOCK_KEEPALIVE_INTERVAL_MS_DEFAULT);
    int result =
        WSAIoctl(sock, SIO_KEEPALIVE_VALS, &times, sizeof times, NULL, 0, &returned, NULL, NULL);
    return result == 0 ? 0 : WSAGetLastError();
}

static int sock__set_keepalive_times(SOCKET sock, const io_sock_options_t *options)
{
    int error = 0;
    if (options->keepalive_idle_s != 0) {
        error = sock__set(sock, IPPROTO_TCP, SOCK_TCP_KEEPIDLE, options->keepalive_idle_s);
    }
    if (error == 0 && options->keepalive_interval_s != 0) {
        error = sock__set(sock, IPPROTO_TCP, SOCK_TCP_KEEPINTVL, options->keepalive_interval_s);
    }
    if (error == 0 && options->keepalive_count != 0) {
        error = sock__set(sock, IPPROTO_TCP, SOCK_TCP_KEEPCNT, options->keepalive_count);
    }
    if (error == WSAENOPROTOOPT) {
        error = sock__set_keepalive_times_old(sock, options);
    }
    return error;
}

static int sock__set_keepalive(io_t *io, SOCKET sock, const io_sock_options_t *options)
{
    if (!options->keepalive && atomic_u32_load(&io->keepalive_seen) == 0) {
        return 0;
    }
    if (options->keepalive) {
        atomic_u32_store(&io->keepalive_seen, 1);
    }
    int error = sock__set(sock, SOL_SOCKET, SO_KEEPALIVE, options->keepalive ? 1 : 0);
    return error == 0 && options->keepalive ? sock__set_keepalive_times(sock, options) : error;
}

/* Off is said as well as on: some options of the last client survive a recycle, some do not. */
static int sock__set_options(io_t *io, SOCKET sock, const io_sock_options_t *options)
{
    int error = sock__set(sock, IPPROTO_TCP, TCP_NODELAY, options->nodelay ? 1 : 0);
    if (error == 0 && options->send_buffer != 0) {
        error = sock__set(sock, SOL_SOCKET, SO_SNDBUF, options->send_buffer);
    }
    return error == 0 ? sock__set_keepalive(io, sock, options) : error;
}

int io_accept_finish(io_t *io, io_sock_t listener, io_sock_t sock, const io_accept_buf_t *buf,
                     const io_sock_options_t *options, io_addr_t *peer, io_addr_t *local)
{
    SOCKADDR *local_name = NULL;
    SOCKADDR *peer_name = NULL;
    INT local_length = 0;
    INT peer_length = 0;
    /* Until this is done the socket has no peer's name, no shutdown, and none of the listener's
     * properties. A recycled socket needs it again for every client. */
    if (setsockopt(sock, SOL_SOCKET, SO_UPDATE_ACCEPT_CONTEXT, (const char *)&listener,
                   sizeof listener) != 0) {
        return sock__status(WSAGetLastError());
    }
    int error = sock__set_nonblocking(sock);
    if (error == 0) {
        error = sock__set_options(io, sock, options);
    }
    if (error != 0) {
        return sock__status(error);
    }
    io->extension.get_accept_ex_sockaddrs((PVOID)(uintptr_t)buf->bytes, 0, IOCP_ADDR_SPACE,
                                          IOCP_ADDR_SPACE, &local_name, &local_length, &peer_name,
                                          &peer_length);
    iocp_sockaddr_to_addr(local_name, local_length, local);
    iocp_sockaddr_to_addr(peer_name, peer_length, peer);
    return 0;
}

int io_recv(io_t *io, io_op_t *op, io_sock_t sock, void *buf, uint32_t len)
{
    DWORD flags = 0;
    WSABUF data;
    (void)io;
    data.len = len;
    data.buf = buf;
    return sock__submitted(op, WSARecv(sock, &data, 1, NULL, &flags, sock__start(op), NULL) == 0);
}

/* Without an OVERLAPPED a send on a non-blocking socket is done at once or not at all, and makes no
 * packet, whatever port the socket is tied to. Returns 0 or the Winsock error. */
static int sock__send_now(SOCKET sock, const io_buf_t *bufs, uint32_t count, DWORD *sent)
{
    int result = WSASend(sock, (LPWSABUF)(uintptr_t)bufs, count, sent, 0, NULL, NULL);
    return result == 0 ? 0 : WSAGetLastError();
}

/* Whether an overlapped send may do what the one at once could not: there it can wait. */
static bool sock__can_wait(int error)
{
    return error == WSAEWOULDBLOCK || error == WSAENOBUFS;
}

/* The first MOST bytes of BUFS, as buffers in OUT; returns how many. */
static uint32_t sock__cut(const io_buf_t *bufs, uint32_t count, uint32_t most, io_buf_t *out)
{
    uint32_t used = 0;
    while (used < count && most > 0) {
        out[used] = bufs[used];
        if (out[used].len > most) {
            out[used].len = most;
        }
        most -= out[used].len;
        used++;
    }
    return used;
}

/* First at once, where the caller can take that: it saves the packet, and a worker the way to it.
 * What else comes for the same sessions is gathered before the sends, and not while they wait. */
int io_send(io_t *io, io_op_t *op, io_sock_t sock, const io_buf_t *bufs, uint32_t count,
            uint32_t *sent)
{
    io_buf_t piece[IO_SEND_BUFS_MAX];
    (void)io;
    DCHECK(count > 0 && count <= IO_SEND_BUFS_MAX);
    if (sent != NULL) {
        DWORD taken = 0;
        int error = sock__send_now(sock, bufs, count, &taken);
        if (error == 0 && taken > 0) {
            *sent = taken;
            return IO_DONE;
        }
        if (error != 0 && !sock__can_wait(error)) {
            return iocp_op_fail(op, error);
        }
    }
    count = sock__cut(bufs, count, SOCK_SEND_WAITING_MAX, piece);
    return sock__submitted(op, WSASend(sock, piece, count, NULL, 0, sock__start(op), NULL) == 0);
}

int io_shutdown(io_t *io, io_sock_t sock, int *error)
{
    (void)io;
    if (shutdown(sock, SD_SEND) == 0) {
        return 0;
    }
    *error = WSAGetLastError();
    return sock__status(*error);
}

/* Overlapped without exception: with a NULL here the call waits TIME_WAIT out, for minutes.
 *
 * A failure at once means that no packet will come. Wine was seen to break this in one case:
 * WSAENOTCONN, on a socket that was never connected, with a packet all the same. There a socket
 * counts as connected from its accept until it is closed, whatever the peer does, so the contract
 * (only what io_accept_finish has made is disconnected) keeps that case away, and no call is
 * spent on asking first. On Windows WSAENOTCONN is a failure like any other. */
int io_disconnect(io_t *io, io_op_t *op, io_sock_t *inout)
{
    return sock__submitted(
        op, io->extension.disconnect_ex(*inout, sock__start(op), TF_REUSE_SOCKET, 0));
}

bool io_is_due(io_t *io, io_sock_t sock, io_op_t *op)
{
    (void)io;
    (void)sock;
    /* The system itself completes it; all that may be missing is that a worker hears of it. */
    return HasOverlappedIoCompleted(&op->overlapped);
}

void io_cancel(io_t *io, io_sock_t sock, io_op_t *op)
{
    (void)io;
    /* ERROR_NOT_FOUND says that the completion is on its way: as good as cancelled. */
    (void)CancelIoEx((HANDLE)sock, &op->overlapped);
}

void io_sock_close(io_t *io, io_sock_t *inout, bool reset)
{
    if (*inout == IO_SOCK_NONE) {
        return;
    }
    if (reset) {
        /* Only ever on the way to closesocket: on a recycled socket it would poison the next
         * client's connection. */
        struct linger linger = {1, 0};
        (void)setsockopt(*inout, SOL_SOCKET, SO_LINGER, (const char *)&linger, sizeof linger);
    }
    if (*inout == io->adopted) {
        /* Its maker may still have it: it can be made blocking again, and be served on again. */
        (void)WSAEventSelect(*inout, NULL, 0);
        iocp_port_release(*inout);
        io->adopted = INVALID_SOCKET;
    }
    if (closesocket(*inout) != 0 && WSAGetLastError() == WSAEWOULDBLOCK) {
        /* A non-blocking socket with a time to linger, which it may have from an adopted listener:
         * it is still open. */
        struct linger none = {0, 0};
        (void)setsockopt(*inout, SOL_SOCKET, SO_LINGER, (const char *)&none, sizeof none);
        (void)closesocket(*inout);
    }
    *inout = IO_SOCK_NONE;
}

void io_sock_sever(io_t *io, io_sock_t *inout, bool reset)
{
    /* The packets of what was outstanding come to the port all the same. Wine alone keeps it going
     * after the close; there a cancel of everything ends it. */
    (void)CancelIoEx((HANDLE)*inout, NULL);
    io_sock_close(io, inout, reset);
}
