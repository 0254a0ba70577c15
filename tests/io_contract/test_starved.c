/* test_starved.c: what the manager hears of a listener without an accept. */
#include <stdlib.h>
#include <string.h>

#include "rig.h"

/* A worker beside the manager: a backend may need one to see a connection come. */
typedef struct {
    rig_t rig;
    atomic_u32_t stop;
    thread_t *worker;
    atomic_u32_t completions;
} starved_t;

static void worker_run(void *arg)
{
    starved_t *starved = arg;
    io_event_t events[8];
    while (atomic_u32_load(&starved->stop) == 0) {
        uint32_t count = io_wait(starved->rig.io, events, 8, DEADLINE_MS, NULL);
        for (uint32_t i = 0; i < count; i++) {
            call_t *call = (call_t *)(void *)io_event_op(&events[i]);
            call->status = io_event_status(&events[i]);
            uint32_t seen = atomic_u32_load(&starved->completions);
            atomic_u32_store(&starved->completions, seen + 1); /* the only one who stores */
        }
    }
}

/* On the heap: the worker outlives a test that fails. */
static starved_t *starved_open(test_t *t)
{
    starved_t *starved = calloc(1, sizeof *starved);
    REQUIRE(t, starved != NULL);
    rig_open(&starved->rig, t);
    starved->worker = thread_start(worker_run, starved);
    return starved;
}

static void starved_close(starved_t *starved)
{
    atomic_u32_store(&starved->stop, 1);
    io_wake(starved->rig.io, 1);
    thread_join(starved->worker);
    rig_close(&starved->rig);
    free(starved);
}

static peer_t starved_connect(starved_t *starved)
{
    peer_t peer = peer_connect(&starved->rig.addr);
    REQUIRE(starved->rig.t, peer != PEER_NONE);
    return peer;
}

static bool starved_is_told(starved_t *starved, uint32_t timeout_ms)
{
    int result = io_wait_starved(starved->rig.io, starved->rig.listener, timeout_ms);
    REQUIRE(starved->rig.t, result == 0 || result == 1);
    return result == 1;
}

/* Not through the rig: the worker accounts for it. */
static void starved_accept(starved_t *starved, accept_t *accept)
{
    memset(accept, 0, sizeof *accept);
    accept->sock = IO_SOCK_NONE;
    REQUIRE(starved->rig.t, io_accept(starved->rig.io, &accept->call.op, starved->rig.listener,
                                      &accept->sock, &accept->buf) == 0);
}

static void starved_await(starved_t *starved, uint32_t completions)
{
    uint64_t end_ms = peer_now_ms() + DEADLINE_MS;
    while (atomic_u32_load(&starved->completions) < completions) {
        REQUIRE(starved->rig.t, peer_now_ms() < end_ms);
        thread_sleep(1);
    }
}

static void starved_tells_of_a_connection(test_t *t)
{
    starved_t *starved = starved_open(t);
    REQUIRE(t, !starved_is_told(starved, QUIET_MS));
    peer_t peer = starved_connect(starved);
    REQUIRE(t, starved_is_told(starved, DEADLINE_MS));
    REQUIRE(t, !starved_is_told(starved, QUIET_MS)); /* once */
    accept_t accept;
    starved_accept(starved, &accept);
    starved_await(starved, 1);
    rig_finish(&starved->rig, &accept);
    io_sock_close(starved->rig.io, &accept.sock, false);
    peer_close(&peer);
    starved_close(starved);
}

static void starved_is_silent_while_accepts_last(test_t *t)
{
    starved_t *starved = starved_open(t);
    accept_t accepts[3];
    peer_t peers[2];
    for (int i = 0; i < 3; i++) {
        starved_accept(starved, &accepts[i]);
    }
    for (int i = 0; i < 2; i++) {
        peers[i] = starved_connect(starved);
    }
    starved_await(starved, 2);
    REQUIRE(t, !starved_is_told(starved, QUIET_MS));
    io_cancel(starved->rig.io, starved->rig.listener, &accepts[0].call.op);
    io_cancel(starved->rig.io, starved->rig.listener, &accepts[1].call.op);
    io_cancel(starved->rig.io, starved->rig.listener, &accepts[2].call.op);
    starved_await(starved, 3);
    for (int i = 0; i < 3; i++) {
        io_sock_close(starved->rig.io, &accepts[i].sock, false);
    }
    for (int i = 0; i < 2; i++) {
        peer_close(&peers[i]);
    }
    starved_close(starved);
}

/* An accept arms it again, and the connection behind the one it takes is told. */
static void starved_tells_again_after_an_accept(test_t *t)
{
    starved_t *starved = starved_open(t);
    accept_t accepts[2];
    peer_t peers[3];
    for (int i = 0; i < 3; i++) {
        peers[i] = starved_connect(starved);
    }
    for (int i = 0; i < 2; i++) {
        REQUIRE(t, starved_is_told(starved, DEADLINE_MS));
        starved_accept(starved, &accepts[i]);
        starved_await(starved, (uint32_t)i + 1);
    }
    REQUIRE(t, starved_is_told(starved, DEADLINE_MS));
    for (int i = 0; i < 2; i++) {
        rig_finish(&starved->rig, &accepts[i]);
        io_sock_close(starved->rig.io, &accepts[i].sock, false);
    }
    for (int i = 0; i < 3; i++) {
        peer_close(&peers[i]);
    }
    starved_close(starved);
}

typedef struct {
    rig_t *rig;
    uint32_t pause_ms;
} waker_t;

static void waker_run(void *arg)
{
    waker_t *waker = arg;
    thread_sleep(waker->pause_ms);
    io_wake_manager(waker->rig->io);
}

static void manager_wakes_before_and_during(test_t *t)
{
    starved_t *starved = starved_open(t);
    for (uint32_t pause_ms = 0; pause_ms < 30; pause_ms += 10) {
        waker_t waker = {&starved->rig, pause_ms};
        thread_t *thread = pause_ms == 0 ? NULL : thread_start(waker_run, &waker);
        if (thread == NULL) {
            waker_run(&waker);
        }
        uint64_t start_ms = peer_now_ms();
        REQUIRE(t, !starved_is_told(starved, DEADLINE_MS));
        REQUIRE(t, peer_now_ms() - start_ms < DEADLINE_MS / 2);
        if (thread != NULL) {
            thread_join(thread);
        }
    }
    uint64_t start_ms = peer_now_ms(); /* and nothing is left of them */
    REQUIRE(t, !starved_is_told(starved, QUIET_MS));
    REQUIRE(t, peer_now_ms() - start_ms + 20 >= QUIET_MS);
    starved_close(starved);
}

const test_entry_t tests_starved[] = {
    {"starved_tells_of_a_connection", starved_tells_of_a_connection},
    {"starved_is_silent_while_accepts_last", starved_is_silent_while_accepts_last},
    {"starved_tells_again_after_an_accept", starved_tells_again_after_an_accept},
    {"manager_wakes_before_and_during", manager_wakes_before_and_during},
    {NULL, NULL},
};
