/* threads.c: the engine's threads, one step at a time. */
#include "world.h"

#include <stdlib.h>

void threads_free(world_t *world)
{
    for (uint32_t i = 0; i < WORKERS_MAX; i++) {
        free(world->workers[i].batch);
        world->workers[i].batch = NULL;
    }
}

/* engine_manage up to its sleep, which ends in manager_sleeps. */
static void threads__put_to_bed(world_t *world)
{
    if (setjmp(world->manager_bed) == 0) {
        if (engine_manage(world->engine)) {
            world_fail(world, "the manager did not sleep");
        }
        world->manager_gone = true;
    }
    world->manager_busy = false;
}

void threads_start(world_t *world)
{
    for (uint32_t i = 0; i < world->config.workers; i++) {
        batch_init(world->workers[i].batch);
    }
    for (uint32_t i = world->config.workers; i < WORKERS_MAX; i++) {
        world->workers[i].phase = WORKER_GONE;
    }
    world->manager_busy = true;
    threads__put_to_bed(world);
}

static bool threads__manager_may(const world_t *world)
{
    return !world->manager_gone && !world->manager_busy && sim_manager_is_due(world->io);
}

bool threads_manage(world_t *world)
{
    if (!threads__manager_may(world)) {
        return false;
    }
    sim_trace(world->io, "manager", 0, 0);
    world->manager_busy = true;
    sim_manager_resume(world->io);
    if (engine_manage(world->engine)) {
        threads__put_to_bed(world);
    } else {
        world->manager_gone = true;
        world->manager_busy = false;
    }
    return true;
}

/* The events that a worker has come to are its own from here on. */
static void threads__take_events(world_t *world, worker_t *worker)
{
    batch_t *batch = worker->batch;
    if (batch->count == 0 && sendq_is_empty(&batch->done)) {
        worker->phase = WORKER_WAITS;
        return;
    }
    worker->events = batch_swap(batch, &worker->count);
    worker->at = 0;
    worker->phase = WORKER_CALLS;
    for (uint32_t i = 0; i < worker->count; i++) {
        uint32_t slot_index = worker->events[i].slot->index;
        if (world->held[slot_index]) {
            world_fail(world, "two events of slot %u are in hand at once", slot_index);
        }
        world->held[slot_index] = true;
    }
}

static void threads__poll(world_t *world, worker_t *worker)
{
    if (atomic_u32_load(&world->engine->stop) == STOP_STOPPED) {
        /* It slept in io_wait until the wake-up that let it run, and only then looks here. */
        sim_take_wake(world->io);
    }
    if (!engine_poll(world->engine, worker->batch)) {
        worker->phase = WORKER_GONE;
        return;
    }
    threads__take_events(world, worker);
}

static void threads__settle(world_t *world, worker_t *worker)
{
    uint32_t left = worker->count - worker->at;
    uint32_t part = rng_below(&world->rng, 2) == 0 ? left : left > 0;
    event_t *events = worker->events + worker->at;
    /* The slot may serve the next client by the time the call returns. */
    for (uint32_t i = 0; i < part; i++) {
        world->held[events[i].slot->index] = false;
    }
    engine_settle(world->engine, worker->batch, events, part);
    worker->at += part;
    if (worker->at == worker->count) {
        threads__take_events(world, worker);
    }
}

static void threads__call(world_t *world, worker_t *worker)
{
    if (worker->at == worker->count) {
        sending_release(world, &worker->batch->done);
        worker->phase = WORKER_SETTLES;
        worker->at = 0;
        return;
    }
    app_begin(world, &worker->events[worker->at], worker->batch);
    worker->phase = WORKER_IN_CALL;
    worker->until_ns = 0;
    if (rng_chance(&world->rng, world->config.odds_slow_call)) {
        worker->until_ns =
            io_now_ns(world->io) + 1 + rng_next(&world->rng) % world->config.think_ns;
    }
}

static bool threads__worker_may(const world_t *world, const worker_t *worker)
{
    switch (worker->phase) {
    case WORKER_WAITS:
        return !worker->busy && sim_has_work(world->io);
    case WORKER_IN_CALL:
        return !worker->busy && worker->until_ns <= io_now_ns(world->io);
    case WORKER_CALLS:
    case WORKER_SETTLES:
        return !worker->busy;
    case WORKER_GONE:
        break;
    }
    return false;
}

bool threads_work(world_t *world, uint32_t index)
{
    worker_t *worker = &world->workers[index];
    if (!threads__worker_may(world, worker)) {
        return false;
    }
    sim_trace(world->io, "worker", index, worker->phase);
    worker->busy = true;
    switch (worker->phase) {
    case WORKER_WAITS:
        threads__poll(world, worker);
        break;
    case WORKER_CALLS:
        threads__call(world, worker);
        break;
    case WORKER_IN_CALL:
        app_end(world, &worker->events[worker->at++], worker->batch);
        worker->phase = WORKER_CALLS;
        break;
    case WORKER_SETTLES:
        threads__settle(world, worker);
        break;
    case WORKER_GONE:
        break;
    }
    worker->busy = false;
    return true;
}

bool threads_are_gone(const world_t *world)
{
    bool gone = world->manager_gone;
    for (uint32_t i = 0; i < WORKERS_MAX; i++) {
        gone &= world->workers[i].phase == WORKER_GONE;
    }
    return gone;
}

bool threads_are_urgent(const world_t *world)
{
    bool urgent = threads__manager_may(world);
    for (uint32_t i = 0; i < WORKERS_MAX; i++) {
        urgent |= threads__worker_may(world, &world->workers[i]);
    }
    return urgent;
}

uint64_t threads_next_ns(const world_t *world)
{
    uint64_t next_ns = world->manager_gone ? UINT64_MAX : sim_manager_due_ns(world->io);
    for (uint32_t i = 0; i < WORKERS_MAX; i++) {
        const worker_t *worker = &world->workers[i];
        if (worker->phase == WORKER_IN_CALL && worker->until_ns < next_ns) {
            next_ns = worker->until_ns;
        }
    }
    return next_ns;
}
