/* test_unacked.c: what the peer's TCP has not acknowledged, where the stack tells; and our FIN. */
#include <stdlib.h>
#include <string.h>

#include "rig.h"

#define BULK 8000000u

/* Sends until the stack takes no more; how much it took. */
static uint32_t block(rig_t *rig, conn_t *conn, const uint8_t *data)
{
    uint32_t sent = 0;
    while (sent < BULK) {
        REQUIRE(rig->t, rig_send(rig, &conn->send, conn->sock, data + sent, BULK - sent) == 0);
        if (rig_pump(rig, QUIET_MS) == 0) {
            break;
        }
        REQUIRE(rig->t, call_good(&conn->send));
        sent += conn->send.bytes;
    }
    REQUIRE(rig->t, conn->send.outstanding);
    return sent;
}

static void unacked_falls_to_nothing(test_t *t)
{
    rig_t rig;
    conn_t conn;
    uint64_t bytes = 0;
    char buf[4];
    int error = 0;
    rig_open(&rig, t);
    rig_connect(&rig, &conn);
    rig_send_all(&rig, &conn, "four", 4);
    REQUIRE(t, peer_recv_all(conn.peer, buf, 4));
    REQUIRE(t, peer_send(conn.peer, "four", 4)); /* which carries the acknowledgement */
    rig_recv_all(&rig, &conn, buf, 4);
    bool tells = io_unacked(rig.io, conn.sock, 4, &bytes);
    REQUIRE(t, !tells || bytes == 0);
    t->remark = tells ? NULL : "nothing tells here";
    /* A FIN is no byte, acknowledged or not. */
    REQUIRE(t, io_shutdown(rig.io, conn.sock, &error) == 0);
    REQUIRE(t, io_unacked(rig.io, conn.sock, 4, &bytes) == tells);
    REQUIRE(t, !tells || bytes == 0);
    rig_part(&rig, &conn);
    rig_close(&rig);
}

static void unacked_is_what_a_deaf_peer_lacks(test_t *t)
{
    rig_t rig;
    conn_t conn;
    uint64_t before = 0;
    uint64_t after = 0;
    rig_open(&rig, t);
    rig_connect_narrow(&rig, &conn);
    uint8_t *data = malloc(BULK);
    REQUIRE(t, data != NULL);
    memset(data, 'x', BULK);
    uint32_t taken = block(&rig, &conn, data);
    bool tells = io_unacked(rig.io, conn.sock, taken, &before);
    REQUIRE(t, !tells || (before > 0 && before <= taken));
    /* What it takes is acknowledged. */
    uint64_t end_ms = peer_now_ms() + DEADLINE_MS;
    after = before;
    while (tells && after == before) {
        REQUIRE(t, peer_now_ms() < end_ms);
        REQUIRE(t, peer_recv(conn.peer, data, 65536) > 0);
        REQUIRE(t, io_unacked(rig.io, conn.sock, taken, &after));
    }
    REQUIRE(t, !tells || after < before);
    t->remark = tells ? NULL : "nothing tells here";
    peer_reset(&conn.peer);
    rig_await(&rig, &conn.send);
    rig_part(&rig, &conn);
    rig_close(&rig);
    free(data);
}

/* A reset that only our FIN finds has its error, and the receive that follows fails as well. */
static void a_fin_after_a_reset_tells_why(test_t *t)
{
    rig_t rig;
    conn_t conn;
    char buf[4];
    int error = 0;
    rig_open(&rig, t);
    rig_connect(&rig, &conn);
    peer_reset(&conn.peer);
    int status = io_shutdown(rig.io, conn.sock, &error); /* which Windows may take */
    REQUIRE(t, status == 0 || (status < 0 && error != 0));
    if (rig_recv(&rig, &conn.recv, conn.sock, buf, sizeof buf) == 0) {
        rig_await(&rig, &conn.recv);
        REQUIRE(t, status == 0 || call_was_reset(&conn.recv));
    }
    rig_part(&rig, &conn);
    rig_close(&rig);
}

const test_entry_t tests_unacked[] = {
    {"unacked_falls_to_nothing", unacked_falls_to_nothing},
    {"unacked_is_what_a_deaf_peer_lacks", unacked_is_what_a_deaf_peer_lacks},
    {"a_fin_after_a_reset_tells_why", a_fin_after_a_reset_tells_why},
    {NULL, NULL},
};
