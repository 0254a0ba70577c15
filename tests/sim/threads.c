/* threads.c: the engine's threads, one step at a time. */
#include "toying.h"

static void threads__be_manager(void *context)
{
    world_t *world = context;
    engine_open_pool(world->engine);
    while (engine_manage(world->engine)) {
    }
    world->manager_gone = true;
}

void threads_make(world_t *world)
{
    world->manager = fiber_new(threads__be_manager, world);
    world->manager_busy = true; /* it has not begun */
    for (uint32_t i = 0; i < WORKERS_MAX; i++) {
        world->workers[i].phase = WORKER_GONE;
    }
}

void threads_start(world_t *world)
{
    for (uint32_t i = 0; i < WORKERS_MAX; i++) {
        worker_t *worker = &world->workers[i];
        while (i < world->config.workers && worker->batch == NULL) {
            worker->batch = engine_join(world->engine); /* which may run out of memory */
            worker->phase = WORKER_WAITS;
        }
    }
    fiber_resume(world->manager);
    world->manager_busy = false;
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
    fiber_resume(world->manager);
    world->manager_busy = false;
    return true;
}

/* What a worker does when it has come to events, and when it has not. */
static void threads__go_on(world_t *world, worker_t *worker)
{
    worker->phase = WORKER_WAITS;
    if (batch_has_work(worker->batch)) {
        engine_begin(world->engine, worker->batch);
        worker->phase = WORKER_CALLS;
    }
}

static void threads__poll(world_t *world, worker_t *worker)
{
    if (atomic_u32_load(&world->engine->stop) == STOP_STOPPED) {
        /* It slept in io_wait until the wake-up that let it run, and only then looks here. */
        sim_take_wake(world->io);
    } else if (engine_help(world->engine, worker->batch)) {
        threads__go_on(world, worker);
        return;
    } else if (!sim_has_work(world->io)) {
        return; /* others have taken it meanwhile: it sleeps on */
    }
    if (!engine_poll(world->engine, worker->batch, IO_INFINITE)) {
        worker->phase = WORKER_GONE;
        return;
    }
    threads__go_on(world, worker);
}

static void threads__settle(world_t *world, worker_t *worker)
{
    engine_settle(world->engine, worker->batch);
    threads__go_on(world, worker);
}

/* A callback that blocks; when all workers are in one, nobody serves the port. */
static void threads__block(world_t *world, worker_t *worker)
{
    uint64_t first_ns = UINT64_MAX;
    worker->until_ns = io_now_ns(world->io) + 1 + rng_next(&world->rng) % world->config.think_ns;
    for (uint32_t i = 0; i < world->config.workers; i++) {
        const worker_t *other = &world->workers[i];
        uint64_t until_ns = other->phase == WORKER_IN_CALL ? other->until_ns : 0;
        first_ns = until_ns < first_ns ? until_ns : first_ns;
    }
    world->blocked_ns = first_ns > world->blocked_ns ? first_ns : world->blocked_ns;
}

static void threads__call(world_t *world, worker_t *worker)
{
    if (!worker->goes_on) {
        worker->event = batch_take(worker->batch);
    }
    worker->goes_on = false;
    if (worker->event == NULL) {
        sending_release(world, &worker->batch->done);
        (void)engine_finish(world->engine, worker->batch);
        worker->phase = WORKER_SETTLES;
        if (engine_gather(world->engine, worker->batch)) {
            threads__go_on(world, worker);
        }
        return;
    }
    if (!toying_hear(world, worker->event) && !app_begin(world, worker->event, worker->batch)) {
        return;
    }
    worker->phase = WORKER_IN_CALL;
    worker->until_ns = 0;
    /* Not while the server stops: a stop may take as long as its callbacks do. */
    if (!world->stop_asked && rng_chance(&world->rng, world->config.odds_slow_call)) {
        threads__block(world, worker);
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
        app_end(world, worker->event, worker->batch);
        worker->phase = WORKER_CALLS;
        worker->goes_on = worker->event->kind == EVENT_DATA;
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
