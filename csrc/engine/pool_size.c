/* pool_size.c: how many accepts are kept posted: growth under load, shrink in quiet. */
#include "pool.h"
#include "recycle.h"
#include "state.h"

/* The pool is low when less than this part of it is left. */
#define LOW_MARK_PART 4

/* Without need for this long the pool gives back half of what it has grown by, and then
 * half of the rest each STEP_NS. */
#define QUIET_NS (5 * NS_PER_S)
#define STEP_NS  (1 * NS_PER_S)

void pool_grow(engine_t *engine, bool starved)
{
    uint64_t now_ns = io_now_ns(engine->io);
    mutex_lock(&engine->lock);
    uint32_t target = engine->pool_target;
    bool low = engine->stats.accepts_pending < target / LOW_MARK_PART;
    /* While accepts fail, a larger pool would only fail more often; a crowd that is turned away is
     * to find no more of them between it and those that are served; and a stop takes them all. */
    bool able = !engine->paused && engine->retry_at_ns == 0 && !engine->refusing &&
                !engine_is_stopping(engine);
    if ((starved || low) && able) {
        uint32_t room = engine->options.accept_pool_max - target;
        uint32_t added = room < target ? room : target;
        engine->pool_target += added;
        engine->stats.accept_pool_grown += added;
        engine->pool_quiet_ns = now_ns + QUIET_NS;
    }
    mutex_unlock(&engine->lock);
}

/* Sets a smaller target if it is time, and tells how many accepts and spare sockets are too
 * many by now. */
static void set_target(engine_t *engine, uint64_t now_ns, uint64_t *accepts, uint32_t *spare)
{
    mutex_lock(&engine->lock);
    uint32_t grown = engine->pool_target - engine->options.accept_pool;
    bool quiet = now_ns >= engine->pool_quiet_ns;
    if (quiet && grown > 0) {
        uint32_t step = (grown + 1) / 2;
        engine->pool_target -= step;
        engine->stats.accept_pool_shrunk += step;
        engine->pool_quiet_ns = now_ns + STEP_NS;
    }
    uint32_t wanted = engine->paused ? 0 : engine->pool_target;
    uint64_t pending = engine->stats.accepts_pending;
    *accepts = pending > wanted ? pending - wanted : 0;
    *spare = quiet && engine->spare > engine->pool_target ? engine->spare - engine->pool_target : 0;
    mutex_unlock(&engine->lock);
}

/* Cancels COUNT accepts, the newest slots' first: the old ones' memory is warm. */
static void let_go(engine_t *engine, uint64_t count)
{
    for (uint32_t i = table_count(&engine->table); i > 0 && count > 0; i--) {
        slot_t *slot = table_at(&engine->table, i - 1);
        mutex_lock(&slot->lock);
        if (slot->state == SLOT_ACCEPTING) {
            slot->let_go = true;
            io_cancel(engine->io, engine->listener, &slot->life.io);
            count--;
        }
        mutex_unlock(&slot->lock);
    }
}

/* Closes one spare socket; its slot goes back without it. */
static void close_spare(engine_t *engine)
{
    mutex_lock(&engine->lock);
    list_node_t *node = engine->spare > 0 ? list_pop_front(&engine->idle) : NULL;
    engine->spare -= node != NULL;
    mutex_unlock(&engine->lock);
    if (node == NULL) {
        return;
    }
    slot_t *slot = LIST_ENTRY(node, slot_t, pool_node);
    mutex_lock(&slot->lock);
    io_sock_close(engine->io, &slot->sock, false);
    mutex_unlock(&slot->lock);
    recycle_count(engine, CAUSE_SHRUNK);
    pool_give(engine, slot);
}

void pool_shrink(engine_t *engine, uint64_t now_ns)
{
    uint64_t accepts;
    uint32_t spare;
    set_target(engine, now_ns, &accepts, &spare);
    let_go(engine, accepts);
    for (; spare > 0; spare--) {
        close_spare(engine);
    }
}

void engine_pause(engine_t *engine, bool paused)
{
    mutex_lock(&engine->lock);
    engine->paused = paused;
    mutex_unlock(&engine->lock);
    io_wake_manager(engine->io);
}

uint32_t engine_pool_size(engine_t *engine)
{
    mutex_lock(&engine->lock);
    uint32_t size = engine->pool_target;
    mutex_unlock(&engine->lock);
    return size;
}
