/* test_send.c: sends: gathered, blocked, partial, and into the void. */
#include <stdlib.h>
#include <string.h>

#include "rig.h"

#define BULK 8000000u

/* A client that reads LEN bytes and checks them; on a thread of its own. */
typedef struct {
    test_t *t;
    peer_t peer;
    uint32_t len;
    uint32_t piece;
    uint32_t seed;
} reader_t;

static void reader_run(void *arg)
{
    reader_t *reader = arg;
    const uint32_t most = 65536;
    uint8_t *buf = malloc(most);
    uint32_t got = 0;
    while (buf != NULL && got < reader->len) {
        uint32_t want = got < most ? reader->piece : most; /* slow at first */
        long count = peer_recv(reader->peer, buf, want);
        EXPECT(reader->t, count > 0);
        if (count <= 0) {
            break;
        }
        EXPECT(reader->t, pattern_holds(buf, (uint32_t)count, reader->seed, got));
        got += (uint32_t)count;
    }
    EXPECT(reader->t, got == reader->len);
    free(buf);
}

/* Sends without a reader until the stack takes no more: a send is outstanding then. Returns
 * how much of DATA has been taken. */
static uint32_t block(rig_t *rig, conn_t *conn, const uint8_t *data, uint32_t len)
{
    uint32_t sent = 0;
    while (sent < len) {
        REQUIRE(rig->t, rig_send(rig, &conn->send, conn->sock, data + sent, len - sent) == 0);
        if (rig_pump(rig, QUIET_MS) == 0) {
            break;
        }
        REQUIRE(rig->t, call_good(&conn->send));
        sent += conn->send.bytes;
    }
    REQUIRE(rig->t, conn->send.outstanding); /* else BULK is too small for this machine */
    return sent;
}

static void send_small(test_t *t)
{
    rig_t rig;
    conn_t conn;
    rig_open(&rig, t);
    rig_connect(&rig, &conn);
    char got[5];
    for (int i = 0; i < 5; i++) {
        rig_send_all(&rig, &conn, "hello", 5);
        REQUIRE(t, peer_recv_all(conn.peer, got, 5) && memcmp(got, "hello", 5) == 0);
    }
    rig_part(&rig, &conn);
    rig_close(&rig);
}

/* Each send is done at once, and then no completion comes, or later, and then one does. */
static void send_at_once(test_t *t)
{
    rig_t rig;
    conn_t conn;
    rig_open(&rig, t);
    rig_connect(&rig, &conn);
    uint8_t *data = malloc(BULK);
    REQUIRE(t, data != NULL);
    pattern_fill(data, BULK, 11, 0);
    reader_t reader = {.t = t, .peer = conn.peer, .len = BULK, .piece = 1000, .seed = 11};
    thread_t *thread = thread_start(reader_run, &reader);
    uint32_t total = 0;
    while (total < BULK) {
        io_buf_t buf = io_buf(data + total, BULK - total);
        uint32_t sent = 0;
        int status = rig_send_now(&rig, &conn.send, conn.sock, &buf, 1, &sent);
        if (status == IO_DONE) {
            REQUIRE(t, sent >= 1 && sent <= BULK - total);
        } else {
            REQUIRE(t, status == 0 && sent == 0);
            rig_await(&rig, &conn.send);
            REQUIRE(t, call_good(&conn.send));
            sent = conn.send.bytes;
        }
        total += sent;
    }
    rig_quiet(&rig);
    thread_join(thread);
    free(data);
    rig_part(&rig, &conn);
    rig_close(&rig);
}

/* An answer that fits is through when the call returns: no backend makes a completion of it. */
static void send_of_an_answer_is_done_at_once(test_t *t)
{
    rig_t rig;
    conn_t conn;
    rig_open(&rig, t);
    rig_connect(&rig, &conn);
    char got[10];
    for (int i = 0; i < 5; i++) {
        REQUIRE(t, peer_send(conn.peer, "ask", 3));
        rig_recv_all(&rig, &conn, got, 3);
        REQUIRE(t, rig_recv(&rig, &conn.recv, conn.sock, got, sizeof got) == 0);
        io_buf_t bufs[2] = {io_buf("hello", 5), io_buf("world", 5)};
        uint32_t sent = 0;
        REQUIRE(t, rig_send_now(&rig, &conn.send, conn.sock, bufs, 2, &sent) == IO_DONE);
        REQUIRE(t, sent == 10);
        char echo[10];
        REQUIRE(t, peer_recv_all(conn.peer, echo, 10) && memcmp(echo, "helloworld", 10) == 0);
        rig_quiet(&rig);
        REQUIRE(t, conn.recv.outstanding); /* and it is a receive that waits, all the same */
        REQUIRE(t, peer_send(conn.peer, "done", 4));
        rig_await(&rig, &conn.recv);
        REQUIRE(t, call_good(&conn.recv) && conn.recv.bytes == 4 && memcmp(got, "done", 4) == 0);
    }
    rig_part(&rig, &conn);
    rig_close(&rig);
}

/* Nobody reads, and DATA, of BULK bytes, is sent over and over until the stack takes no more: that
 * does not block, it makes a send that waits. Returns how much has been taken. */
static uint32_t block_at_once(rig_t *rig, conn_t *conn, const uint8_t *data)
{
    uint32_t total = 0;
    for (;;) {
        REQUIRE(rig->t, total < 8 * BULK);
        io_buf_t buf = io_buf(data + total % BULK, BULK - total % BULK);
        uint32_t sent = 0;
        uint64_t begin_ms = peer_now_ms();
        int status = rig_send_now(rig, &conn->send, conn->sock, &buf, 1, &sent);
        REQUIRE(rig->t, status >= 0 && peer_now_ms() - begin_ms < DEADLINE_MS / 2);
        if (status == 0 && rig_pump(rig, QUIET_MS) == 0) {
            return total;
        }
        REQUIRE(rig->t, status == IO_DONE || call_good(&conn->send));
        total += status == IO_DONE ? sent : conn->send.bytes;
    }
}

/* Receives LEN bytes at most of what block_at_once sends, behind READ bytes of it. */
static uint32_t read_some(rig_t *rig, conn_t *conn, const uint8_t *data, uint32_t read,
                          uint32_t len)
{
    uint8_t got[16384];
    uint32_t at = read % BULK;
    uint32_t most = len < sizeof got ? len : sizeof got;
    long count = peer_recv(conn->peer, got, most < BULK - at ? most : BULK - at);
    REQUIRE(rig->t, count > 0 && memcmp(got, data + at, (size_t)count) == 0);
    return (uint32_t)count;
}

/* What is queued for a slow client has to be seen to get less, or it looks as if nothing moved. */
static void send_blocked_shows_progress(test_t *t)
{
    rig_t rig;
    conn_t conn;
    rig_open(&rig, t);
    rig_connect_narrow(&rig, &conn);
    uint8_t *data = malloc(BULK);
    REQUIRE(t, data != NULL);
    pattern_fill(data, BULK, 12, 0);
    uint32_t taken = block_at_once(&rig, &conn, data);
    uint32_t read = 0;
    while (conn.send.outstanding) {
        REQUIRE(t, read < taken); /* by then there is room */
        read += read_some(&rig, &conn, data, read, taken - read);
        (void)rig_pump(&rig, 0);
    }
    REQUIRE(t, call_good(&conn.send));
    taken += conn.send.bytes;
    while (read < taken) {
        read += read_some(&rig, &conn, data, read, taken - read);
    }
    rig_quiet(&rig);
    free(data);
    rig_part(&rig, &conn);
    rig_close(&rig);
}

static void send_at_once_blocked_is_cancelled(test_t *t)
{
    rig_t rig;
    conn_t conn;
    rig_open(&rig, t);
    rig_connect_narrow(&rig, &conn);
    uint8_t *data = malloc(BULK);
    REQUIRE(t, data != NULL);
    memset(data, 'x', BULK);
    (void)block_at_once(&rig, &conn, data);
    io_cancel(rig.io, conn.sock, &conn.send.op);
    rig_await(&rig, &conn.send);
    REQUIRE(t, conn.send.status == NT_CANCELLED);
    rig_part(&rig, &conn);
    rig_close(&rig);
    free(data);
}

static void send_gathers_the_most_buffers(test_t *t)
{
    rig_t rig;
    conn_t conn;
    rig_open(&rig, t);
    rig_connect(&rig, &conn);
    uint8_t data[IO_SEND_BUFS_MAX * 20];
    uint8_t got[sizeof data];
    io_buf_t bufs[IO_SEND_BUFS_MAX];
    pattern_fill(data, sizeof data, 3, 0);
    uint32_t total = 0;
    for (uint32_t i = 0; i < IO_SEND_BUFS_MAX; i++) {
        bufs[i] = io_buf(data + total, i % 20 + 1);
        total += i % 20 + 1;
    }
    REQUIRE(t, rig_send_bufs(&rig, &conn.send, conn.sock, bufs, IO_SEND_BUFS_MAX) == 0);
    memset(bufs, 0xAA, sizeof bufs); /* the array is ours again, the bytes are not */
    rig_await(&rig, &conn.send);
    REQUIRE(t, call_good(&conn.send) && conn.send.bytes <= total);
    if (conn.send.bytes < total) {
        rig_send_all(&rig, &conn, data + conn.send.bytes, total - conn.send.bytes);
    }
    REQUIRE(t, peer_recv_all(conn.peer, got, total));
    REQUIRE(t, pattern_holds(got, total, 3, 0));
    rig_part(&rig, &conn);
    rig_close(&rig);
}

static void send_much_to_a_slow_reader(test_t *t)
{
    rig_t rig;
    conn_t conn;
    rig_open(&rig, t);
    rig_connect_narrow(&rig, &conn);
    uint8_t *data = malloc(BULK);
    REQUIRE(t, data != NULL);
    pattern_fill(data, BULK, 4, 0);
    uint32_t sent = block(&rig, &conn, data, BULK);
    reader_t reader = {t, conn.peer, BULK, 100, 4};
    thread_t *thread = thread_start(reader_run, &reader);
    rig_await(&rig, &conn.send);
    REQUIRE(t, call_good(&conn.send) && conn.send.bytes <= BULK - sent);
    sent += conn.send.bytes;
    if (sent < BULK) {
        rig_send_all(&rig, &conn, data + sent, BULK - sent);
    }
    thread_join(thread);
    rig_part(&rig, &conn);
    rig_close(&rig);
    free(data);
}

static void send_gathered_and_partial(test_t *t)
{
    rig_t rig;
    conn_t conn;
    rig_open(&rig, t);
    rig_connect_narrow(&rig, &conn);
    uint8_t *data = malloc(BULK);
    REQUIRE(t, data != NULL);
    pattern_fill(data, BULK, 5, 0);
    reader_t reader = {t, conn.peer, BULK, 1000, 5};
    thread_t *thread = thread_start(reader_run, &reader);
    for (uint32_t sent = 0; sent < BULK;) {
        io_buf_t bufs[8];
        uint32_t count = 0;
        for (uint32_t at = sent; at < BULK && count < 8; at += 100000) {
            bufs[count++] = io_buf(data + at, BULK - at < 100000 ? BULK - at : 100000);
        }
        REQUIRE(t, rig_send_bufs(&rig, &conn.send, conn.sock, bufs, count) == 0);
        rig_await(&rig, &conn.send);
        REQUIRE(t, call_good(&conn.send));
        sent += conn.send.bytes;
    }
    thread_join(thread);
    rig_part(&rig, &conn);
    rig_close(&rig);
    free(data);
}

static void send_blocked_lets_receives_through(test_t *t)
{
    rig_t rig;
    conn_t conn;
    rig_open(&rig, t);
    rig_connect_narrow(&rig, &conn);
    uint8_t *data = malloc(BULK);
    REQUIRE(t, data != NULL);
    pattern_fill(data, BULK, 6, 0);
    (void)block(&rig, &conn, data, BULK);
    char buf[16];
    for (int i = 0; i < 3; i++) {
        REQUIRE(t, peer_send(conn.peer, "hello", 5));
        rig_recv_all(&rig, &conn, buf, 5);
        REQUIRE(t, memcmp(buf, "hello", 5) == 0);
    }
    REQUIRE(t, conn.send.outstanding);
    peer_reset(&conn.peer);
    rig_await(&rig, &conn.send);
    rig_part(&rig, &conn);
    rig_close(&rig);
    free(data);
}

static void send_blocked_ends_when_the_peer_resets(test_t *t)
{
    rig_t rig;
    conn_t conn;
    rig_open(&rig, t);
    rig_connect_narrow(&rig, &conn);
    uint8_t *data = malloc(BULK);
    REQUIRE(t, data != NULL);
    memset(data, 'x', BULK);
    (void)block(&rig, &conn, data, BULK);
    peer_reset(&conn.peer);
    rig_await(&rig, &conn.send);
    if (call_good(&conn.send)) { /* "worth trying again": it tells now */
        REQUIRE(t, conn.send.bytes == 0);
        if (rig_send(&rig, &conn.send, conn.sock, data, BULK) == 0) {
            rig_await(&rig, &conn.send);
        }
    }
    REQUIRE(t, !call_good(&conn.send));
    rig_part(&rig, &conn);
    rig_close(&rig);
    free(data);
}

static void send_to_a_peer_that_closed_fails_at_last(test_t *t)
{
    rig_t rig;
    conn_t conn;
    rig_open(&rig, t);
    rig_connect(&rig, &conn);
    peer_close(&conn.peer);
    uint64_t end_ms = peer_now_ms() + DEADLINE_MS;
    do {
        REQUIRE(t, peer_now_ms() < end_ms);
        if (rig_send(&rig, &conn.send, conn.sock, "x", 1) == 0) {
            rig_await(&rig, &conn.send);
        }
    } while (call_good(&conn.send));
    rig_part(&rig, &conn);
    rig_close(&rig);
}

/* Refused at once, and then no completion comes; or later, and then one does. */
static void send_at_once_to_a_peer_that_reset_fails(test_t *t)
{
    rig_t rig;
    conn_t conn;
    rig_open(&rig, t);
    rig_connect(&rig, &conn);
    peer_reset(&conn.peer);
    uint64_t end_ms = peer_now_ms() + DEADLINE_MS;
    bool failed = false;
    while (!failed) {
        REQUIRE(t, peer_now_ms() < end_ms);
        io_buf_t buf = io_buf("x", 1);
        uint32_t sent = 0;
        int status = rig_send_now(&rig, &conn.send, conn.sock, &buf, 1, &sent);
        REQUIRE(t, status == IO_DONE || sent == 0);
        if (status == 0) {
            rig_await(&rig, &conn.send);
        }
        failed = status != IO_DONE && !call_good(&conn.send);
    }
    rig_quiet(&rig);
    rig_part(&rig, &conn);
    rig_close(&rig);
}

static void send_after_our_own_fin_fails(test_t *t)
{
    rig_t rig;
    conn_t conn;
    rig_open(&rig, t);
    rig_connect(&rig, &conn);
    int error = 0;
    REQUIRE(t, io_shutdown(rig.io, conn.sock, &error) == 0);
    for (int at_once = 0; at_once < 2; at_once++) {
        io_buf_t buf = io_buf("x", 1);
        uint32_t sent = 0;
        int status = at_once ? rig_send_now(&rig, &conn.send, conn.sock, &buf, 1, &sent)
                             : rig_send_bufs(&rig, &conn.send, conn.sock, &buf, 1);
        REQUIRE(t, status != IO_DONE);
        if (status == 0) {
            rig_await(&rig, &conn.send);
        }
        REQUIRE(t, !call_good(&conn.send));
    }
    char buf[16]; /* and that says nothing of the other direction */
    REQUIRE(t, peer_send(conn.peer, "hello", 5));
    rig_recv_all(&rig, &conn, buf, 5);
    peer_shutdown(conn.peer);
    REQUIRE(t, rig_recv(&rig, &conn.recv, conn.sock, buf, sizeof buf) == 0);
    rig_await(&rig, &conn.recv);
    REQUIRE(t, call_good(&conn.recv) && conn.recv.bytes == 0);
    rig_part(&rig, &conn);
    rig_close(&rig);
}

const test_entry_t tests_send[] = {
    {"send_small", send_small},
    {"send_at_once", send_at_once},
    {"send_of_an_answer_is_done_at_once", send_of_an_answer_is_done_at_once},
    {"send_blocked_shows_progress", send_blocked_shows_progress},
    {"send_at_once_blocked_is_cancelled", send_at_once_blocked_is_cancelled},
    {"send_gathers_the_most_buffers", send_gathers_the_most_buffers},
    {"send_much_to_a_slow_reader", send_much_to_a_slow_reader},
    {"send_gathered_and_partial", send_gathered_and_partial},
    {"send_blocked_lets_receives_through", send_blocked_lets_receives_through},
    {"send_blocked_ends_when_the_peer_resets", send_blocked_ends_when_the_peer_resets},
    {"send_to_a_peer_that_closed_fails_at_last", send_to_a_peer_that_closed_fails_at_last},
    {"send_at_once_to_a_peer_that_reset_fails", send_at_once_to_a_peer_that_reset_fails},
    {"send_after_our_own_fin_fails", send_after_our_own_fin_fails},
    {NULL, NULL},
};
