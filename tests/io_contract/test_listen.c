/* test_listen.c: listening sockets: made, adopted, refused. */
#include <string.h>

#include "rig.h"

static const io_addr_t any_v6 = {.version = 6};
static const io_addr_t any_v4 = {.version = 4};

static void listen_any_port_has_a_name(test_t *t)
{
    rig_t rig;
    rig_open(&rig, t);
    REQUIRE(t, rig.addr.version == 4 && rig.addr.port != 0 && rig.addr.ip[0] == 127);
    rig_close(&rig);
}

static void listen_refuses_a_port_of_its_own(test_t *t)
{
    rig_t rig;
    rig_open(&rig, t);
    io_sock_t second = IO_SOCK_NONE;
    int result = io_listen(rig.io, &rig.addr, &rig.options, &second);
    REQUIRE(t, result < 0 && error_is_taken(-result));
    rig_close(&rig);
}

static void listen_refuses_a_port_of_another(test_t *t)
{
    rig_t rig;
    rig_open(&rig, t);
    io_addr_t addr = {.version = 4, .ip = {127, 0, 0, 1}};
    peer_t other = peer_listen(&addr);
    REQUIRE(t, other != PEER_NONE);
    io_sock_t second = IO_SOCK_NONE;
    int result = io_listen(rig.io, &addr, &rig.options, &second);
    REQUIRE(t, result < 0 && error_is_taken(-result));
    peer_close(&other);
    rig_close(&rig);
}

static void listen_again_after_close(test_t *t)
{
    rig_t rig;
    rig_open(&rig, t);
    conn_t conn;
    rig_connect(&rig, &conn);
    io_sock_close(rig.io, &conn.sock, false); /* first: ours may stay in TIME_WAIT */
    peer_close(&conn.peer);
    io_sock_close(rig.io, &rig.listener, false);
    REQUIRE(t, io_listen(rig.io, &rig.addr, &rig.options, &rig.listener) == 0);
    rig_connect(&rig, &conn);
    rig_part(&rig, &conn);
    rig_close(&rig);
}

static void listen_refuses_nonsense(test_t *t)
{
    rig_t rig;
    rig_open(&rig, t);
    io_addr_t nowhere = {.version = 4, .ip = {192, 0, 2, 1}}; /* TEST-NET: not ours */
    io_sock_t second = IO_SOCK_NONE;
    REQUIRE(t, io_listen(rig.io, &nowhere, &rig.options, &second) < 0);
    io_addr_t unknown = {.version = 0};
    REQUIRE(t, io_listen(rig.io, &unknown, &rig.options, &second) < 0);
    REQUIRE(t, second == IO_SOCK_NONE);
    rig_close(&rig);
}

static void listen_backlog_of_a_few(test_t *t)
{
    rig_t rig;
    rig_open(&rig, t);
    io_sock_close(rig.io, &rig.listener, false);
    rig.options.backlog = 5;
    REQUIRE(t, io_listen(rig.io, &rig.addr, &rig.options, &rig.listener) == 0);
    conn_t conn;
    rig_connect(&rig, &conn);
    rig_part(&rig, &conn);
    rig_close(&rig);
}

/* A rig without a listener of its own; returns one that was made elsewhere, at the rig's address.
 */
static peer_t rig_open_to_adopt(rig_t *rig, test_t *t)
{
    rig_open(rig, t);
    io_sock_close(rig->io, &rig->listener, false);
    rig->addr.port = 0;
    peer_t made = peer_listen(&rig->addr);
    REQUIRE(t, made != PEER_NONE);
    return made;
}

static void adopt_serves_and_owns(test_t *t)
{
    rig_t rig;
    peer_t made = rig_open_to_adopt(&rig, t);
    REQUIRE(t, io_listen_adopt(rig.io, made, &rig.options, &rig.listener) == 0);
    REQUIRE(t, io_sock_handle(rig.io, rig.listener) == made);
    conn_t conn;
    rig_connect(&rig, &conn);
    char byte = 0;
    REQUIRE(t, peer_send(conn.peer, "x", 1));
    REQUIRE(t, rig_recv_some(&rig, &conn, &byte, 1) == 1 && byte == 'x');
    REQUIRE(t, handle_nodelay(io_sock_handle(rig.io, conn.sock)) == 1);
    rig_part(&rig, &conn);
    io_sock_close(rig.io, &rig.listener, false);
    REQUIRE(t, !peer_name(made, &rig.addr)); /* so it was closed, not let go */
    rig_close(&rig);
}

/* Accepted sockets take after the listener, unless the options say otherwise. */
static void adopt_of_a_listener_with_keepalive(test_t *t)
{
    rig_t rig;
    peer_t made = rig_open_to_adopt(&rig, t);
    REQUIRE(t, handle_set_keepalive(made));
    REQUIRE(t, io_listen_adopt(rig.io, made, &rig.options, &rig.listener) == 0);
    conn_t conn;
    rig_connect(&rig, &conn);
    REQUIRE(t, handle_keepalive(io_sock_handle(rig.io, conn.sock)) == 0);
    rig_part(&rig, &conn);
    rig_close(&rig);
}

static void adopt_of_a_backlog(test_t *t)
{
    rig_t rig;
    peer_t made = rig_open_to_adopt(&rig, t);
    peer_t early = peer_connect(&rig.addr);
    REQUIRE(t, early != PEER_NONE);
    REQUIRE(t, io_listen_adopt(rig.io, made, &rig.options, &rig.listener) == 0);
    accept_t accept;
    memset(&accept, 0, sizeof accept);
    accept.sock = IO_SOCK_NONE;
    REQUIRE(t, rig_accept(&rig, &accept) == 0);
    rig_await(&rig, &accept.call);
    rig_finish(&rig, &accept);
    io_sock_close(rig.io, &accept.sock, false);
    peer_close(&early);
    rig_close(&rig);
}

static void adopt_refuses_what_does_not_listen(test_t *t)
{
    rig_t rig;
    rig_open(&rig, t);
    io_addr_t addr = {.version = 4, .ip = {127, 0, 0, 1}};
    peer_t bound = peer_bound(&addr);
    REQUIRE(t, bound != PEER_NONE);
    io_sock_t adopted = IO_SOCK_NONE;
    REQUIRE(t, io_listen_adopt(rig.io, bound, &rig.options, &adopted) < 0);
    io_addr_t still;
    REQUIRE(t, peer_name(bound, &still) && still.port == addr.port); /* it is ours yet */
    peer_close(&bound);
    rig_close(&rig);
}

static void dual_stack_takes_both(test_t *t)
{
    if (!peer_has_ipv6()) {
        t->remark = "no IPv6 here";
        return;
    }
    static const uint8_t mapped[16] = {[10] = 0xff, [11] = 0xff, [12] = 127, [15] = 1};
    static const uint8_t loopback[16] = {[15] = 1};
    rig_t rig;
    rig_open_at(&rig, t, &any_v6, true);
    rig.addr = (io_addr_t){.version = 4, .port = rig.addr.port, .ip = {127, 0, 0, 1}};
    conn_t conn;
    rig_connect(&rig, &conn);
    REQUIRE(t, conn.accept.peer.version == 6 && memcmp(conn.accept.peer.ip, mapped, 16) == 0);
    REQUIRE(t, conn.accept.local.version == 6 && memcmp(conn.accept.local.ip, mapped, 16) == 0);
    rig_part(&rig, &conn);

    rig.addr.version = 6;
    memcpy(rig.addr.ip, loopback, 16);
    rig_connect(&rig, &conn);
    io_addr_t name;
    REQUIRE(t, peer_name(conn.peer, &name));
    REQUIRE(t, conn.accept.peer.version == 6 && conn.accept.peer.port == name.port);
    REQUIRE(t, memcmp(conn.accept.peer.ip, loopback, 16) == 0);
    REQUIRE(t, conn.accept.local.port == rig.addr.port);
    REQUIRE(t, memcmp(conn.accept.local.ip, loopback, 16) == 0);
    rig_part(&rig, &conn);
    rig_close(&rig);
}

static void v6_alone_takes_no_v4(test_t *t)
{
    if (!peer_has_ipv6()) {
        t->remark = "no IPv6 here";
        return;
    }
    rig_t rig;
    rig_open_at(&rig, t, &any_v6, false);
    accept_t accept;
    memset(&accept, 0, sizeof accept);
    accept.sock = IO_SOCK_NONE;
    REQUIRE(t, rig_accept(&rig, &accept) == 0);
    /* The port is free for IPv4: a stranger may answer, but not we. */
    io_addr_t v4 = {.version = 4, .port = rig.addr.port, .ip = {127, 0, 0, 1}};
    peer_t peer = peer_connect(&v4);
    rig_quiet(&rig);
    peer_close(&peer);
    io_cancel(rig.io, rig.listener, &accept.call.op);
    rig_await(&rig, &accept.call);
    io_sock_close(rig.io, &accept.sock, false);
    rig_close(&rig);
}

static void wildcard_gives_the_real_local_address(test_t *t)
{
    rig_t rig;
    rig_open_at(&rig, t, &any_v4, false);
    rig.addr.ip[0] = 127;
    rig.addr.ip[3] = 1;
    conn_t conn;
    rig_connect(&rig, &conn);
    REQUIRE(t, conn.accept.local.version == 4 && conn.accept.local.port == rig.addr.port);
    REQUIRE(t, memcmp(conn.accept.local.ip, rig.addr.ip, 4) == 0);
    rig_part(&rig, &conn);
    rig_close(&rig);
}

const test_entry_t tests_listen[] = {
    {"listen_any_port_has_a_name", listen_any_port_has_a_name},
    {"listen_refuses_a_port_of_its_own", listen_refuses_a_port_of_its_own},
    {"listen_refuses_a_port_of_another", listen_refuses_a_port_of_another},
    {"listen_again_after_close", listen_again_after_close},
    {"listen_refuses_nonsense", listen_refuses_nonsense},
    {"listen_backlog_of_a_few", listen_backlog_of_a_few},
    {"adopt_serves_and_owns", adopt_serves_and_owns},
    {"adopt_of_a_listener_with_keepalive", adopt_of_a_listener_with_keepalive},
    {"adopt_of_a_backlog", adopt_of_a_backlog},
    {"adopt_refuses_what_does_not_listen", adopt_refuses_what_does_not_listen},
    {"dual_stack_takes_both", dual_stack_takes_both},
    {"v6_alone_takes_no_v4", v6_alone_takes_no_v4},
    {"wildcard_gives_the_real_local_address", wildcard_gives_the_real_local_address},
    {NULL, NULL},
};
