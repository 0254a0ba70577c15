/* world.c: the scheduler, and a run from its beginning to its end. */
#include "toying.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

/* A run that takes more steps than this after its stop was asked for does not end. */
#define STOP_STEPS_MAX 2000000u

/* A full look at everything, every so many steps. */
#define CHECK_ALL_STEPS 64u

void world_print_replay(const world_t *world)
{
    const plan_t *plan = &world->plan;
    double now_s = world->io == NULL ? 0.0 : (double)io_now_ns(world->io) / 1e9;
    (void)fprintf(stderr, "sim: in step %" PRIu64 ", after %.6f s of virtual time\n", world->steps,
                  now_s);
    (void)fprintf(stderr, "sim: replay: sim --seed %" PRIu64, plan->seed);
    if (plan->steps != 0) {
        (void)fprintf(stderr, " --steps %u", plan->steps);
    }
    if (plan->calm) {
        (void)fputs(" --calm", stderr);
    }
    if (plan->fail_submit != 0) {
        (void)fprintf(stderr, " --fail-submit %" PRIu64 " --error %d", plan->fail_submit,
                      plan->fail_submit_error);
    }
    if (plan->fail_alloc != 0) {
        (void)fprintf(stderr, " --fail-alloc %" PRIu64, plan->fail_alloc);
    }
    (void)fputc('\n', stderr);
    (void)fflush(NULL);
}

void world_fail(world_t *world, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    (void)fputs("sim: ", stderr);
    (void)vfprintf(stderr, format, args);
    (void)fputc('\n', stderr);
    va_end(args);
    world_print_replay(world);
    exit(1);
}

static void world__sim_failed(void *context, const char *what)
{
    world_fail(context, "%s", what);
}

static void world__manager_sleeps(void *context)
{
    world_t *world = context;
    fiber_rest(world->manager);
}

/* Nobody has anything to do now: on to the next thing that happens by itself. Clients that
 * think are passed over while the server stops, or they would make it a long story. */
static bool world__skip_time(world_t *world)
{
    if (world->nest > 0 || sim_kernel_is_busy(world->io) || threads_are_urgent(world)) {
        return false;
    }
    uint64_t next_ns = threads_next_ns(world);
    if (next_ns != UINT64_MAX) {
        next_ns += rng_next(&world->rng) % world->config.manager_late_ns;
    }
    uint64_t timer_ns = sim_next_timer_ns(world->io);
    uint64_t crowd_ns = world->stop_asked ? UINT64_MAX : crowd_next_ns(world);
    next_ns = timer_ns < next_ns ? timer_ns : next_ns;
    next_ns = crowd_ns < next_ns ? crowd_ns : next_ns;
    if (next_ns == UINT64_MAX || next_ns <= io_now_ns(world->io)) {
        return false;
    }
    sim_advance(world->io, next_ns);
    return true;
}

static bool world__act(world_t *world, uint32_t who)
{
    switch (who) {
    case 0:
    case 1:
    case 2:
    case 3:
        return threads_work(world, who);
    case 4:
    case 5:
        if (sim_kernel_is_busy(world->io)) {
            sim_kernel_step(world->io);
            return true;
        }
        return false;
    case 6:
        return crowd_connect(world);
    case 7:
    case 8:
    case 9:
        return crowd_act(world);
    case 10:
        return threads_manage(world);
    case 11:
        return app_intrude(world);
    default:
        return world__skip_time(world);
    }
}

static bool world__act_as(world_t *world, uint32_t who)
{
    bool before = sim_set_foreign(world->io, who == 11);
    bool acted = world__act(world, who);
    (void)sim_set_foreign(world->io, before);
    return acted;
}

void world_step(world_t *world)
{
    uint32_t who = rng_below(&world->rng, 16);
    for (uint32_t i = 0; i < 13; i++) {
        if (world__act_as(world, (who + i) % 16)) {
            break;
        }
    }
    uint64_t chance = rng_next(&world->rng);
    uint64_t pass_ns = chance % 64 == 0 ? (chance >> 8) % 50000u : (chance >> 8) % 2000;
    sim_advance(world->io, io_now_ns(world->io) + pass_ns);
    world->steps++;
}

static void world__stop(world_t *world, uint64_t drain_ns)
{
    const sim_config_t *sim = &world->config.sim;
    uint64_t slack_ns = 3 * NS_PER_S + 4 * world->config.manager_late_ns;
    if (sim->odds_cancel_ignored + sim->odds_cancel_later > 0) {
        slack_ns += CANCEL_PATIENCE_NS * 16 / 15 + 3 * world->config.manager_late_ns;
    }
    sim_trace(world->io, "stop", drain_ns, 0);
    world->stop_asked = true;
    world->stop_due_ns = io_now_ns(world->io) + drain_ns + slack_ns + 2 * world->config.think_ns;
    engine_stop(world->engine, drain_ns);
}

static void world__serve(world_t *world)
{
    while (world->steps < world->config.steps) {
        world_step(world);
        check_step(world);
        if (world->steps % CHECK_ALL_STEPS == 0) {
            check_all(world);
        }
    }
}

static void world__wind_down(world_t *world)
{
    uint64_t begun = world->steps;
    world__stop(world, world->config.drain_ns);
    uint64_t again = world->config.stops_again ? begun + rng_below(&world->rng, 400) : UINT64_MAX;
    while (!threads_are_gone(world)) {
        world_step(world);
        check_step(world);
        if (world->steps >= again) {
            again = UINT64_MAX;
            world__stop(world, 0);
        }
        if (world->steps % CHECK_ALL_STEPS == 0) {
            check_all(world);
        }
        if (world->steps - begun > STOP_STEPS_MAX || io_now_ns(world->io) > world->stop_due_ns) {
            world_fail(world, "the stop does not end");
        }
    }
}

/* False where the engine could not be opened, for want of memory. */
static bool world__open(world_t *world)
{
    static const char *const calls = "engine_open";
    hooks_enter(world);
    int status = engine_open(&world->engine, &world->config.engine);
    if (status < 0) {
        hooks_enter(NULL);
        if (world->plan.fail_alloc == 0) {
            hooks_enter(world);
            world_fail(world, "%s failed with %d", calls, status);
        }
        return false;
    }
    world->io = world->engine->io;
    sim_hooks_t hooks = {world, world__sim_failed, world__manager_sleeps, toying_match,
                         toying_fill};
    sim_configure(world->io, &world->config.sim, &hooks);
    sim_trace_to(world->io, world->plan.log);
    return true;
}

static void world__add_up(world_t *world)
{
    totals_t *totals = world->totals;
    engine_stats_t stats;
    engine_stats(world->engine, &stats);
    totals->runs++;
    totals->steps += world->steps;
    totals->virtual_ns += io_now_ns(world->io);
    totals->submits += sim_submits(world->io);
    totals->recycled += stats.sockets_recycled;
    for (int i = 0; i < CAUSE_COUNT; i++) {
        totals->stats_replaced[i] += stats.replaced_by_cause[i];
    }
    for (int i = 0; i < SIM_FAULT_COUNT; i++) {
        totals->faults[i] += sim_faults(world->io)[i];
    }
}

static uint64_t world__run(world_t *world)
{
    uint64_t hash = 0;
    if (!world__open(world)) {
        return hash;
    }
    world->running = true;
    engine_start(world->engine);
    threads_start(world);
    world__serve(world);
    world__wind_down(world);
    world->running = false;
    check_end(world);
    requesting_end(world);
    naming_end(world);
    crowd_leave(world);
    world__add_up(world);
    hash = sim_trace_hash(world->io);
    engine_close(world->engine);
    return hash;
}

static void *world__memory(size_t count, size_t size)
{
    void *memory = calloc(count, size);
    if (memory == NULL) {
        (void)fputs("sim: no memory for the world itself\n", stderr);
        exit(2);
    }
    return memory;
}

uint64_t world_run(const plan_t *plan, totals_t *totals)
{
    world_t *world = world__memory(1, sizeof *world);
    world->plan = *plan;
    world->totals = totals;
    world->rng.state = rng_mix(plan->seed + 1);
    world->recs = world__memory(SESSIONS_MAX, sizeof *world->recs);
    world->pins = world__memory(PINS_MAX, sizeof *world->pins);
    world->casts = world__memory(CASTS_MAX, sizeof *world->casts);
    threads_make(world);
    config_make(&world->config, plan, &world->rng);
    world->config.engine.generation = &world->generation;
    lending_begin(world);
    recutting_begin(world);
    requesting_begin(world);
    naming_begin(world);
    toying_begin(world);
    uint64_t hash = world__run(world);
    totals->allocs += world->allocs;
    if (world->allocs_live != 0 || world->pins_live != 0) {
        world->io = NULL;
        world_fail(world, "%d blocks of memory and %u pinned buffers are left",
                   (int)world->allocs_live, world->pins_live);
    }
    hooks_enter(NULL);
    fiber_free(world->manager);
    toying_end(world);
    free(world->casts);
    free(world->pins);
    free(world->recs);
    free(world);
    return hash;
}
