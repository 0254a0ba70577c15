/* thrift.c: that no socket is made or closed without need, and that the pool grows by what was
 * missing. */
#include "world.h"

/* Clients that come within so long belong to one shortage; the engine's period, and some slack. */
#define SHORTAGE_NS (60 * NS_PER_MS)

/* No socket is made so soon after a good one was closed, or all need was greater than of late. */
#define SOON_NS NS_PER_S

static bool thrift__recycles(const world_t *world)
{
    return world->engine->recycling == RECYCLING_VERIFIED && IO_ACCEPT_MAKES_SOCK;
}

/* How many sockets are needed now: those that serve or are disconnected, and those that accept, of
 * the least that the pool has. */
static uint64_t thrift__need(const world_t *world)
{
    const engine_stats_t *stats = &world->engine->stats;
    uint64_t least = world->config.engine.accept_pool;
    uint64_t accepting = stats->accepts_pending < least ? stats->accepts_pending : least;
    return stats->connections_active + world->engine->recycling_now + accepting;
}

static uint32_t thrift__place(const thrift_t *thrift, uint32_t behind)
{
    return (thrift->first + behind) % NEEDS_MAX;
}

/* Notes the need of this moment, and forgets what is over, or less than it. */
static void thrift__remember(world_t *world)
{
    thrift_t *thrift = &world->thrift;
    uint64_t now_ns = io_now_ns(world->io);
    uint64_t need = thrift__need(world);
    uint64_t busy = world->engine->stats.connections_active + world->engine->recycling_now;
    world->busy_peak = busy > world->busy_peak ? busy : world->busy_peak;
    while (thrift->count > 0 &&
           thrift->needs[thrift__place(thrift, thrift->count - 1)].need <= need) {
        thrift->count--;
    }
    thrift->step_need = need > thrift->step_need ? need : thrift->step_need;
    CHECK_THAT(world, thrift->count < NEEDS_MAX, "the needs of this world are too many");
    uint32_t place = thrift__place(thrift, thrift->count++);
    thrift->needs[place].at_ns = now_ns;
    thrift->needs[place].need = need;
    /* The engine's window moves on in parts: three quarters of it are certain. */
    uint64_t window_ns = world->config.engine.quiet_ns / 4 * 3;
    while (thrift->needs[thrift->first].at_ns + window_ns < now_ns) {
        thrift->first = thrift__place(thrift, 1);
        thrift->count--;
    }
}

/* The engine decides at each of its looks what is too much; what is closed then follows from it. */
static void thrift__decided(world_t *world)
{
    thrift_t *thrift = &world->thrift;
    thrift->decided_ns = world->engine->shrink_ns;
    thrift->decided_need = thrift->needs[thrift->first].need;
    thrift->decided_lost = thrift->lost;
    uint64_t pending = world->engine->stats.accepts_pending;
    uint64_t wanted = world->engine->pool_target;
    thrift->too_many = pending > wanted && !world->paused ? pending - wanted : 0;
}

/* A good socket is closed because it was one too many. */
static void thrift__shed(world_t *world)
{
    world->thrift.shed_ns = io_now_ns(world->io);
    world->thrift.shed_need = world->thrift.decided_need;
    world->thrift.shed_lost = world->thrift.decided_lost;
}

/* A socket has been closed, for CAUSE. */
static void thrift__closed(world_t *world, cause_t cause)
{
    thrift_t *thrift = &world->thrift;
    bool let_go = cause == CAUSE_SHRUNK && thrift->let_go > 0;
    thrift->let_go -= let_go;
    if (cause == CAUSE_SHRUNK && !let_go) {
        thrift__shed(world);
    } else {
        thrift->lost++;
    }
}

/* One more accept is about to be posted, on a socket that is to be made. */
static void thrift__making(world_t *world)
{
    engine_t *engine = world->engine;
    uint64_t returning = engine->recycling_now - atomic_u64_load(&engine->cooling);
    uint64_t least = world->config.engine.accept_pool;
    uint64_t most = least / 4 * 3;
    CHECK_THAT(world,
               engine->stats.accepts_pending + (returning < most ? returning : most) <= least,
               "a socket is made, and %u are about to come back", (unsigned)returning);
}

void thrift_note(world_t *world)
{
    const engine_stats_t *stats = &world->engine->stats;
    thrift_t *thrift = &world->thrift;
    if (thrift__recycles(world) && stats->accepts_pending == thrift->pending + 1 &&
        world->engine->spare == thrift->spare) {
        thrift__making(world);
    }
    thrift->pending = stats->accepts_pending;
    thrift->spare = world->engine->spare;
    thrift__remember(world);
    if (thrift->decided_ns != world->engine->shrink_ns) {
        thrift__decided(world);
    }
    for (int i = 0; i < CAUSE_COUNT; i++) {
        for (; thrift->replaced[i] < stats->replaced_by_cause[i]; thrift->replaced[i]++) {
            thrift__closed(world, (cause_t)i);
        }
    }
}

/* Sockets that somebody is about to give back, or to close, and that are in no list meanwhile. */
static uint32_t thrift__in_hand(world_t *world)
{
    table_t *table = &world->engine->table;
    uint32_t count = 0;
    for (uint32_t i = 0; i < table_count(table); i++) {
        const slot_t *slot = table_at(table, i);
        count += slot->state == SLOT_IDLE && slot->sock != IO_SOCK_NONE &&
                 !list_is_linked(&slot->pool_node);
    }
    return count;
}

/* Sockets that are closed, and that the engine is about to count: their clients still count as
 * served, though what served them is gone. */
static uint64_t thrift__uncounted(const world_t *world)
{
    uint64_t counted = 0;
    for (int i = 0; i < CAUSE_COUNT; i++) {
        counted += world->thrift.replaced[i];
    }
    uint32_t open = sim_open_socks(world->io) - 1; /* the listener */
    return sim_socks_made(world->io) - open - counted;
}

void thrift_made(world_t *world)
{
    const engine_options_t *options = &world->config.engine;
    if (!thrift__recycles(world) || world->stop_asked) {
        return;
    }
    thrift_note(world);
    const thrift_t *thrift = &world->thrift;
    uint64_t need = thrift->step_need; /* others may have come between the decision and this */
    uint32_t open = sim_open_socks(world->io) - 1 - thrift__in_hand(world); /* 1: the listener */
    CHECK_THAT(world, open <= need, "a socket is made, and there are %u of %u that are needed",
               open - 1, (unsigned)need);
    if (options->spare_max == SPARE_ENOUGH && thrift->shed_ns != 0 &&
        io_now_ns(world->io) < thrift->shed_ns + SOON_NS) {
        uint64_t lost = thrift->lost + thrift__uncounted(world) + thrift__in_hand(world);
        CHECK_THAT(world, need + lost > thrift->shed_need + thrift->shed_lost,
                   "a socket is made, and a good one was closed %.3f s ago",
                   (double)(io_now_ns(world->io) - thrift->shed_ns) / 1e9);
    }
}

void thrift_lets_go(world_t *world, bool over)
{
    if (over) {
        world->thrift.let_go++;
    } else if (world->thrift.too_many > 0) {
        world->thrift.too_many--; /* the pool shrinks; else accepting has been paused */
        thrift__shed(world);
    }
}

void thrift_came(world_t *world)
{
    thrift_t *thrift = &world->thrift;
    thrift->comers_ns[thrift->comers++ % COMERS_MAX] = io_now_ns(world->io);
}

/* The pool has grown, to no more than have come at once. */
static void thrift__growth(world_t *world)
{
    thrift_t *thrift = &world->thrift;
    uint32_t target = world->engine->pool_target;
    CHECK_THAT(world, target <= thrift->comers && target < COMERS_MAX,
               "the pool grows to %u, and %u clients have ever come", target,
               (unsigned)thrift->comers);
    uint64_t first_ns = thrift->comers_ns[(thrift->comers - target) % COMERS_MAX];
    uint64_t late_ns =
        SHORTAGE_NS + (world->blocked_ns > first_ns ? world->blocked_ns - first_ns : 0);
    CHECK_THAT(world, io_now_ns(world->io) <= first_ns + late_ns,
               "the pool grows to %u, and so many have not come at once", target);
}

void thrift_step(world_t *world)
{
    world->thrift.step_need = 0;
    thrift_note(world);
    if (world->engine->pool_target > world->pool_target && world->pool_target != 0) {
        thrift__growth(world);
    }
}

void thrift_end(world_t *world)
{
    CHECK_THAT(world,
               world->config.engine.spare_max != SPARE_ENOUGH ||
                   world->engine->stats.replaced_by_cause[CAUSE_SURPLUS] == 0,
               "a good socket was closed at once");
}
