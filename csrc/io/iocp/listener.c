/* listener.c: the listening socket, and the manager's wait for a connection that no accept took. */
#include "port.h"
#include "sockaddr.h"

/* SOMAXCONN_HINT of newer headers: without it a client edition of Windows caps the backlog. */
#define BACKLOG_PLAIN_MAX 200
#define BACKLOG_HINT(n)   (-(n))

static int listener__set(SOCKET sock, int level, int name, DWORD value)
{
    int result = setsockopt(sock, level, name, (const char *)&value, sizeof value);
    return result == 0 ? 0 : WSAGetLastError();
}

static int listener__get(SOCKET sock, int name, DWORD *value)
{
    int length = (int)sizeof *value;
    int result = getsockopt(sock, SOL_SOCKET, name, (char *)value, &length);
    return result == 0 ? 0 : WSAGetLastError();
}

static int listener__name(SOCKET sock, SOCKADDR_STORAGE *name, int *length)
{
    *length = (int)sizeof *name;
    int result = getsockname(sock, (SOCKADDR *)name, length);
    return result == 0 ? 0 : WSAGetLastError();
}

/* What a listening socket needs to be accepted on here. The association fails where another port
 * has the socket, so it comes before the events are selected: that would take them from who serves
 * on it. */
static int listener__attach(io_t *io, SOCKET sock)
{
    SOCKADDR_STORAGE name;
    int length = 0;
    int error = listener__name(sock, &name, &length);
    if (error == 0) {
        error = iocp_extension_load(&io->extension, sock);
    }
    if (error == 0) {
        error = iocp_port_associate(io, sock);
    }
    if (error != 0) {
        return error;
    }
    if (WSAEventSelect(sock, io->accept_event, FD_ACCEPT) != 0) {
        error = WSAGetLastError();
        iocp_port_release(sock);
        return error;
    }
    io->family = name.ss_family;
    return 0;
}

static int listener__bind(SOCKET sock, const SOCKADDR_STORAGE *name, int length,
                          const io_listen_options_t *options)
{
    int backlog = options->backlog;
    /* Without it another process could bind the same port over our heads. */
    int error = listener__set(sock, SOL_SOCKET, SO_EXCLUSIVEADDRUSE, 1);
    if (error == 0 && name->ss_family == AF_INET6) {
        error = listener__set(sock, IPPROTO_IPV6, IPV6_V6ONLY, options->dual_stack ? 0 : 1);
    }
    if (error != 0) {
        return error;
    }
    if (backlog <= 0) {
        backlog = SOMAXCONN;
    } else if (backlog > BACKLOG_PLAIN_MAX && backlog != SOMAXCONN) {
        backlog = BACKLOG_HINT(backlog);
    }
    if (bind(sock, (const SOCKADDR *)name, length) != 0 || listen(sock, backlog) != 0) {
        return WSAGetLastError();
    }
    return 0;
}

int io_listen(io_t *io, const io_addr_t *addr, const io_listen_options_t *options, io_sock_t *out)
{
    SOCKADDR_STORAGE name;
    int length = iocp_sockaddr_from_addr(addr, &name);
    if (length == 0) {
        return -WSAEAFNOSUPPORT;
    }
    SOCKET sock = iocp_socket(name.ss_family);
    if (sock == INVALID_SOCKET) {
        return -WSAGetLastError();
    }
    int error = listener__bind(sock, &name, length, options);
    if (error == 0) {
        error = listener__attach(io, sock);
    }
    if (error != 0) {
        (void)closesocket(sock);
        return -error;
    }
    *out = sock;
    return 0;
}

int io_listen_adopt(io_t *io, uintptr_t handle, const io_listen_options_t *options, io_sock_t *out)
{
    SOCKET sock = (SOCKET)handle;
    DWORD type = 0;
    DWORD listening = 0;
    DWORD keepalive = 0;
    int error = listener__get(sock, SO_TYPE, &type);
    if (error == 0) {
        error = listener__get(sock, SO_ACCEPTCONN, &listening);
    }
    if (error == 0) {
        error = listener__get(sock, SO_KEEPALIVE, &keepalive);
    }
    if (error == 0 && (type != SOCK_STREAM || !listening)) {
        error = WSAEINVAL;
    }
    if (error == 0) {
        error = listener__attach(io, sock);
    }
    if (error != 0) {
        return -error;
    }
    if (keepalive != 0) {
        atomic_u32_store(&io->keepalive_seen, 1); /* SO_UPDATE_ACCEPT_CONTEXT hands it on */
    }
    (void)
        options; /* its maker has set up this socket; `accepted` comes with each io_accept_finish */
    io->adopted = sock;
    *out = sock;
    return 0;
}

int io_sock_name(io_t *io, io_sock_t sock, io_addr_t *out)
{
    SOCKADDR_STORAGE name;
    int length = 0;
    (void)io;
    int error = listener__name(sock, &name, &length);
    if (error != 0) {
        return -error;
    }
    iocp_sockaddr_to_addr((const SOCKADDR *)&name, length, out);
    return 0;
}

uintptr_t io_sock_handle(io_t *io, io_sock_t sock)
{
    (void)io;
    return (uintptr_t)sock;
}

int io_wait_starved(io_t *io, io_sock_t listener, uint32_t timeout_ms)
{
    HANDLE handles[2];
    /* Without a listener, as while stopping, only wake-ups count. */
    DWORD count = listener == IO_SOCK_NONE ? 1 : 2;
    uint64_t deadline_ns = io_now_ns(io) + (uint64_t)timeout_ms * 1000000u;
    uint32_t left_ms = timeout_ms;
    handles[0] = io->manager_event;
    handles[1] = io->accept_event;
    for (;;) {
        WSANETWORKEVENTS happened;
        DWORD which = WaitForMultipleObjects(count, handles, FALSE, left_ms);
        if (which != WAIT_OBJECT_0 + 1) {
            return 0;
        }
        /* Also resets the event, in one step with the record of what happened. */
        if (WSAEnumNetworkEvents(listener, io->accept_event, &happened) != 0) {
            (void)WSAResetEvent(io->accept_event);
            happened.lNetworkEvents = 0;
        }
        if (happened.lNetworkEvents & FD_ACCEPT) {
            return 1;
        }
        if (timeout_ms != IO_INFINITE) {
            left_ms = iocp_ms_left(io, deadline_ns);
        }
    }
}
