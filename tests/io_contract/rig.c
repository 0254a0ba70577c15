/* rig.c: a port with a listener is opened and closed, and every call on it is accounted for. */
#include "rig.h"

#include <string.h>

static const io_addr_t loopback = {.version = 4, .ip = {127, 0, 0, 1}};

static void rig_make(rig_t *rig, test_t *t, const io_addr_t *addr, bool dual_stack,
                     uint32_t concurrency)
{
    memset(rig, 0, sizeof *rig);
    rig->t = t;
    rig->options.dual_stack = dual_stack;
    rig->options.accepted.nodelay = true;
    rig->listener = IO_SOCK_NONE;
    io_options_t options = {.concurrency = concurrency};
    REQUIRE(t, io_open(&rig->io, &options) == 0);
    REQUIRE(t, io_listen(rig->io, addr, &rig->options, &rig->listener) == 0);
    REQUIRE(t, io_sock_name(rig->io, rig->listener, &rig->addr) == 0);
    REQUIRE(t, rig->addr.version == addr->version && rig->addr.port != 0);
}

void rig_open(rig_t *rig, test_t *t)
{
    rig_make(rig, t, &loopback, false, 1);
}

void rig_open_for(rig_t *rig, test_t *t, uint32_t concurrency)
{
    rig_make(rig, t, &loopback, false, concurrency);
}

void rig_open_at(rig_t *rig, test_t *t, const io_addr_t *addr, bool dual_stack)
{
    rig_make(rig, t, addr, dual_stack, 1);
}

void rig_close(rig_t *rig)
{
    REQUIRE(rig->t, rig->submitted == rig->completed);
    rig_quiet(rig);
    io_sock_close(rig->io, &rig->listener, false);
    REQUIRE(rig->t, rig->listener == IO_SOCK_NONE);
    io_close(rig->io);
}

static void call_begin(rig_t *rig, call_t *call)
{
    REQUIRE(rig->t, !call->outstanding);
    call->outstanding = true;
    call->status = NT_PENDING;
    call->op.error = 0;
    rig->submitted++;
}

/* Passes RESULT on. */
static int call_begun(rig_t *rig, call_t *call, int result)
{
    REQUIRE(rig->t, result <= 0);
    if (result < 0) {
        REQUIRE(rig->t, call->op.error != 0);
        call->outstanding = false;
        call->status = (uint32_t)result;
        call->error = call->op.error;
        rig->submitted--;
    }
    return result;
}

int rig_accept(rig_t *rig, accept_t *accept)
{
    call_begin(rig, &accept->call);
    return call_begun(
        rig, &accept->call,
        io_accept(rig->io, &accept->call.op, rig->listener, &accept->sock, &accept->buf));
}

int rig_recv(rig_t *rig, call_t *call, io_sock_t sock, void *buf, uint32_t len)
{
    call_begin(rig, call);
    return call_begun(rig, call, io_recv(rig->io, &call->op, sock, buf, len));
}

#if IO_RECV_BORROWS
int rig_recv_borrow(rig_t *rig, call_t *call, io_sock_t sock, io_lender_t *lender)
{
    call_begin(rig, call);
    return call_begun(rig, call, io_recv_borrow(rig->io, &call->op, sock, lender));
}
#endif

int rig_send_bufs(rig_t *rig, call_t *call, io_sock_t sock, const io_buf_t *bufs, uint32_t count)
{
    call_begin(rig, call);
    return call_begun(rig, call, io_send(rig->io, &call->op, sock, bufs, count, NULL));
}

int rig_send_now(rig_t *rig, call_t *call, io_sock_t sock, const io_buf_t *bufs, uint32_t count,
                 uint32_t *sent)
{
    call_begin(rig, call);
    int status = io_send(rig->io, &call->op, sock, bufs, count, sent);
    if (status == IO_DONE) {
        call->outstanding = false;
        rig->submitted--;
        return status;
    }
    return call_begun(rig, call, status);
}

int rig_send(rig_t *rig, call_t *call, io_sock_t sock, const void *data, uint32_t len)
{
    io_buf_t buf = io_buf(data, len);
    return rig_send_bufs(rig, call, sock, &buf, 1);
}

int rig_disconnect(rig_t *rig, call_t *call, io_sock_t *inout)
{
    call_begin(rig, call);
    return call_begun(rig, call, io_disconnect(rig->io, &call->op, inout));
}

uint32_t rig_pump_up_to(rig_t *rig, uint32_t max, uint32_t timeout_ms)
{
    io_event_t events[RIG_EVENTS_MAX];
    uint32_t count = io_wait(rig->io, events, max, timeout_ms, rig);
    REQUIRE(rig->t, count <= max);
    for (uint32_t i = 0; i < count; i++) {
        call_t *call = (call_t *)(void *)io_event_op(&events[i]);
        REQUIRE(rig->t, call != NULL);
        REQUIRE(rig->t, call->outstanding); /* the second completion of one submit */
        call->outstanding = false;
        call->status = io_event_status(&events[i]);
        call->bytes = io_event_bytes(&events[i]);
        call->error = io_event_error(&events[i]);
        REQUIRE(rig->t, call->status != NT_PENDING);
        REQUIRE(rig->t, call_good(call) == (call->error == 0));
        call->place = rig->completed++;
    }
    return count;
}

uint32_t rig_pump(rig_t *rig, uint32_t timeout_ms)
{
    return rig_pump_up_to(rig, 8, timeout_ms);
}

void rig_await(rig_t *rig, const call_t *call)
{
    uint64_t end_ms = peer_now_ms() + DEADLINE_MS;
    while (call->outstanding) {
        uint64_t now_ms = peer_now_ms();
        REQUIRE(rig->t, now_ms < end_ms);
        (void)rig_pump(rig, (uint32_t)(end_ms - now_ms));
    }
}

void rig_quiet(rig_t *rig)
{
    REQUIRE(rig->t, rig_pump(rig, QUIET_MS) == 0);
}

void rig_finish(rig_t *rig, accept_t *accept)
{
    REQUIRE(rig->t, call_good(&accept->call));
    REQUIRE(rig->t, accept->sock != IO_SOCK_NONE);
    REQUIRE(rig->t, io_accept_finish(rig->io, rig->listener, accept->sock, &accept->buf,
                                     &rig->options.accepted, &accept->peer, &accept->local) == 0);
}

static void rig_connect_to(rig_t *rig, conn_t *conn, peer_t peer)
{
    REQUIRE(rig->t, peer != PEER_NONE);
    conn->peer = peer;
    rig_await(rig, &conn->accept.call);
    rig_finish(rig, &conn->accept);
    conn->sock = conn->accept.sock;
}

static void conn_accept(rig_t *rig, conn_t *conn)
{
    memset(conn, 0, sizeof *conn);
    conn->accept.sock = IO_SOCK_NONE;
    REQUIRE(rig->t, rig_accept(rig, &conn->accept) == 0);
}

void rig_connect(rig_t *rig, conn_t *conn)
{
    conn_accept(rig, conn);
    rig_connect_to(rig, conn, peer_connect(&rig->addr));
}

void rig_connect_narrow(rig_t *rig, conn_t *conn)
{
    conn_accept(rig, conn);
    rig_connect_to(rig, conn, peer_connect_narrow(&rig->addr));
}

void rig_part(rig_t *rig, conn_t *conn)
{
    peer_close(&conn->peer);
    io_sock_close(rig->io, &conn->sock, false);
    REQUIRE(rig->t, conn->sock == IO_SOCK_NONE);
}

uint32_t rig_recv_some(rig_t *rig, conn_t *conn, void *buf, uint32_t len)
{
    REQUIRE(rig->t, rig_recv(rig, &conn->recv, conn->sock, buf, len) == 0);
    rig_await(rig, &conn->recv);
    REQUIRE(rig->t, call_good(&conn->recv));
    REQUIRE(rig->t, conn->recv.bytes >= 1 && conn->recv.bytes <= len);
    return conn->recv.bytes;
}

void rig_recv_all(rig_t *rig, conn_t *conn, void *buf, uint32_t len)
{
    for (uint32_t got = 0; got < len;) {
        got += rig_recv_some(rig, conn, (char *)buf + got, len - got);
    }
}

void rig_send_all(rig_t *rig, conn_t *conn, const void *data, uint32_t len)
{
    for (uint32_t sent = 0; sent < len;) {
        REQUIRE(rig->t,
                rig_send(rig, &conn->send, conn->sock, (const char *)data + sent, len - sent) == 0);
        rig_await(rig, &conn->send);
        REQUIRE(rig->t, call_good(&conn->send) && conn->send.bytes <= len - sent);
        sent += conn->send.bytes;
    }
}

bool call_good(const call_t *call)
{
    return (int32_t)call->status >= 0;
}

bool call_was_reset(const call_t *call)
{
    return !call_good(call) && ntstatus_classify(call->status).how == NTSTATUS_HOW_RESET;
}

static uint8_t pattern_at(uint32_t seed, uint32_t offset)
{
    uint32_t mixed = (seed + 1) * 2654435761u ^ offset * 2246822519u;
    return (uint8_t)(mixed >> 24 ^ mixed >> 11);
}

void pattern_fill(void *data, uint32_t len, uint32_t seed, uint32_t offset)
{
    uint8_t *bytes = data;
    for (uint32_t i = 0; i < len; i++) {
        bytes[i] = pattern_at(seed, offset + i);
    }
}

bool pattern_holds(const void *data, uint32_t len, uint32_t seed, uint32_t offset)
{
    const uint8_t *bytes = data;
    for (uint32_t i = 0; i < len; i++) {
        if (bytes[i] != pattern_at(seed, offset + i)) {
            return false;
        }
    }
    return true;
}
