/* test_accept.c: accepts, and what an accepted socket carries. */
#include <string.h>

#include "rig.h"

#define MANY 20

static void accept_before_the_client(test_t *t)
{
    rig_t rig;
    rig_open(&rig, t);
    accept_t accept;
    memset(&accept, 0, sizeof accept);
    accept.sock = IO_SOCK_NONE;
    REQUIRE(t, rig_accept(&rig, &accept) == 0);
    rig_quiet(&rig);
    peer_t peer = peer_connect(&rig.addr);
    REQUIRE(t, peer != PEER_NONE);
    rig_await(&rig, &accept.call);
    rig_finish(&rig, &accept);
    io_sock_close(rig.io, &accept.sock, false);
    peer_close(&peer);
    rig_close(&rig);
}

static void accept_after_the_client(test_t *t)
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
    rig_await(&rig, &accept.call);
    rig_finish(&rig, &accept);
    io_sock_close(rig.io, &accept.sock, false);
    peer_close(&peer);
    rig_close(&rig);
}

/* Each accepted socket serves the client that its address names. */
static void match_and_close(rig_t *rig, accept_t *accepts, peer_t *peers, uint32_t count)
{
    bool met[MANY] = {false};
    for (uint32_t i = 0; i < count; i++) {
        char byte = (char)('a' + i);
        REQUIRE(rig->t, peer_send(peers[i], &byte, 1));
    }
    for (uint32_t i = 0; i < count; i++) {
        char byte = 0;
        conn_t conn;
        memset(&conn, 0, sizeof conn);
        conn.sock = accepts[i].sock;
        REQUIRE(rig->t, rig_recv_some(rig, &conn, &byte, 1) == 1);
        uint32_t client = (uint32_t)(byte - 'a');
        REQUIRE(rig->t, client < count && !met[client]);
        met[client] = true;
        io_addr_t name;
        REQUIRE(rig->t, peer_name(peers[client], &name) && name.port == accepts[i].peer.port);
        io_sock_close(rig->io, &accepts[i].sock, false);
    }
    for (uint32_t i = 0; i < count; i++) {
        peer_close(&peers[i]);
    }
}

static void accept_many_outstanding(test_t *t)
{
    rig_t rig;
    rig_open(&rig, t);
    accept_t accepts[MANY];
    peer_t peers[MANY];
    memset(accepts, 0, sizeof accepts);
    for (int i = 0; i < MANY; i++) {
        accepts[i].sock = IO_SOCK_NONE;
        REQUIRE(t, rig_accept(&rig, &accepts[i]) == 0);
    }
    for (int i = 0; i < MANY; i++) {
        peers[i] = peer_connect(&rig.addr);
        REQUIRE(t, peers[i] != PEER_NONE);
    }
    for (int i = 0; i < MANY; i++) {
        rig_await(&rig, &accepts[i].call);
        rig_finish(&rig, &accepts[i]);
    }
    match_and_close(&rig, accepts, peers, MANY);
    rig_close(&rig);
}

static void accept_a_burst_a_few_at_a_time(test_t *t)
{
    rig_t rig;
    rig_open(&rig, t);
    accept_t accepts[MANY];
    peer_t peers[MANY];
    memset(accepts, 0, sizeof accepts);
    for (int i = 0; i < MANY; i++) {
        peers[i] = peer_connect(&rig.addr);
        REQUIRE(t, peers[i] != PEER_NONE);
    }
    for (int i = 0; i < MANY; i += 4) {
        for (int k = i; k < i + 4; k++) {
            accepts[k].sock = IO_SOCK_NONE;
            REQUIRE(t, rig_accept(&rig, &accepts[k]) == 0);
        }
        for (int k = i; k < i + 4; k++) {
            rig_await(&rig, &accepts[k].call);
            rig_finish(&rig, &accepts[k]);
        }
    }
    match_and_close(&rig, accepts, peers, MANY);
    rig_close(&rig);
}

/* The first client is gone before it is served. Platforms differ in whether its accept fails,
 * gives a dead socket, or is never seen; the second client must be served all the same. */
static void accept_of_a_client_that_has_reset(test_t *t)
{
    rig_t rig;
    rig_open(&rig, t);
    peer_t lost = peer_connect(&rig.addr);
    REQUIRE(t, lost != PEER_NONE);
    peer_reset(&lost);
    peer_t peer = peer_connect(&rig.addr);
    REQUIRE(t, peer != PEER_NONE && peer_send(peer, "x", 1));
    bool served = false;
    for (int tries = 0; tries < 3 && !served; tries++) {
        accept_t accept;
        conn_t conn;
        memset(&accept, 0, sizeof accept);
        memset(&conn, 0, sizeof conn);
        accept.sock = IO_SOCK_NONE;
        REQUIRE(t, rig_accept(&rig, &accept) == 0);
        rig_await(&rig, &accept.call);
        char byte = 0;
        if (call_good(&accept.call) &&
            io_accept_finish(rig.io, rig.listener, accept.sock, &accept.buf, &rig.options.accepted,
                             &accept.peer, &accept.local) == 0 &&
            rig_recv(&rig, &conn.recv, accept.sock, &byte, 1) == 0) {
            rig_await(&rig, &conn.recv);
            served = call_good(&conn.recv) && conn.recv.bytes == 1 && byte == 'x';
        }
        io_sock_close(rig.io, &accept.sock, false);
    }
    REQUIRE(t, served);
    peer_close(&peer);
    rig_close(&rig);
}

static void accept_tells_both_addresses(test_t *t)
{
    rig_t rig;
    rig_open(&rig, t);
    conn_t conn;
    rig_connect(&rig, &conn);
    io_addr_t name;
    REQUIRE(t, peer_name(conn.peer, &name));
    REQUIRE(t, conn.accept.peer.version == 4 && conn.accept.peer.port == name.port);
    REQUIRE(t, memcmp(conn.accept.peer.ip, name.ip, 4) == 0);
    REQUIRE(t, conn.accept.local.version == 4 && conn.accept.local.port == rig.addr.port);
    REQUIRE(t, memcmp(conn.accept.local.ip, rig.addr.ip, 4) == 0);
    io_addr_t bound;
    REQUIRE(t, io_sock_name(rig.io, conn.sock, &bound) == 0);
    REQUIRE(t, bound.port == rig.addr.port);
    rig_part(&rig, &conn);
    rig_close(&rig);
}

/* The options of the accept hold, whatever the listener was made with. */
static void options_are(rig_t *rig, bool nodelay, bool keepalive, uint32_t idle_s)
{
    rig->options.accepted.nodelay = nodelay;
    rig->options.accepted.keepalive = keepalive;
    rig->options.accepted.keepalive_idle_s = idle_s;
    conn_t conn;
    rig_connect(rig, &conn);
    uintptr_t handle = io_sock_handle(rig->io, conn.sock);
    REQUIRE(rig->t, handle_nodelay(handle) == nodelay);
    REQUIRE(rig->t, handle_keepalive(handle) == keepalive);
    int idle = handle_keepalive_idle(handle);
    REQUIRE(rig->t, idle_s == 0 || !keepalive || idle == 0 || idle == (int)idle_s);
    rig_part(rig, &conn);
}

static void accept_carries_the_listeners_options(test_t *t)
{
    rig_t rig;
    rig_open(&rig, t);
    io_sock_close(rig.io, &rig.listener, false);
    rig.options.accepted = (io_sock_options_t){
        .nodelay = true, .keepalive = true, .keepalive_idle_s = 77, .keepalive_interval_s = 7};
    rig.addr.port = 0;
    REQUIRE(t, io_listen(rig.io, &rig.addr, &rig.options, &rig.listener) == 0);
    REQUIRE(t, io_sock_name(rig.io, rig.listener, &rig.addr) == 0);
    options_are(&rig, true, true, 77);
    rig_close(&rig);
}

static void accept_applies_other_options(test_t *t)
{
    rig_t rig;
    rig_open(&rig, t); /* nodelay alone */
    options_are(&rig, true, false, 0);
    options_are(&rig, false, false, 0);
    options_are(&rig, true, true, 55);
    options_are(&rig, false, true, 66);
    options_are(&rig, true, false, 0);
    rig_close(&rig);
}

/* Each try tells of the shortage, and the connection waits until it is over. */
static void accept_when_descriptors_are_short(test_t *t)
{
    rig_t rig;
    rig_open(&rig, t);
    peer_t peer = peer_connect(&rig.addr);
    REQUIRE(t, peer != PEER_NONE);
    if (!peer_limit_descriptors(true)) {
        t->remark = "descriptors cannot be made short here";
        peer_close(&peer);
        rig_close(&rig);
        return;
    }
    accept_t accept;
    memset(&accept, 0, sizeof accept);
    accept.sock = IO_SOCK_NONE;
    bool told = true;
    for (int i = 0; i < 3; i++) {
        if (rig_accept(&rig, &accept) == 0) {
            rig_await(&rig, &accept.call);
        }
        told = told && accept.call.status == NT_INSUFFICIENT_RESOURCES;
        io_sock_close(rig.io, &accept.sock, false);
    }
    REQUIRE(t, peer_limit_descriptors(false));
    REQUIRE(t, told);
    REQUIRE(t, rig_accept(&rig, &accept) == 0);
    rig_await(&rig, &accept.call);
    rig_finish(&rig, &accept);
    io_sock_close(rig.io, &accept.sock, false);
    peer_close(&peer);
    rig_close(&rig);
}

const test_entry_t tests_accept[] = {
    {"accept_before_the_client", accept_before_the_client},
    {"accept_after_the_client", accept_after_the_client},
    {"accept_many_outstanding", accept_many_outstanding},
    {"accept_a_burst_a_few_at_a_time", accept_a_burst_a_few_at_a_time},
    {"accept_of_a_client_that_has_reset", accept_of_a_client_that_has_reset},
    {"accept_when_descriptors_are_short", accept_when_descriptors_are_short},
    {"accept_tells_both_addresses", accept_tells_both_addresses},
    {"accept_carries_the_listeners_options", accept_carries_the_listeners_options},
    {"accept_applies_other_options", accept_applies_other_options},
    {NULL, NULL},
};
