/* test_recv.c: receives: data, FIN, nothing at all, and RST. */
#include <stdlib.h>
#include <string.h>

#include "rig.h"

typedef struct {
    rig_t rig;
    conn_t conn;
} pair_t;

static void pair_open(pair_t *pair, test_t *t)
{
    rig_open(&pair->rig, t);
    rig_connect(&pair->rig, &pair->conn);
}

static void pair_close(pair_t *pair)
{
    rig_part(&pair->rig, &pair->conn);
    rig_close(&pair->rig);
}

/* Submits; goes on with the completion to come. */
static void pair_recv(pair_t *pair, void *buf, uint32_t len)
{
    REQUIRE(pair->rig.t, rig_recv(&pair->rig, &pair->conn.recv, pair->conn.sock, buf, len) == 0);
}

/* The receive under way ends well, with BYTES. */
static void pair_expect(pair_t *pair, uint32_t bytes)
{
    rig_await(&pair->rig, &pair->conn.recv);
    REQUIRE(pair->rig.t, call_good(&pair->conn.recv));
    REQUIRE(pair->rig.t, pair->conn.recv.bytes == bytes);
}

/* The receive under way is complete, and tells of the peer's RST. */
static void pair_expect_reset(pair_t *pair)
{
    const call_t *recv = &pair->conn.recv;
    if (peer_on_wine() && call_good(recv) && recv->bytes == 0) {
        pair->rig.t->remark = "Wine shuts a socket down before it closes it";
    } else {
        REQUIRE(pair->rig.t, call_was_reset(recv));
    }
}

static void recv_before_the_data(test_t *t)
{
    pair_t pair;
    pair_open(&pair, t);
    char buf[16] = {0};
    pair_recv(&pair, buf, sizeof buf);
    rig_quiet(&pair.rig);
    REQUIRE(t, peer_send(pair.conn.peer, "hello", 5));
    pair_expect(&pair, 5);
    REQUIRE(t, memcmp(buf, "hello", 5) == 0);
    pair_close(&pair);
}

static void recv_after_the_data(test_t *t)
{
    pair_t pair;
    pair_open(&pair, t);
    REQUIRE(t, peer_send(pair.conn.peer, "hello", 5));
    rig_quiet(&pair.rig);
    char buf[16] = {0};
    pair_recv(&pair, buf, sizeof buf);
    pair_expect(&pair, 5);
    REQUIRE(t, memcmp(buf, "hello", 5) == 0);
    pair_close(&pair);
}

static void recv_in_small_pieces(test_t *t)
{
    pair_t pair;
    pair_open(&pair, t);
    uint8_t data[100];
    uint8_t got[100];
    pattern_fill(data, sizeof data, 1, 0);
    REQUIRE(t, peer_send(pair.conn.peer, data, sizeof data));
    for (uint32_t i = 0; i < sizeof got; i += 10) {
        rig_recv_all(&pair.rig, &pair.conn, got + i, 10);
    }
    REQUIRE(t, memcmp(data, got, sizeof got) == 0);
    /* It ended with a full buffer; what is there no longer must not be found. */
    pair_recv(&pair, got, sizeof got);
    rig_quiet(&pair.rig);
    REQUIRE(t, peer_send(pair.conn.peer, "x", 1));
    pair_expect(&pair, 1);
    pair_close(&pair);
}

static void recv_much(test_t *t)
{
    pair_t pair;
    pair_open(&pair, t);
    enum { MUCH = 60000 };
    uint8_t *data = malloc(MUCH);
    uint8_t *got = malloc(MUCH);
    REQUIRE(t, data != NULL && got != NULL);
    for (uint32_t round = 0; round < 20; round++) {
        pattern_fill(data, MUCH, round, 0);
        REQUIRE(t, peer_send(pair.conn.peer, data, MUCH));
        memset(got, 0, MUCH);
        rig_recv_all(&pair.rig, &pair.conn, got, MUCH);
        REQUIRE(t, pattern_holds(got, MUCH, round, 0));
    }
    free(got);
    free(data);
    pair_close(&pair);
}

static void recv_fin_while_waiting(test_t *t)
{
    pair_t pair;
    pair_open(&pair, t);
    char buf[16];
    pair_recv(&pair, buf, sizeof buf);
    rig_quiet(&pair.rig);
    peer_shutdown(pair.conn.peer);
    pair_expect(&pair, 0);
    pair_close(&pair);
}

static void recv_fin_that_is_there(test_t *t)
{
    pair_t pair;
    pair_open(&pair, t);
    peer_shutdown(pair.conn.peer);
    rig_quiet(&pair.rig);
    char buf[16];
    pair_recv(&pair, buf, sizeof buf);
    pair_expect(&pair, 0);
    pair_close(&pair);
}

/* A short read must not make the backend wait for an event that has been. */
static void recv_data_and_fin_together(test_t *t)
{
    for (int quiet = 0; quiet < 2; quiet++) {
        pair_t pair;
        pair_open(&pair, t);
        REQUIRE(t, peer_send(pair.conn.peer, "hello", 5));
        peer_shutdown(pair.conn.peer);
        if (quiet) {
            rig_quiet(&pair.rig); /* so that the backend has seen both */
        }
        char buf[16];
        pair_recv(&pair, buf, sizeof buf);
        pair_expect(&pair, 5);
        pair_recv(&pair, buf, sizeof buf);
        pair_expect(&pair, 0);
        pair_close(&pair);
    }
}

static void recv_fin_comes_between(test_t *t)
{
    pair_t pair;
    pair_open(&pair, t);
    char buf[16];
    pair_recv(&pair, buf, sizeof buf);
    REQUIRE(t, peer_send(pair.conn.peer, "hello", 5));
    pair_expect(&pair, 5);
    peer_shutdown(pair.conn.peer);
    rig_quiet(&pair.rig);
    pair_recv(&pair, buf, sizeof buf);
    pair_expect(&pair, 0);
    pair_close(&pair);
}

/* The data that comes while no receive is outstanding, in several portions. */
static void recv_what_came_between(test_t *t)
{
    pair_t pair;
    pair_open(&pair, t);
    char buf[16];
    for (int i = 0; i < 5; i++) {
        pair_recv(&pair, buf, sizeof buf);
        REQUIRE(t, peer_send(pair.conn.peer, "ab", 2));
        pair_expect(&pair, 2);
        REQUIRE(t, peer_send(pair.conn.peer, "cd", 2));
        (void)rig_pump(&pair.rig, 1);
        rig_recv_all(&pair.rig, &pair.conn, buf, 2);
        REQUIRE(t, memcmp(buf, "cd", 2) == 0);
    }
    pair_close(&pair);
}

static void recv_nothing_waits_for_data(test_t *t)
{
    pair_t pair;
    pair_open(&pair, t);
    for (int i = 0; i < 3; i++) { /* the second time, an earlier hint must not deceive */
        pair_recv(&pair, NULL, 0);
        rig_quiet(&pair.rig);
        REQUIRE(t, peer_send(pair.conn.peer, "hello", 5));
        pair_expect(&pair, 0);
        char buf[5];
        pair_recv(&pair, buf, sizeof buf); /* a full buffer: the hint stays */
        pair_expect(&pair, 5);
        REQUIRE(t, memcmp(buf, "hello", 5) == 0);
    }
    pair_close(&pair);
}

static void recv_nothing_finds_data(test_t *t)
{
    pair_t pair;
    pair_open(&pair, t);
    REQUIRE(t, peer_send(pair.conn.peer, "hello", 5));
    for (int i = 0; i < 3; i++) { /* it takes none of it */
        pair_recv(&pair, NULL, 0);
        pair_expect(&pair, 0);
    }
    char buf[16];
    pair_recv(&pair, buf, sizeof buf);
    pair_expect(&pair, 5);
    pair_close(&pair);
}

static void recv_nothing_ends_at_fin(test_t *t)
{
    pair_t pair;
    pair_open(&pair, t);
    pair_recv(&pair, NULL, 0);
    peer_shutdown(pair.conn.peer);
    pair_expect(&pair, 0);
    char buf[16];
    pair_recv(&pair, buf, sizeof buf);
    pair_expect(&pair, 0);
    pair_close(&pair);
}

static void recv_nothing_ends_at_reset(test_t *t)
{
    pair_t pair;
    pair_open(&pair, t);
    pair_recv(&pair, NULL, 0);
    peer_reset(&pair.conn.peer);
    rig_await(&pair.rig, &pair.conn.recv);
    char buf[16]; /* if it ended well, the next one must tell */
    if (call_good(&pair.conn.recv) &&
        rig_recv(&pair.rig, &pair.conn.recv, pair.conn.sock, buf, sizeof buf) == 0) {
        rig_await(&pair.rig, &pair.conn.recv);
    }
    if (call_good(&pair.conn.recv)) {
        pair_expect_reset(&pair);
    }
    pair_close(&pair);
}

static void recv_reset_while_waiting(test_t *t)
{
    pair_t pair;
    pair_open(&pair, t);
    char buf[16];
    pair_recv(&pair, buf, sizeof buf);
    peer_reset(&pair.conn.peer);
    rig_await(&pair.rig, &pair.conn.recv);
    pair_expect_reset(&pair);
    pair_close(&pair);
}

static void recv_reset_that_is_there(test_t *t)
{
    pair_t pair;
    pair_open(&pair, t);
    peer_reset(&pair.conn.peer);
    rig_quiet(&pair.rig);
    char buf[16];
    if (rig_recv(&pair.rig, &pair.conn.recv, pair.conn.sock, buf, sizeof buf) == 0) {
        rig_await(&pair.rig, &pair.conn.recv);
    }
    pair_expect_reset(&pair);
    pair_close(&pair);
}

/* Whichever direction hears of the reset first, the other one must not see a clean end. */
static void recv_reset_after_a_send_failed(test_t *t)
{
    pair_t pair;
    pair_open(&pair, t);
    peer_reset(&pair.conn.peer);
    call_t *send = &pair.conn.send;
    uint64_t end_ms = peer_now_ms() + DEADLINE_MS;
    do {
        REQUIRE(t, peer_now_ms() < end_ms);
        if (rig_send(&pair.rig, send, pair.conn.sock, "x", 1) == 0) {
            rig_await(&pair.rig, send);
        }
    } while (call_good(send));
    char buf[16];
    if (rig_recv(&pair.rig, &pair.conn.recv, pair.conn.sock, buf, sizeof buf) == 0) {
        rig_await(&pair.rig, &pair.conn.recv);
    }
    if (call_good(&pair.conn.recv) && peer_on_wine()) {
        t->remark = "Wine tells of a reset once";
    } else {
        REQUIRE(t, !call_good(&pair.conn.recv));
    }
    pair_close(&pair);
}

/* A read stops at the urgent mark; the data behind it must come all the same. */
static void recv_goes_on_after_urgent_data(test_t *t)
{
    pair_t pair;
    pair_open(&pair, t);
    REQUIRE(t, peer_send(pair.conn.peer, "a", 1));
    REQUIRE(t, peer_send_urgent(pair.conn.peer, '!'));
    REQUIRE(t, peer_send(pair.conn.peer, "b", 1));
    bool got_a = false;
    bool got_b = false;
    while (!got_b) {
        char buf[16] = {0};
        uint32_t len = rig_recv_some(&pair.rig, &pair.conn, buf, sizeof buf);
        got_a = got_a || memchr(buf, 'a', len) != NULL;
        got_b = memchr(buf, 'b', len) != NULL;
    }
    REQUIRE(t, got_a);
    pair_close(&pair);
}

static void recv_timeout_and_maximum_of_wait(test_t *t)
{
    pair_t pair;
    pair_open(&pair, t);
    io_event_t event;
    uint64_t start_ns = io_now_ns(pair.rig.io);
    REQUIRE(t, io_wait(pair.rig.io, &event, 1, QUIET_MS, NULL) == 0);
    uint64_t passed_ms = (io_now_ns(pair.rig.io) - start_ns) / 1000000;
    REQUIRE(t, passed_ms + 20 >= QUIET_MS && passed_ms < DEADLINE_MS);
    REQUIRE(t, io_wait(pair.rig.io, &event, 1, 0, NULL) == 0);

    /* Two completions, and room for one at a time. */
    char buf[16];
    REQUIRE(t, peer_send(pair.conn.peer, "hello", 5));
    pair_recv(&pair, buf, sizeof buf);
    REQUIRE(t, rig_send(&pair.rig, &pair.conn.send, pair.conn.sock, "x", 1) == 0);
    uint32_t seen = 0;
    for (int i = 0; i < 2; i++) {
        REQUIRE(t, io_wait(pair.rig.io, &event, 1, DEADLINE_MS, NULL) == 1);
        REQUIRE(t, io_event_bytes(&event) == (io_event_op(&event) == &pair.conn.recv.op ? 5u : 1u));
        seen |= io_event_op(&event) == &pair.conn.recv.op ? 1u : 2u;
        pair.rig.completed++;
    }
    REQUIRE(t, seen == 3);
    pair_close(&pair);
}

static void recv_is_due_when_there_is_something(test_t *t)
{
    pair_t pair;
    pair_open(&pair, t);
    io_t *io = pair.rig.io;
    io_op_t *op = &pair.conn.recv.op;
    char buf[16];
    pair_recv(&pair, buf, sizeof buf);
    rig_quiet(&pair.rig);
    REQUIRE(t, !io_is_due(io, pair.conn.sock, op));
    REQUIRE(t, peer_send(pair.conn.peer, "hello", 5));
    /* Nobody is in io_wait meanwhile. */
    uint64_t deadline_ns = io_now_ns(io) + DEADLINE_MS * 1000000ull;
    while (!io_is_due(io, pair.conn.sock, op)) {
        REQUIRE(t, io_now_ns(io) < deadline_ns);
    }
    pair_expect(&pair, 5);
    REQUIRE(t, rig_send(&pair.rig, &pair.conn.send, pair.conn.sock, "x", 1) == 0);
    while (!io_is_due(io, pair.conn.sock, &pair.conn.send.op)) {
        REQUIRE(t, io_now_ns(io) < deadline_ns);
    }
    rig_await(&pair.rig, &pair.conn.send);
    pair_close(&pair);
}

enum { CROWD = 48, PORTION = 60000, TURNS = 10 };

typedef struct {
    rig_t rig;
    conn_t conns[CROWD];
    uint32_t turns[CROWD]; /* portions received */
    uint32_t owed[CROWD];  /* sent, and not received */
    uint8_t portion[PORTION];
    uint8_t got[CROWD][PORTION];
} crowd_t;

static void crowd_recv(crowd_t *crowd, uint32_t i)
{
    conn_t *conn = &crowd->conns[i];
    if (crowd->owed[i] == 0) {
        REQUIRE(crowd->rig.t, peer_send(conn->peer, crowd->portion, PORTION));
        crowd->owed[i] = PORTION;
    }
    REQUIRE(crowd->rig.t,
            rig_recv(&crowd->rig, &conn->recv, conn->sock, crowd->got[i], PORTION) == 0);
}

/* The one whose receive was the completion at PLACE. */
static uint32_t crowd_at(const crowd_t *crowd, uint32_t place)
{
    for (uint32_t i = 0; i < CROWD; i++) {
        if (!crowd->conns[i].recv.outstanding && crowd->conns[i].recv.place == place) {
            return i;
        }
    }
    test_fail(crowd->rig.t, __FILE__, __LINE__, "a completion is nobody's");
    return 0;
}

static uint32_t crowd_spread(const crowd_t *crowd)
{
    uint32_t fewest = UINT32_MAX;
    uint32_t most = 0;
    for (uint32_t i = 0; i < CROWD; i++) {
        fewest = crowd->turns[i] < fewest ? crowd->turns[i] : fewest;
        most = crowd->turns[i] > most ? crowd->turns[i] : most;
    }
    return most - fewest;
}

/* There is more to receive than one wait brings, and more who receive than it has room for: who
 * asked first has it first, and nobody is passed over for long. */
static void recv_in_turn(test_t *t)
{
    crowd_t *crowd = calloc(1, sizeof *crowd);
    REQUIRE(t, crowd != NULL);
    rig_t *rig = &crowd->rig;
    rig_open(rig, t);
    for (uint32_t i = 0; i < CROWD; i++) {
        rig_connect(rig, &crowd->conns[i]);
    }
    for (uint32_t i = 0; i < CROWD; i++) {
        crowd_recv(crowd, i);
    }
    for (uint32_t total = 0; total < CROWD * TURNS;) {
        uint32_t place = rig->completed;
        (void)rig_pump_up_to(rig, CROWD - 8, DEADLINE_MS);
        for (; place < rig->completed; place++) {
            uint32_t i = crowd_at(crowd, place);
            REQUIRE(t, call_good(&crowd->conns[i].recv));
            crowd->owed[i] -= crowd->conns[i].recv.bytes;
            crowd->turns[i] += crowd->owed[i] == 0;
            total += crowd->owed[i] == 0;
            crowd_recv(crowd, i);
        }
        /* Not 2: the first ones come by edges, while the others wait in a list. */
        REQUIRE(t, crowd_spread(crowd) <= 3);
    }
    for (uint32_t i = 0; i < CROWD; i++) {
        rig_await(rig, &crowd->conns[i].recv);
        rig_part(rig, &crowd->conns[i]);
    }
    rig_close(rig);
    free(crowd);
}

const test_entry_t tests_recv[] = {
    {"recv_before_the_data", recv_before_the_data},
    {"recv_after_the_data", recv_after_the_data},
    {"recv_in_small_pieces", recv_in_small_pieces},
    {"recv_much", recv_much},
    {"recv_fin_while_waiting", recv_fin_while_waiting},
    {"recv_fin_that_is_there", recv_fin_that_is_there},
    {"recv_data_and_fin_together", recv_data_and_fin_together},
    {"recv_fin_comes_between", recv_fin_comes_between},
    {"recv_what_came_between", recv_what_came_between},
    {"recv_nothing_waits_for_data", recv_nothing_waits_for_data},
    {"recv_nothing_finds_data", recv_nothing_finds_data},
    {"recv_nothing_ends_at_fin", recv_nothing_ends_at_fin},
    {"recv_nothing_ends_at_reset", recv_nothing_ends_at_reset},
    {"recv_reset_while_waiting", recv_reset_while_waiting},
    {"recv_reset_that_is_there", recv_reset_that_is_there},
    {"recv_reset_after_a_send_failed", recv_reset_after_a_send_failed},
    {"recv_goes_on_after_urgent_data", recv_goes_on_after_urgent_data},
    {"recv_is_due_when_there_is_something", recv_is_due_when_there_is_something},
    {"recv_in_turn", recv_in_turn},
    {"recv_timeout_and_maximum_of_wait", recv_timeout_and_maximum_of_wait},
    {NULL, NULL},
};
