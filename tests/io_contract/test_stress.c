/* test_stress.c: a small echo server on the seam, under load from several threads.
 *
 * Every byte is checked. */
#include <stdlib.h>
#include <string.h>

#include "rig.h"

#define WORKERS     4
#define CLIENTS     2   /* client threads */
#define CONNS       100 /* of each, in the echo test */
#define ROUNDS      15
#define CHURN       200 /* connections of each, one after the other */
#define BUF         2048u
#define MESSAGE_MAX 5000u
#define SESSIONS    (CLIENTS * CONNS)

/* One operation at a time, so that the chain of completions is all the order it needs. */
typedef struct {
    io_op_t op;
    io_sock_t sock;
    io_accept_buf_t accept;
    enum { SESSION_ACCEPT, SESSION_RECV, SESSION_SEND, SESSION_DISCONNECT, SESSION_IDLE } state;
    uint32_t len;
    uint32_t sent;
    uint8_t buf[BUF];
} session_t;

typedef struct {
    rig_t rig;
    bool recycles;
    session_t *sessions;
    uint32_t session_count;
    thread_t *workers[WORKERS];
    mutex_t lock;        /* serializes accepts and their cancelling; of the next two */
    bool *accepting;     /* of each session */
    bool stopping;       /* no accepts any more */
    atomic_u64_t live;   /* sessions with an operation outstanding */
    atomic_u32_t stop;   /* the workers */
    atomic_u64_t served; /* connections that ended */
} server_t;

static void server_accept(server_t *server, session_t *session)
{
    int result = 0;
    mutex_lock(&server->lock);
    bool posted = !server->stopping;
    if (posted) {
        session->state = SESSION_ACCEPT;
        server->accepting[session - server->sessions] = true;
        result = io_accept(server->rig.io, &session->op, server->rig.listener, &session->sock,
                           &session->accept);
    }
    mutex_unlock(&server->lock);
    EXPECT(server->rig.t, result == 0);
    if (!posted || result != 0) {
        io_sock_close(server->rig.io, &session->sock, false);
        (void)atomic_u64_add(&server->live, UINT64_MAX);
    }
}

static void server_end(server_t *server, session_t *session, bool orderly)
{
    (void)atomic_u64_add(&server->served, 1);
    session->state = SESSION_DISCONNECT;
    if (orderly && server->recycles &&
        io_disconnect(server->rig.io, &session->op, &session->sock) == 0) {
        return;
    }
    io_sock_close(server->rig.io, &session->sock, false);
    server_accept(server, session);
}

static void server_recv(server_t *server, session_t *session)
{
    session->state = SESSION_RECV;
    if (io_recv(server->rig.io, &session->op, session->sock, session->buf, BUF) != 0) {
        server_end(server, session, false);
    }
}

static void server_send(server_t *server, session_t *session)
{
    io_buf_t buf = io_buf(session->buf + session->sent, session->len - session->sent);
    session->state = SESSION_SEND;
    if (io_send(server->rig.io, &session->op, session->sock, &buf, 1, NULL) != 0) {
        server_end(server, session, false);
    }
}

static void server_accepted(server_t *server, session_t *session, bool good)
{
    mutex_lock(&server->lock);
    server->accepting[session - server->sessions] = false;
    mutex_unlock(&server->lock);
    io_addr_t peer;
    io_addr_t local;
    if (good &&
        io_accept_finish(server->rig.io, server->rig.listener, session->sock, &session->accept,
                         &server->rig.options.accepted, &peer, &local) == 0) {
        server_recv(server, session);
    } else {
        io_sock_close(server->rig.io, &session->sock, false);
        server_accept(server, session);
    }
}

static void server_event(server_t *server, const io_event_t *event)
{
    session_t *session = (session_t *)(void *)io_event_op(event);
    bool good = (int32_t)io_event_status(event) >= 0;
    uint32_t bytes = io_event_bytes(event);
    switch (session->state) {
    case SESSION_ACCEPT:
        server_accepted(server, session, good);
        break;
    case SESSION_RECV:
        if (!good || bytes == 0) {
            server_end(server, session, good);
            break;
        }
        session->len = bytes;
        session->sent = 0;
        server_send(server, session);
        break;
    case SESSION_SEND:
        session->sent += bytes;
        if (!good) {
            server_end(server, session, false);
        } else if (session->sent < session->len) {
            server_send(server, session);
        } else {
            server_recv(server, session);
        }
        break;
    case SESSION_DISCONNECT:
        if (!good) {
            io_sock_close(server->rig.io, &session->sock, false);
        }
        server_accept(server, session);
        break;
    case SESSION_IDLE:
        EXPECT(server->rig.t, session->state != SESSION_IDLE);
        break;
    }
}

static void server_run(void *arg)
{
    server_t *server = arg;
    io_event_t events[16];
    while (atomic_u32_load(&server->stop) == 0) {
        uint32_t count = io_wait(server->rig.io, events, 16, DEADLINE_MS, NULL);
        for (uint32_t i = 0; i < count; i++) {
            server_event(server, &events[i]);
        }
    }
}

/* On the heap: the workers outlive a test that fails. */
static server_t *server_open(test_t *t, uint32_t concurrency, uint32_t sessions)
{
    server_t *server = calloc(1, sizeof *server);
    REQUIRE(t, server != NULL);
    rig_open_for(&server->rig, t, concurrency);
    server->recycles = io_probe_recycling(2000);
    server->session_count = sessions;
    server->sessions = calloc(sessions, sizeof *server->sessions);
    server->accepting = calloc(sessions, sizeof *server->accepting);
    REQUIRE(t, server->sessions != NULL && server->accepting != NULL);
    mutex_init(&server->lock);
    atomic_u64_store(&server->live, sessions);
    for (uint32_t i = 0; i < sessions; i++) {
        server->sessions[i].sock = IO_SOCK_NONE;
        server_accept(server, &server->sessions[i]);
    }
    for (int i = 0; i < WORKERS; i++) {
        server->workers[i] = thread_start(server_run, server);
    }
    return server;
}

static void server_close(server_t *server)
{
    mutex_lock(&server->lock);
    server->stopping = true;
    for (uint32_t i = 0; i < server->session_count; i++) {
        if (server->accepting[i]) {
            io_cancel(server->rig.io, server->rig.listener, &server->sessions[i].op);
        }
    }
    mutex_unlock(&server->lock);
    uint64_t end_ms = peer_now_ms() + DEADLINE_MS;
    while (atomic_u64_load(&server->live) > 0) {
        REQUIRE(server->rig.t, peer_now_ms() < end_ms);
        thread_sleep(1);
    }
    atomic_u32_store(&server->stop, 1);
    io_wake(server->rig.io, WORKERS);
    for (int i = 0; i < WORKERS; i++) {
        thread_join(server->workers[i]);
    }
    rig_close(&server->rig);
    mutex_destroy(&server->lock);
    free(server->accepting);
    free(server->sessions);
    free(server);
}

typedef struct {
    server_t *server;
    uint32_t seed;
} client_t;

static uint32_t client_random(client_t *client, uint32_t below)
{
    client->seed = client->seed * 1664525u + 1013904223u;
    return (client->seed >> 8) % below;
}

/* All connections at once: sends on each, then reads from each. */
static void client_echo(void *arg)
{
    client_t *client = arg;
    test_t *t = client->server->rig.t;
    peer_t peers[CONNS];
    uint32_t lens[CONNS];
    uint32_t offsets[CONNS] = {0};
    uint8_t data[MESSAGE_MAX];
    for (uint32_t i = 0; i < CONNS; i++) {
        peers[i] = peer_connect(&client->server->rig.addr);
        EXPECT(t, peers[i] != PEER_NONE);
    }
    for (int round = 0; round < ROUNDS && !test_has_failed(t); round++) {
        for (uint32_t i = 0; i < CONNS; i++) {
            lens[i] = client_random(client, MESSAGE_MAX) + 1;
            pattern_fill(data, lens[i], i, offsets[i]);
            EXPECT(t, peer_send(peers[i], data, lens[i]));
        }
        for (uint32_t i = 0; i < CONNS && !test_has_failed(t); i++) {
            EXPECT(t, peer_recv_all(peers[i], data, lens[i]));
            EXPECT(t, pattern_holds(data, lens[i], i, offsets[i]));
            offsets[i] += lens[i];
        }
    }
    for (uint32_t i = 0; i < CONNS; i++) {
        peer_close(&peers[i]);
    }
}

/* Connection after connection, some of which end with RST, with or without traffic. */
static void client_churn(void *arg)
{
    client_t *client = arg;
    test_t *t = client->server->rig.t;
    uint8_t data[MESSAGE_MAX];
    for (uint32_t i = 0; i < CHURN && !test_has_failed(t); i++) {
        peer_t peer = peer_connect(&client->server->rig.addr);
        EXPECT(t, peer != PEER_NONE);
        uint32_t kind = client_random(client, 8);
        uint32_t len = client_random(client, MESSAGE_MAX) + 1;
        pattern_fill(data, len, i, 0);
        if (kind > 1) {
            EXPECT(t, peer_send(peer, data, len));
        }
        if (kind > 3) {
            EXPECT(t, peer_recv_all(peer, data, len) && pattern_holds(data, len, i, 0));
        }
        if (kind % 2 == 0) {
            peer_reset(&peer);
        } else {
            peer_close(&peer);
        }
    }
}

static void stress(test_t *t, uint32_t concurrency, uint32_t sessions, void (*run)(void *arg),
                   uint32_t connections)
{
    server_t *server = server_open(t, concurrency, sessions);
    client_t clients[CLIENTS];
    thread_t *threads[CLIENTS];
    for (uint32_t i = 0; i < CLIENTS; i++) {
        clients[i] = (client_t){server, 12345 + i};
        threads[i] = thread_start(run, &clients[i]);
    }
    for (int i = 0; i < CLIENTS; i++) {
        thread_join(threads[i]);
    }
    uint64_t end_ms = peer_now_ms() + DEADLINE_MS;
    while (atomic_u64_load(&server->served) < connections) {
        REQUIRE(t, peer_now_ms() < end_ms);
        thread_sleep(1);
    }
    server_close(server);
}

static void stress_echo_one_at_a_time(test_t *t)
{
    stress(t, 1, SESSIONS, client_echo, SESSIONS);
}

static void stress_echo_on_all_processors(test_t *t)
{
    stress(t, WORKERS, SESSIONS, client_echo, SESSIONS);
}

/* The platform may hide a client that reset in the backlog, so no count is required. */
static void stress_churn_one_at_a_time(test_t *t)
{
    stress(t, 1, 16, client_churn, 0);
}

static void stress_churn_on_all_processors(test_t *t)
{
    stress(t, WORKERS, 16, client_churn, 0);
}

const test_entry_t tests_stress[] = {
    {"stress_echo_one_at_a_time", stress_echo_one_at_a_time},
    {"stress_echo_on_all_processors", stress_echo_on_all_processors},
    {"stress_churn_one_at_a_time", stress_churn_one_at_a_time},
    {"stress_churn_on_all_processors", stress_churn_on_all_processors},
    {NULL, NULL},
};
