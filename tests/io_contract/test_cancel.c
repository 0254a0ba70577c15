/* test_cancel.c: cancelling: advisory, and one completion in any case. */
#include <stdlib.h>
#include <string.h>

#include "rig.h"

static void cancel_an_accept(test_t *t)
{
    rig_t rig;
    rig_open(&rig, t);
    accept_t first;
    accept_t second;
    memset(&first, 0, sizeof first);
    memset(&second, 0, sizeof second);
    first.sock = IO_SOCK_NONE;
    second.sock = IO_SOCK_NONE;
    REQUIRE(t, rig_accept(&rig, &first) == 0);
    REQUIRE(t, rig_accept(&rig, &second) == 0);
    io_cancel(rig.io, rig.listener, &first.call.op);
    rig_await(&rig, &first.call);
    REQUIRE(t, first.call.status == NT_CANCELLED);
    io_sock_close(rig.io, &first.sock, false); /* there may be one */
    REQUIRE(t, second.call.outstanding);
    peer_t peer = peer_connect(&rig.addr);
    REQUIRE(t, peer != PEER_NONE);
    rig_await(&rig, &second.call);
    rig_finish(&rig, &second);
    io_sock_close(rig.io, &second.sock, false);
    peer_close(&peer);
    rig_close(&rig);
}

/* The connection is there already: cancelled or not, it is not lost. */
static void cancel_an_accept_too_late(test_t *t)
{
    rig_t rig;
    rig_open(&rig, t);
    peer_t peer = peer_connect(&rig.addr);
    REQUIRE(t, peer != PEER_NONE);
    rig_quiet(&rig);
    accept_t accept;
    memset(&accept, 0, sizeof accept);
    accept.sock = IO_SOCK_NONE;
    REQUIRE(t, rig_accept(&rig, &accept) == 0);
    io_cancel(rig.io, rig.listener, &accept.call.op);
    rig_await(&rig, &accept.call);
    if (!call_good(&accept.call)) {
        io_sock_close(rig.io, &accept.sock, false);
        REQUIRE(t, rig_accept(&rig, &accept) == 0);
        rig_await(&rig, &accept.call);
    }
    rig_finish(&rig, &accept);
    io_sock_close(rig.io, &accept.sock, false);
    peer_close(&peer);
    rig_close(&rig);
}

static void cancel_a_receive(test_t *t)
{
    rig_t rig;
    conn_t conn;
    rig_open(&rig, t);
    rig_connect(&rig, &conn);
    char buf[16];
    for (int i = 0; i < 3; i++) {
        uint32_t len = i == 1 ? 0 : sizeof buf;
        REQUIRE(t, rig_recv(&rig, &conn.recv, conn.sock, len == 0 ? NULL : buf, len) == 0);
        io_cancel(rig.io, conn.sock, &conn.recv.op);
        rig_await(&rig, &conn.recv);
        REQUIRE(t, conn.recv.status == NT_CANCELLED && conn.recv.bytes == 0);
    }
    REQUIRE(t, peer_send(conn.peer, "hello", 5)); /* the socket is none the worse */
    rig_recv_all(&rig, &conn, buf, 5);
    REQUIRE(t, memcmp(buf, "hello", 5) == 0);
    rig_part(&rig, &conn);
    rig_close(&rig);
}

/* Data is there: it comes with the cancelled receive or with the next one. */
static void cancel_a_receive_too_late(test_t *t)
{
    rig_t rig;
    conn_t conn;
    rig_open(&rig, t);
    rig_connect(&rig, &conn);
    char buf[16];
    REQUIRE(t, peer_send(conn.peer, "hello", 5));
    rig_quiet(&rig);
    REQUIRE(t, rig_recv(&rig, &conn.recv, conn.sock, buf, 5) == 0);
    io_cancel(rig.io, conn.sock, &conn.recv.op);
    rig_await(&rig, &conn.recv);
    if (!call_good(&conn.recv)) {
        REQUIRE(t, conn.recv.bytes == 0);
        rig_recv_all(&rig, &conn, buf, 5);
    }
    REQUIRE(t, memcmp(buf, "hello", 5) == 0);
    rig_part(&rig, &conn);
    rig_close(&rig);
}

static void cancel_after_the_completion(test_t *t)
{
    rig_t rig;
    conn_t conn;
    rig_open(&rig, t);
    rig_connect(&rig, &conn);
    REQUIRE(t, rig_send(&rig, &conn.send, conn.sock, "hello", 5) == 0);
    char got[5];
    REQUIRE(t, peer_recv_all(conn.peer, got, 5)); /* so it is done, if not dequeued */
    io_cancel(rig.io, conn.sock, &conn.send.op);
    rig_await(&rig, &conn.send);
    REQUIRE(t, call_good(&conn.send) && conn.send.bytes == 5);
    rig_part(&rig, &conn);
    rig_close(&rig);
}

/* A connection whose send is outstanding, as its peer does not read. Returns what it sends, to be
 * freed when that is over. */
static void *connect_blocked(rig_t *rig, conn_t *conn)
{
    rig_connect_narrow(rig, conn);
    uint32_t len = 8000000;
    void *data = calloc(1, len);
    REQUIRE(rig->t, data != NULL);
    do {
        REQUIRE(rig->t, rig_send(rig, &conn->send, conn->sock, data, len) == 0);
        (void)rig_pump(rig, QUIET_MS);
    } while (!conn->send.outstanding);
    return data;
}

static void cancel_a_blocked_send(test_t *t)
{
    rig_t rig;
    conn_t conn;
    rig_open(&rig, t);
    void *data = connect_blocked(&rig, &conn);
    io_cancel(rig.io, conn.sock, &conn.send.op);
    rig_await(&rig, &conn.send);
    REQUIRE(t, conn.send.status == NT_CANCELLED);
    io_sock_close(rig.io, &conn.sock, true);
    peer_close(&conn.peer);
    rig_close(&rig);
    free(data);
}

/* Both at once: each op is cancelled alone. */
static void cancel_one_of_two(test_t *t)
{
    rig_t rig;
    conn_t conn;
    rig_open(&rig, t);
    void *data = connect_blocked(&rig, &conn);
    char buf[16];
    REQUIRE(t, rig_recv(&rig, &conn.recv, conn.sock, buf, sizeof buf) == 0);
    io_cancel(rig.io, conn.sock, &conn.send.op);
    rig_await(&rig, &conn.send);
    REQUIRE(t, conn.recv.outstanding);
    REQUIRE(t, peer_send(conn.peer, "hello", 5));
    rig_await(&rig, &conn.recv);
    REQUIRE(t, call_good(&conn.recv) && conn.recv.bytes >= 1);
    io_sock_close(rig.io, &conn.sock, true);
    peer_close(&conn.peer);
    rig_close(&rig);
    free(data);
}

/* Ends CALL, on what was *SOCK before it was severed: by that, or where it is still open, by what
 * always ends an operation there. */
static void await_severed(rig_t *rig, call_t *call, io_sock_t sock)
{
    if (sock != IO_SOCK_NONE) {
        io_cancel(rig->io, sock, &call->op);
    }
    rig_await(rig, call);
    REQUIRE(rig->t, !call_good(call));
}

static void sever_a_connection(test_t *t)
{
    rig_t rig;
    conn_t conn;
    rig_open(&rig, t);
    void *data = connect_blocked(&rig, &conn);
    char buf[16];
    REQUIRE(t, rig_recv(&rig, &conn.recv, conn.sock, buf, sizeof buf) == 0);
    io_sock_sever(rig.io, &conn.sock, true);
    await_severed(&rig, &conn.send, conn.sock);
    await_severed(&rig, &conn.recv, conn.sock);
    io_sock_close(rig.io, &conn.sock, true);
    peer_close(&conn.peer);
    rig_close(&rig);
    free(data);
}

static void sever_a_listener(test_t *t)
{
    rig_t rig;
    rig_open(&rig, t);
    accept_t accepts[2];
    memset(accepts, 0, sizeof accepts);
    for (int i = 0; i < 2; i++) {
        accepts[i].sock = IO_SOCK_NONE;
        REQUIRE(t, rig_accept(&rig, &accepts[i]) == 0);
    }
    io_sock_sever(rig.io, &rig.listener, false);
    for (int i = 0; i < 2; i++) {
        await_severed(&rig, &accepts[i].call, rig.listener);
        io_sock_close(rig.io, &accepts[i].sock, false);
    }
    rig_close(&rig);
}

const test_entry_t tests_cancel[] = {
    {"cancel_an_accept", cancel_an_accept},
    {"cancel_an_accept_too_late", cancel_an_accept_too_late},
    {"cancel_a_receive", cancel_a_receive},
    {"cancel_a_receive_too_late", cancel_a_receive_too_late},
    {"cancel_after_the_completion", cancel_after_the_completion},
    {"cancel_a_blocked_send", cancel_a_blocked_send},
    {"cancel_one_of_two", cancel_one_of_two},
    {"sever_a_connection", sever_a_connection},
    {"sever_a_listener", sever_a_listener},
    {NULL, NULL},
};
