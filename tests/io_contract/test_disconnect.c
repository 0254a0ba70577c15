/* test_disconnect.c: ends of connections: half-close, close, RST, and disconnecting for reuse. */
#include <stdlib.h>
#include <string.h>

#include "rig.h"

static void shutdown_sends_fin_and_reading_goes_on(test_t *t)
{
    rig_t rig;
    conn_t conn;
    rig_open(&rig, t);
    rig_connect(&rig, &conn);
    rig_send_all(&rig, &conn, "bye", 3);
    int error = 0;
    REQUIRE(t, io_shutdown(rig.io, conn.sock, &error) == 0);
    char buf[16];
    REQUIRE(t, peer_recv_all(conn.peer, buf, 3) && memcmp(buf, "bye", 3) == 0);
    REQUIRE(t, peer_recv(conn.peer, buf, sizeof buf) == 0);
    for (int i = 0; i < 3; i++) {
        REQUIRE(t, peer_send(conn.peer, "hello", 5));
        rig_recv_all(&rig, &conn, buf, 5);
        REQUIRE(t, memcmp(buf, "hello", 5) == 0);
    }
    peer_shutdown(conn.peer);
    REQUIRE(t, rig_recv(&rig, &conn.recv, conn.sock, buf, sizeof buf) == 0);
    rig_await(&rig, &conn.recv);
    REQUIRE(t, call_good(&conn.recv) && conn.recv.bytes == 0);
    rig_part(&rig, &conn);
    rig_close(&rig);
}

static void shutdown_while_a_receive_waits(test_t *t)
{
    rig_t rig;
    conn_t conn;
    rig_open(&rig, t);
    rig_connect(&rig, &conn);
    char buf[16];
    REQUIRE(t, rig_recv(&rig, &conn.recv, conn.sock, buf, sizeof buf) == 0);
    int error = 0;
    REQUIRE(t, io_shutdown(rig.io, conn.sock, &error) == 0);
    rig_quiet(&rig);
    REQUIRE(t, peer_send(conn.peer, "hello", 5));
    rig_await(&rig, &conn.recv);
    REQUIRE(t, call_good(&conn.recv) && conn.recv.bytes == 5);
    rig_part(&rig, &conn);
    rig_close(&rig);
}

static void after_the_fin_we_still_send(test_t *t)
{
    rig_t rig;
    conn_t conn;
    rig_open(&rig, t);
    rig_connect(&rig, &conn);
    char buf[16];
    peer_shutdown(conn.peer);
    REQUIRE(t, rig_recv(&rig, &conn.recv, conn.sock, buf, sizeof buf) == 0);
    rig_await(&rig, &conn.recv);
    REQUIRE(t, call_good(&conn.recv) && conn.recv.bytes == 0);
    rig_send_all(&rig, &conn, "answer", 6);
    REQUIRE(t, peer_recv_all(conn.peer, buf, 6) && memcmp(buf, "answer", 6) == 0);
    rig_part(&rig, &conn);
    rig_close(&rig);
}

static void close_sends_fin(test_t *t)
{
    rig_t rig;
    conn_t conn;
    rig_open(&rig, t);
    rig_connect(&rig, &conn);
    rig_send_all(&rig, &conn, "bye", 3);
    io_sock_close(rig.io, &conn.sock, false);
    REQUIRE(t, conn.sock == IO_SOCK_NONE);
    char buf[16];
    REQUIRE(t, peer_recv_all(conn.peer, buf, 3));
    REQUIRE(t, peer_recv(conn.peer, buf, sizeof buf) == 0);
    io_sock_close(rig.io, &conn.sock, false); /* of none: nothing */
    rig_part(&rig, &conn);
    rig_close(&rig);
}

static void close_with_reset_sends_rst(test_t *t)
{
    rig_t rig;
    conn_t conn;
    rig_open(&rig, t);
    rig_connect(&rig, &conn);
    io_sock_close(rig.io, &conn.sock, true);
    char buf[16];
    long got = peer_recv(conn.peer, buf, sizeof buf);
    if (got == 0 && peer_on_wine()) {
        t->remark = "Wine shuts a socket down before it closes it";
    } else {
        REQUIRE(t, got == PEER_RESET);
    }
    rig_part(&rig, &conn);
    rig_close(&rig);
}

/* Disconnects; whatever is left is closed. */
static void disconnect(rig_t *rig, conn_t *conn)
{
    REQUIRE(rig->t, rig_disconnect(rig, &conn->disconnect, &conn->sock) == 0);
    rig_await(rig, &conn->disconnect);
    REQUIRE(rig->t, call_good(&conn->disconnect));
}

static void disconnect_after_the_clients_fin(test_t *t)
{
    rig_t rig;
    conn_t conn;
    rig_open(&rig, t);
    rig_connect(&rig, &conn);
    char buf[16];
    peer_shutdown(conn.peer);
    REQUIRE(t, rig_recv(&rig, &conn.recv, conn.sock, buf, sizeof buf) == 0);
    rig_await(&rig, &conn.recv);
    REQUIRE(t, call_good(&conn.recv) && conn.recv.bytes == 0);
    disconnect(&rig, &conn);
    REQUIRE(t, peer_recv(conn.peer, buf, sizeof buf) == 0);
    rig_part(&rig, &conn);
    rig_close(&rig);
}

static void disconnect_before_the_client(test_t *t)
{
    rig_t rig;
    conn_t conn;
    rig_open(&rig, t);
    rig_connect(&rig, &conn);
    rig_send_all(&rig, &conn, "bye", 3);
    /* On Windows it may take as long as TIME_WAIT: only what the client sees is required. */
    REQUIRE(t, rig_disconnect(&rig, &conn.disconnect, &conn.sock) == 0);
    char buf[16];
    REQUIRE(t, peer_recv_all(conn.peer, buf, 3));
    REQUIRE(t, peer_recv(conn.peer, buf, sizeof buf) == 0);
    peer_close(&conn.peer);
    io_cancel(rig.io, conn.sock, &conn.disconnect.op);
    rig_await(&rig, &conn.disconnect);
    rig_part(&rig, &conn);
    rig_close(&rig);
}

/* What takes time to close is closed in the background. */
static void close_of_a_socket_that_lingers(test_t *t)
{
    rig_t rig;
    conn_t conn;
    rig_open(&rig, t);
    rig_connect(&rig, &conn);
    REQUIRE(t, handle_set_linger(io_sock_handle(rig.io, conn.sock), 1));
    char buf[16];
    rig_send_all(&rig, &conn, "bye", 3);
    io_sock_close(rig.io, &conn.sock, false);
    REQUIRE(t, conn.sock == IO_SOCK_NONE);
    REQUIRE(t, peer_recv_all(conn.peer, buf, 3));
    REQUIRE(t, peer_recv(conn.peer, buf, sizeof buf) == 0);
    rig_part(&rig, &conn);
    rig_close(&rig);
}

/* Its client reads nothing: a send at once does not block on it, however often it was reused. */
static void overfill(rig_t *rig, conn_t *conn)
{
    const uint32_t len = 8000000;
    char *data = calloc(len, 1);
    REQUIRE(rig->t, data != NULL);
    uint64_t end_ms = peer_now_ms() + DEADLINE_MS / 2;
    bool taken = true;
    while (taken) {
        io_buf_t buf = io_buf(data, len);
        uint32_t sent = 0;
        int status = rig_send_now(rig, &conn->send, conn->sock, &buf, 1, &sent);
        REQUIRE(rig->t, status >= 0 && peer_now_ms() < end_ms);
        taken = status == IO_DONE || rig_pump(rig, QUIET_MS) == 1;
        REQUIRE(rig->t, status == IO_DONE || !taken || call_good(&conn->send));
    }
    peer_reset(&conn->peer);
    rig_await(rig, &conn->send);
    free(data);
}

/* Client after client on one io_sock_t, where the platform can. */
static void disconnect_for_reuse(test_t *t)
{
    if (!io_probe_recycling(2000)) {
        t->remark = "recycling not verified here";
        return;
    }
    rig_t rig;
    rig_open(&rig, t);
    accept_t accept;
    conn_t conn;
    memset(&accept, 0, sizeof accept);
    memset(&conn, 0, sizeof conn);
    conn.sock = IO_SOCK_NONE;
    for (uint32_t generation = 0; generation < 5; generation++) {
        char byte = (char)('a' + generation);
        char got = 0;
        accept.sock = conn.sock;
        REQUIRE(t, (generation == 0) == (accept.sock == IO_SOCK_NONE));
        REQUIRE(t, rig_accept(&rig, &accept) == 0);
        conn.peer = peer_connect(&rig.addr);
        REQUIRE(t, conn.peer != PEER_NONE && peer_send(conn.peer, &byte, 1));
        rig_await(&rig, &accept.call);
        rig.options.accepted.keepalive = generation % 2 == 1;
        rig_finish(&rig, &accept);
        io_addr_t name;
        REQUIRE(t, peer_name(conn.peer, &name) && name.port == accept.peer.port);
        conn.sock = accept.sock;
        uintptr_t handle = io_sock_handle(rig.io, conn.sock);
        REQUIRE(t, handle_nodelay(handle) == 1); /* anew each time */
        REQUIRE(t, handle_keepalive(handle) == (generation % 2 == 1));
        rig_recv_all(&rig, &conn, &got, 1);
        REQUIRE(t, got == byte);
        rig_send_all(&rig, &conn, &byte, 1);
        REQUIRE(t, peer_recv_all(conn.peer, &got, 1) && got == byte);
        peer_shutdown(conn.peer);
        REQUIRE(t, rig_recv(&rig, &conn.recv, conn.sock, &got, 1) == 0);
        rig_await(&rig, &conn.recv);
        REQUIRE(t, call_good(&conn.recv) && conn.recv.bytes == 0);
        disconnect(&rig, &conn);
        peer_close(&conn.peer);
    }
    accept.sock = conn.sock;
    REQUIRE(t, rig_accept(&rig, &accept) == 0);
    conn.peer = peer_connect_narrow(&rig.addr);
    REQUIRE(t, conn.peer != PEER_NONE);
    rig_await(&rig, &accept.call);
    rig_finish(&rig, &accept);
    conn.sock = accept.sock;
    overfill(&rig, &conn);
    io_sock_close(rig.io, &conn.sock, false);
    rig_close(&rig);
}

const test_entry_t tests_disconnect[] = {
    {"shutdown_sends_fin_and_reading_goes_on", shutdown_sends_fin_and_reading_goes_on},
    {"shutdown_while_a_receive_waits", shutdown_while_a_receive_waits},
    {"after_the_fin_we_still_send", after_the_fin_we_still_send},
    {"close_sends_fin", close_sends_fin},
    {"close_with_reset_sends_rst", close_with_reset_sends_rst},
    {"close_of_a_socket_that_lingers", close_of_a_socket_that_lingers},
    {"disconnect_after_the_clients_fin", disconnect_after_the_clients_fin},
    {"disconnect_before_the_client", disconnect_before_the_client},
    {"disconnect_for_reuse", disconnect_for_reuse},
    {NULL, NULL},
};
