/* pool_size.c: how many accepts are posted and sockets kept: growth by what is missing, and what
 * nobody needs is given back. */
#include "pool_size.h"

#include "../state.h"

/* After an accept that failed for want of something, none is posted for so long. */
#define RETRY_NS (50 * NS_PER_MS)

/* The pool is at ease while this part of it is left when it is refilled. */
#define EASE_PART 2u

/* Clients that come within so long belong to one shortage. */
#define SHORTAGE_NS (50 * NS_PER_MS)

/* Of what nobody has needed for quiet_ns, half is given back each twelfth of that. */
#define SHRINK_PART 12u

void pool_size_begin(engine_t *engine)
{
    uint64_t now_ns = io_now_ns(engine->io);
    engine->pool_target = engine->options.accept_pool;
    low_water_init(&engine->unneeded, engine->options.quiet_ns, now_ns);
    low_water_init(&engine->unused, engine->options.quiet_ns, now_ns);
}

/* Of the accepts that the pool has grown by, those that nobody needs at this moment. Where sockets
 * are recycled it may have fewer than it would have, for want of spare ones: those that it lacks
 * are not needed either. The engine's lock is held. */
static uint32_t count_extra(const engine_t *engine)
{
    uint64_t pending = engine->stats.accepts_pending;
    uint64_t least = engine->options.accept_pool;
    uint64_t most = engine->pool_target;
    uint64_t reach = pending + engine->spare; /* what it has when it is refilled */
    reach = reach < least ? least : reach;
    reach = reach < most ? reach : most;
    uint64_t taken = reach > pending ? reach - pending : 0;
    uint64_t grown = most - least;
    return grown > taken ? (uint32_t)(grown - taken) : 0;
}

/* The spare sockets that would be left if the pool were full. The engine's lock is held. */
static uint32_t count_unused(const engine_t *engine)
{
    uint64_t pending = engine->stats.accepts_pending;
    uint64_t wanted = pending < engine->pool_target ? engine->pool_target - pending : 0;
    return engine->spare > wanted ? engine->spare - (uint32_t)wanted : 0;
}

void pool_size_note(engine_t *engine, uint64_t now_ns)
{
    low_water_note(&engine->unneeded, count_extra(engine), now_ns);
    low_water_note(&engine->unused, count_unused(engine), now_ns);
}

void pool_size_taken(engine_t *engine, bool client, uint64_t now_ns)
{
    engine->stats.accepts_pending--;
    pool_size_note(engine, now_ns);
    engine->shortage_owed -= engine->shortage_owed > 0;
    if (client) {
        if (engine->shortage == 0) {
            engine->shortage_ns = now_ns;
        }
        engine->shortage++;
    }
}

void pool_size_lost(engine_t *engine)
{
    pool_size_note(engine, io_now_ns(engine->io));
    low_water_lower(&engine->unneeded, 1);
    low_water_lower(&engine->unused, 1);
}

/* Whether the pool may grow. While accepts fail, a larger pool would only fail more often, and a
 * crowd that is turned away is to find no more of them between it and those that are served. The
 * engine's lock is held. */
static bool may_grow(const engine_t *engine)
{
    return !engine->paused && engine->retry_at_ns == 0 && !engine->refusing;
}

/* Has the pool hold all that came at once, where it did not. The engine's lock is held. */
static void grow(engine_t *engine, uint64_t now_ns)
{
    uint32_t target = engine->pool_target;
    bool at_ease =
        engine->shortage_owed == 0 && engine->stats.accepts_pending >= target / EASE_PART;
    if (at_ease || now_ns >= engine->shortage_ns + SHORTAGE_NS) {
        engine->shortage = 0;
        engine->shortage_owed = 0;
    }
    uint32_t most = engine->options.accept_pool_max;
    uint32_t wanted = engine->shortage < most ? engine->shortage : most;
    if (wanted > target && may_grow(engine)) {
        engine->stats.accept_pool_grown += wanted - target;
        engine->pool_target = wanted;
    }
}

void pool_size_grow(engine_t *engine, uint64_t now_ns)
{
    mutex_lock(&engine->lock);
    grow(engine, now_ns);
    mutex_unlock(&engine->lock);
}

void pool_size_is_dry(engine_t *engine, uint64_t now_ns)
{
    mutex_lock(&engine->lock);
    if (engine->shortage == 0) {
        engine->shortage_ns = now_ns;
    }
    engine->shortage_owed = (uint32_t)engine->stats.accepts_pending;
    mutex_unlock(&engine->lock);
}

/* Half of what nobody has needed of NUMBER, which is then no more of it. */
static uint32_t half_unneeded(low_water_t *water, uint32_t number, uint64_t now_ns)
{
    uint32_t unneeded = low_water_read(water, number, now_ns);
    uint32_t half = unneeded / 2 + unneeded % 2;
    low_water_lower(water, half);
    return half;
}

surplus_t pool_size_shrink(engine_t *engine, uint64_t now_ns)
{
    surplus_t surplus = {0};
    mutex_lock(&engine->lock);
    uint64_t pending = engine->stats.accepts_pending;
    if (now_ns >= engine->shrink_ns) {
        uint32_t step = half_unneeded(&engine->unneeded, count_extra(engine), now_ns);
        engine->pool_target -= step;
        engine->stats.accept_pool_shrunk += step;
        surplus.sockets = half_unneeded(&engine->unused, count_unused(engine), now_ns);
        engine->shrink_ns = now_ns + engine->options.quiet_ns / SHRINK_PART;
    }
    uint32_t wanted = engine->paused ? 0 : engine->pool_target;
    surplus.accepts = pending > wanted ? pending - wanted : 0;
    mutex_unlock(&engine->lock);
    return surplus;
}

void pool_size_put_off(engine_t *engine, uint64_t now_ns, int error)
{
    engine->retry_at_ns = now_ns + RETRY_NS;
    engine->shortages++;
    engine->shortage_error = error;
}

uint64_t engine_shortages(engine_t *engine, int *error)
{
    mutex_lock(&engine->lock);
    uint64_t shortages = engine->shortages;
    *error = engine->shortage_error;
    mutex_unlock(&engine->lock);
    return shortages;
}

uint32_t engine_pool_size(engine_t *engine)
{
    mutex_lock(&engine->lock);
    uint32_t size = engine->pool_target;
    mutex_unlock(&engine->lock);
    return size;
}
