/* test_wake.c: wake-ups of workers. */
#include "rig.h"

#define WORKERS 4

typedef struct {
    rig_t *rig;
    atomic_u32_t entered;
    atomic_u32_t returned;
} sleepers_t;

/* One io_wait, which must end by a wake-up. */
static void sleeper_run(void *arg)
{
    sleepers_t *sleepers = arg;
    io_event_t events[4];
    (void)atomic_u32_exchange(&sleepers->entered, 1);
    uint64_t start_ms = peer_now_ms();
    EXPECT(sleepers->rig->t, io_wait(sleepers->rig->io, events, 4, DEADLINE_MS, NULL) == 0);
    EXPECT(sleepers->rig->t, peer_now_ms() - start_ms < DEADLINE_MS / 2);
    (void)atomic_u32_exchange(&sleepers->returned, 1);
}

static void sleepers_await(sleepers_t *sleepers, atomic_u32_t *flag)
{
    uint64_t end_ms = peer_now_ms() + DEADLINE_MS;
    while (atomic_u32_load(flag) == 0) {
        REQUIRE(sleepers->rig->t, peer_now_ms() < end_ms);
        thread_sleep(1);
    }
}

static void wake_before_the_wait(test_t *t)
{
    rig_t rig;
    rig_open(&rig, t);
    sleepers_t sleepers = {.rig = &rig};
    io_wake(rig.io, 1);
    sleeper_run(&sleepers);
    rig_quiet(&rig); /* it was for one */
    rig_close(&rig);
}

static void wake_several_before_the_waits(test_t *t)
{
    rig_t rig;
    rig_open(&rig, t);
    sleepers_t sleepers = {.rig = &rig};
    io_wake(rig.io, 3);
    for (int i = 0; i < 3; i++) {
        sleeper_run(&sleepers);
    }
    rig_close(&rig);
}

static void wake_during_the_wait(test_t *t)
{
    rig_t rig;
    rig_open(&rig, t);
    for (uint32_t pause_ms = 0; pause_ms < 30; pause_ms += 10) {
        sleepers_t sleepers = {.rig = &rig};
        thread_t *thread = thread_start(sleeper_run, &sleepers);
        sleepers_await(&sleepers, &sleepers.entered);
        thread_sleep(pause_ms);
        io_wake(rig.io, 1);
        thread_join(thread);
    }
    rig_close(&rig);
}

/* With concurrency 1 most of them wait for their turn, and must be reached there. */
static void wake_all_workers(test_t *t)
{
    rig_t rig;
    rig_open(&rig, t);
    for (uint32_t pause_ms = 0; pause_ms < 30; pause_ms += 10) {
        sleepers_t sleepers[WORKERS];
        thread_t *threads[WORKERS];
        for (int i = 0; i < WORKERS; i++) {
            sleepers[i] = (sleepers_t){.rig = &rig};
            threads[i] = thread_start(sleeper_run, &sleepers[i]);
        }
        thread_sleep(pause_ms);
        io_wake(rig.io, WORKERS);
        for (int i = 0; i < WORKERS; i++) {
            thread_join(threads[i]);
        }
    }
    rig_quiet(&rig);
    rig_close(&rig);
}

static void wake_one_by_one(test_t *t)
{
    rig_t rig;
    rig_open(&rig, t);
    sleepers_t sleepers[WORKERS];
    thread_t *threads[WORKERS];
    for (int i = 0; i < WORKERS; i++) {
        sleepers[i] = (sleepers_t){.rig = &rig};
        threads[i] = thread_start(sleeper_run, &sleepers[i]);
    }
    for (uint32_t woken = 1; woken <= WORKERS; woken++) {
        io_wake(rig.io, 1);
        uint64_t end_ms = peer_now_ms() + DEADLINE_MS;
        uint32_t returned = 0;
        while (returned < woken && peer_now_ms() < end_ms) {
            returned = 0;
            for (int i = 0; i < WORKERS; i++) {
                returned += atomic_u32_load(&sleepers[i].returned);
            }
            thread_sleep(1);
        }
        EXPECT(t, returned == woken);
    }
    for (int i = 0; i < WORKERS; i++) {
        thread_join(threads[i]);
    }
    rig_close(&rig);
}

/* A wake-up and completions together: none of them gets lost. */
static void wake_among_completions(test_t *t)
{
    rig_t rig;
    conn_t conn;
    rig_open(&rig, t);
    rig_connect(&rig, &conn);
    for (int i = 0; i < 20; i++) {
        char buf[8];
        io_wake(rig.io, 1);
        REQUIRE(t, rig_send(&rig, &conn.send, conn.sock, "x", 1) == 0);
        REQUIRE(t, peer_send(conn.peer, "y", 1));
        REQUIRE(t, rig_recv(&rig, &conn.recv, conn.sock, buf, sizeof buf) == 0);
        rig_await(&rig, &conn.send);
        rig_await(&rig, &conn.recv);
        REQUIRE(t, conn.send.bytes == 1 && conn.recv.bytes == 1);
    }
    rig_part(&rig, &conn);
    rig_close(&rig);
}

typedef struct {
    rig_t *rig;
    conn_t *conn;
} dequeuer_t;

/* One io_wait, which must end with the completion of a send. */
static void dequeuer_run(void *arg)
{
    dequeuer_t *dequeuer = arg;
    io_event_t event;
    uint32_t count = io_wait(dequeuer->rig->io, &event, 1, DEADLINE_MS, NULL);
    EXPECT(dequeuer->rig->t, count == 1);
    if (count == 1) {
        EXPECT(dequeuer->rig->t, io_event_op(&event) == &dequeuer->conn->send.op);
        EXPECT(dequeuer->rig->t, io_event_bytes(&event) == 1);
    }
}

/* A submit from another thread while every worker sleeps. */
static void submit_wakes_a_sleeper(test_t *t)
{
    rig_t rig;
    conn_t conn;
    rig_open(&rig, t);
    rig_connect(&rig, &conn);
    for (uint32_t pause_ms = 0; pause_ms < 30; pause_ms += 10) {
        dequeuer_t dequeuer = {&rig, &conn};
        thread_t *thread = thread_start(dequeuer_run, &dequeuer);
        thread_sleep(pause_ms);
        io_buf_t buf = io_buf("x", 1);
        REQUIRE(t, io_send(rig.io, &conn.send.op, conn.sock, &buf, 1, NULL) == 0);
        thread_join(thread);
    }
    rig_part(&rig, &conn);
    rig_close(&rig);
}

static void the_clock_goes_forward(test_t *t)
{
    rig_t rig;
    rig_open(&rig, t);
    uint64_t before_ns = io_now_ns(rig.io);
    thread_sleep(20);
    uint64_t passed_ns = io_now_ns(rig.io) - before_ns;
    REQUIRE(t, passed_ns >= 10000000u && passed_ns < (uint64_t)DEADLINE_MS * 1000000);
    rig_close(&rig);
}

const test_entry_t tests_wake[] = {
    {"wake_before_the_wait", wake_before_the_wait},
    {"wake_several_before_the_waits", wake_several_before_the_waits},
    {"wake_during_the_wait", wake_during_the_wait},
    {"wake_all_workers", wake_all_workers},
    {"wake_one_by_one", wake_one_by_one},
    {"wake_among_completions", wake_among_completions},
    {"submit_wakes_a_sleeper", submit_wakes_a_sleeper},
    {"the_clock_goes_forward", the_clock_goes_forward},
    {NULL, NULL},
};
