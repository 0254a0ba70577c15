/* probe.c: proves on loopback that a recycled socket works, before anybody relies on it.
 *
 * It goes through the same seam functions that the engine will call, with a
 * port and a listener of its own. Stock Wine fails it:
 * there DisconnectEx only sends a FIN, the next accept succeeds, and the socket
 * is dead. Layered providers may fail it as well. */
#include "port.h"

#include <stdlib.h>
#include <string.h>

/* After a failure: how long cancelled operations may take to come back. */
#define PROBE_CANCEL_MS 50u

#define PROBE_MESSAGE_SIZE 16u

typedef struct {
    io_op_t op;
    bool in_flight;
    uint32_t status;
    uint32_t bytes;
} probe_op_t;

typedef struct {
    io_t *io;
    uint64_t deadline_ns;
    io_sock_t listener;
    io_sock_t server;
    SOCKET client;
    io_addr_t address;
    probe_op_t accept; /* also the disconnect: the two never overlap */
    probe_op_t recv;
    probe_op_t send;
    io_accept_buf_t accept_buf;
    char recv_buf[PROBE_MESSAGE_SIZE];
    char send_buf[PROBE_MESSAGE_SIZE];
} probe_t;

/* Notes the result of a submit. RESULT < 0: nothing is in flight. */
static bool probe__submitted(probe_op_t *op, int result)
{
    /* No other thread waits on this port, so noting it after the call is soon enough. */
    op->in_flight = result == 0;
    return result == 0;
}

/* Sends as the engine does: it may be done at once, and then nothing is in flight. */
static bool probe__send(probe_t *probe)
{
    io_buf_t data = io_buf(probe->send_buf, PROBE_MESSAGE_SIZE);
    uint32_t sent = 0;
    int result = io_send(probe->io, &probe->send.op, probe->server, &data, 1, &sent);
    if (result == IO_DONE) {
        probe->send.status = NT_SUCCESS_CODE;
        probe->send.bytes = sent;
        return true;
    }
    return probe__submitted(&probe->send, result);
}

static void probe__dequeue(probe_t *probe, uint32_t timeout_ms)
{
    io_event_t events[4];
    uint32_t count = io_wait(probe->io, events, 4, timeout_ms, NULL);
    for (uint32_t i = 0; i < count; i++) {
        probe_op_t *op = (probe_op_t *)(void *)io_event_op(&events[i]);
        op->in_flight = false;
        op->status = io_event_status(&events[i]);
        op->bytes = io_event_bytes(&events[i]);
    }
}

static bool probe__await(probe_t *probe, const probe_op_t *op)
{
    while (op->in_flight) {
        uint32_t left_ms = iocp_ms_left(probe->io, probe->deadline_ns);
        if (left_ms == 0) {
            return false;
        }
        probe__dequeue(probe, left_ms);
    }
    return op->status == NT_SUCCESS_CODE;
}

static bool probe__is_idle(const probe_t *probe)
{
    return !probe->accept.in_flight && !probe->recv.in_flight && !probe->send.in_flight;
}

static bool probe__select(probe_t *probe, bool writable)
{
    fd_set set;
    struct timeval left;
    uint32_t left_ms = iocp_ms_left(probe->io, probe->deadline_ns);
    FD_ZERO(&set);
    FD_SET(probe->client, &set);
    left.tv_sec = (long)(left_ms / 1000u);
    left.tv_usec = (long)(left_ms % 1000u * 1000u);
    return select(0, writable ? NULL : &set, writable ? &set : NULL, NULL, &left) == 1;
}

static bool probe__connect(probe_t *probe)
{
    struct sockaddr_in name;
    u_long nonblocking = 1;
    probe->client = iocp_socket(AF_INET);
    if (probe->client == INVALID_SOCKET ||
        ioctlsocket(probe->client, (long)FIONBIO, &nonblocking) != 0) {
        return false;
    }
    memset(&name, 0, sizeof name);
    name.sin_family = AF_INET;
    name.sin_port = htons(probe->address.port);
    name.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (connect(probe->client, (const SOCKADDR *)&name, sizeof name) == 0) {
        return true;
    }
    return WSAGetLastError() == WSAEWOULDBLOCK && probe__select(probe, true);
}

/* One client is served on probe->server, whatever that socket did before: its connection
 * is accepted, and a message goes each way. The receive is posted before there is anything to
 * read, because that is where a recycled socket may be deaf; the send comes first, because a
 * dead one refuses it at once, and the time-out is not used up. */
static bool probe__serve(probe_t *probe, const char *message)
{
    static const io_sock_options_t options = {true, false, 0, 0, 0, 0};
    io_addr_t peer;
    io_addr_t local;
    io_addr_t client;
    char got[PROBE_MESSAGE_SIZE];
    uint32_t size = PROBE_MESSAGE_SIZE;
    memset(probe->send_buf, 0, sizeof probe->send_buf);
    memset(probe->recv_buf, 0, sizeof probe->recv_buf);
    memcpy(probe->send_buf, message, strlen(message));
    if (!probe__submitted(&probe->accept, io_accept(probe->io, &probe->accept.op, probe->listener,
                                                    &probe->server, &probe->accept_buf)) ||
        !probe__connect(probe) || !probe__await(probe, &probe->accept) ||
        io_accept_finish(probe->io, probe->listener, probe->server, &probe->accept_buf, &options,
                         &peer, &local) != 0 ||
        io_sock_name(probe->io, probe->client, &client) != 0 || client.port != peer.port) {
        return false;
    }
    if (!probe__submitted(&probe->recv, io_recv(probe->io, &probe->recv.op, probe->server,
                                                probe->recv_buf, size)) ||
        !probe__send(probe) || !probe__await(probe, &probe->send) || probe->send.bytes != size ||
        !probe__select(probe, false) ||
        recv(probe->client, got, (int)sizeof got, 0) != (int)sizeof got ||
        memcmp(got, probe->send_buf, sizeof got) != 0) {
        return false;
    }
    return send(probe->client, got, (int)sizeof got, 0) == (int)sizeof got &&
           probe__await(probe, &probe->recv) && probe->recv.bytes == size &&
           memcmp(probe->recv_buf, got, sizeof got) == 0;
}

/* The client closes first, as most do: its FIN is read, and the socket has no TIME_WAIT. */
static bool probe__hang_up(probe_t *probe)
{
    if (!probe__submitted(&probe->recv, io_recv(probe->io, &probe->recv.op, probe->server,
                                                probe->recv_buf, PROBE_MESSAGE_SIZE))) {
        return false;
    }
    (void)closesocket(probe->client);
    probe->client = INVALID_SOCKET;
    return probe__await(probe, &probe->recv) && probe->recv.bytes == 0;
}

/* A provider whose sockets are no real handles may lose completions when they are reused. */
static bool probe__has_real_handles(const probe_t *probe)
{
    WSAPROTOCOL_INFOW info;
    int length = (int)sizeof info;
    return getsockopt(probe->server, SOL_SOCKET, SO_PROTOCOL_INFOW, (char *)&info, &length) == 0 &&
           (info.dwServiceFlags1 & XP1_IFS_HANDLES) != 0;
}

static bool probe__run(probe_t *probe)
{
    static const io_addr_t loopback = {4, 0, {127, 0, 0, 1}, 0, 0};
    static const io_listen_options_t options = {1, false, {true, false, 0, 0, 0, 0}};
    SOCKET first;
    if (io_listen(probe->io, &loopback, &options, &probe->listener) != 0 ||
        io_sock_name(probe->io, probe->listener, &probe->address) != 0 ||
        !probe__serve(probe, "first client") || !probe__has_real_handles(probe) ||
        !probe__hang_up(probe)) {
        return false;
    }
    first = probe->server;
    return probe__submitted(&probe->accept,
                            io_disconnect(probe->io, &probe->accept.op, &probe->server)) &&
           probe__await(probe, &probe->accept) && probe->server == first &&
           probe__serve(probe, "second client") && probe->server == first && probe__hang_up(probe);
}

static void probe__cancel_all(probe_t *probe)
{
    /* `accept` may be either: the one that it is not finds nothing to cancel. */
    if (probe->accept.in_flight) {
        io_cancel(probe->io, probe->listener, &probe->accept.op);
        io_cancel(probe->io, probe->server, &probe->accept.op);
    }
    if (probe->recv.in_flight) {
        io_cancel(probe->io, probe->server, &probe->recv.op);
    }
    if (probe->send.in_flight) {
        io_cancel(probe->io, probe->server, &probe->send.op);
    }
}

static void probe__drain(probe_t *probe)
{
    uint64_t until_ns = io_now_ns(probe->io) + (uint64_t)PROBE_CANCEL_MS * 1000000u;
    uint32_t left_ms = PROBE_CANCEL_MS;
    while (!probe__is_idle(probe) && left_ms > 0) {
        probe__dequeue(probe, left_ms);
        left_ms = iocp_ms_left(probe->io, until_ns);
    }
}

static void probe__close_all(probe_t *probe)
{
    if (probe->client != INVALID_SOCKET) {
        (void)closesocket(probe->client);
    }
    if (probe->server != IO_SOCK_NONE) {
        io_sock_close(probe->io, &probe->server, true);
    }
    if (probe->listener != IO_SOCK_NONE) {
        io_sock_close(probe->io, &probe->listener, false);
    }
}

bool io_probe_recycling(uint32_t timeout_ms)
{
    static const io_options_t one = {1};
    /* On the heap, because the kernel may keep it: see the end. */
    probe_t *probe = calloc(1, sizeof *probe);
    if (probe == NULL) {
        return false;
    }
    if (io_open(&probe->io, &one) != 0) {
        free(probe);
        return false;
    }
    probe->listener = IO_SOCK_NONE;
    probe->server = IO_SOCK_NONE;
    probe->client = INVALID_SOCKET;
    probe->deadline_ns = io_now_ns(probe->io) + (uint64_t)timeout_ms * 1000000u;
    bool proven = probe__run(probe);
    if (!probe__is_idle(probe)) {
        probe__cancel_all(probe);
        probe__drain(probe);
    }
    probe__close_all(probe);
    if (!probe__is_idle(probe)) {
        /* Closing ends what a cancel could not. */
        probe__drain(probe);
    }
    if (!probe__is_idle(probe)) {
        /* A packet that never comes leaves its operation to the kernel, which may write there
         * at any time. So this block and its port leak, on purpose: once for a process, for
         * the engine does not recycle after this answer. */
        return false;
    }
    io_close(probe->io);
    free(probe);
    return proven;
}
