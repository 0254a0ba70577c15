/* test_threads.c: several workers on one port: the concurrency value, and workers that block. */
#include <stdlib.h>
#include <string.h>

#include "rig.h"

#define CONNS   3
#define WORKERS 4

/* Workers that echo single bytes; the byte 'b' then blocks the worker that had it. */
typedef struct {
    rig_t rig;
    conn_t conns[CONNS];
    char bytes[CONNS];
    uint32_t worker_count;
    bool yields; /* before each byte that is echoed, whether it blocks or not */
    thread_t *workers[WORKERS];
    atomic_u32_t stop;
    atomic_u32_t release;
    atomic_u64_t blocked;
    atomic_u64_t freed;
    atomic_u64_t ended;
} crew_t;

static void crew_take(crew_t *crew, uint32_t i)
{
    char byte = crew->bytes[i];
    if (crew->yields) {
        io_yield(crew->rig.io);
    }
    io_buf_t buf = io_buf(&crew->bytes[i], 1);
    EXPECT(crew->rig.t,
           io_send(crew->rig.io, &crew->conns[i].send.op, crew->conns[i].sock, &buf, 1, NULL) == 0);
    if (byte == 'b') {
        uint64_t end_ms = peer_now_ms() + DEADLINE_MS;
        (void)atomic_u64_add(&crew->blocked, 1);
        while (atomic_u32_load(&crew->release) == 0 && peer_now_ms() < end_ms) {
            thread_sleep(1);
        }
        (void)atomic_u64_add(&crew->freed, 1);
    }
}

static void crew_event(crew_t *crew, const io_event_t *event)
{
    io_op_t *op = io_event_op(event);
    for (uint32_t i = 0; i < CONNS; i++) {
        conn_t *conn = &crew->conns[i];
        if (op == &conn->recv.op && io_event_bytes(event) == 1) {
            crew_take(crew, i);
        } else if (op == &conn->recv.op) {
            (void)atomic_u64_add(&crew->ended, 1);
        } else if (op == &conn->send.op) {
            EXPECT(crew->rig.t, io_event_bytes(event) == 1);
            EXPECT(crew->rig.t,
                   io_recv(crew->rig.io, &conn->recv.op, conn->sock, &crew->bytes[i], 1) == 0);
        }
    }
}

static void crew_run(void *arg)
{
    crew_t *crew = arg;
    io_event_t event; /* one: what else there is must not wait behind a byte that blocks */
    while (atomic_u32_load(&crew->stop) == 0) {
        if (io_wait(crew->rig.io, &event, 1, DEADLINE_MS, NULL) == 1) {
            crew_event(crew, &event);
        }
    }
}

/* On the heap: the workers outlive a test that fails. */
static crew_t *crew_open(test_t *t, uint32_t concurrency, uint32_t workers, bool yields)
{
    crew_t *crew = calloc(1, sizeof *crew);
    REQUIRE(t, crew != NULL);
    rig_open_for(&crew->rig, t, concurrency);
    for (uint32_t i = 0; i < CONNS; i++) {
        rig_connect(&crew->rig, &crew->conns[i]);
    }
    for (uint32_t i = 0; i < CONNS; i++) {
        REQUIRE(t, io_recv(crew->rig.io, &crew->conns[i].recv.op, crew->conns[i].sock,
                           &crew->bytes[i], 1) == 0);
    }
    crew->worker_count = workers;
    crew->yields = yields;
    for (uint32_t i = 0; i < workers; i++) {
        crew->workers[i] = thread_start(crew_run, crew);
    }
    return crew;
}

static void crew_await(crew_t *crew, atomic_u64_t *counter, uint64_t value)
{
    uint64_t end_ms = peer_now_ms() + DEADLINE_MS;
    while (atomic_u64_load(counter) < value) {
        REQUIRE(crew->rig.t, peer_now_ms() < end_ms);
        thread_sleep(1);
    }
}

static void crew_close(crew_t *crew)
{
    for (uint32_t i = 0; i < CONNS; i++) {
        peer_shutdown(crew->conns[i].peer);
    }
    crew_await(crew, &crew->ended, CONNS);
    atomic_u32_store(&crew->stop, 1);
    io_wake(crew->rig.io, crew->worker_count);
    for (uint32_t i = 0; i < crew->worker_count; i++) {
        thread_join(crew->workers[i]);
    }
    for (uint32_t i = 0; i < CONNS; i++) {
        rig_part(&crew->rig, &crew->conns[i]);
    }
    rig_close(&crew->rig);
    free(crew);
}

static bool echo(crew_t *crew, uint32_t i, char byte)
{
    char got = 0;
    peer_t peer = crew->conns[i].peer;
    return peer_send(peer, &byte, 1) && peer_recv_all(peer, &got, 1) && got == byte;
}

/* BLOCKED of the workers block; the rest must serve all, also the very connection whose worker
 * blocks: the completion of what that one submitted is for the others. */
static void crew_blocks(test_t *t, uint32_t concurrency, uint32_t workers, uint32_t blocked,
                        bool yields)
{
    crew_t *crew = crew_open(t, concurrency, workers, yields);
    for (int round = 0; round < 3; round++) {
        atomic_u32_store(&crew->release, 0);
        atomic_u64_store(&crew->blocked, 0);
        atomic_u64_store(&crew->freed, 0);
        for (uint32_t i = 0; i < blocked; i++) {
            REQUIRE(t, echo(crew, i, 'b'));
        }
        crew_await(crew, &crew->blocked, blocked);
        uint64_t start_ms = peer_now_ms();
        for (int k = 0; k < 10; k++) {
            for (uint32_t i = 0; i < CONNS; i++) {
                REQUIRE(t, echo(crew, i, 'x'));
            }
        }
        REQUIRE(t, peer_now_ms() - start_ms < DEADLINE_MS / 2);
        atomic_u32_store(&crew->release, 1);
        crew_await(crew, &crew->freed, blocked);
    }
    crew_close(crew);
}

static void blocked_one_of_two(test_t *t)
{
    crew_blocks(t, 1, 2, 1, false);
}

static void blocked_all_but_one(test_t *t)
{
    crew_blocks(t, 1, 4, 3, false);
}

static void blocked_with_room_for_two(test_t *t)
{
    crew_blocks(t, 2, 2, 1, false);
    crew_blocks(t, 2, 4, 3, false);
}

static void blocked_with_room_for_all(test_t *t)
{
    crew_blocks(t, 0, 4, 3, false);
}

/* Who said that it would block may do so, or not: its place is another's meanwhile. */
static void yielded(test_t *t)
{
    crew_blocks(t, 1, 4, 3, true);
    crew_blocks(t, 2, 4, 2, true);
}

const test_entry_t tests_threads[] = {
    {"blocked_one_of_two", blocked_one_of_two},
    {"blocked_all_but_one", blocked_all_but_one},
    {"blocked_with_room_for_two", blocked_with_room_for_two},
    {"blocked_with_room_for_all", blocked_with_room_for_all},
    {"yielded", yielded},
    {NULL, NULL},
};
