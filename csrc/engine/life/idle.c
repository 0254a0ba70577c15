/* idle.c: the slots that are idle, and which of them accepts next. */
#include "idle.h"

#include "../state.h"
#include "pool_size.h"

/* The engine's lock is held. */
static void give(engine_t *engine, slot_t *slot)
{
    if (slot->sock == IO_SOCK_NONE) {
        list_push_back(&engine->idle, &slot->pool_node);
    } else {
        pool_size_note(engine, io_now_ns(engine->io));
        list_push_front(&engine->idle, &slot->pool_node);
        engine->spare++;
    }
}

void idle_give(engine_t *engine, slot_t *slot)
{
    mutex_lock(&engine->lock);
    give(engine, slot);
    mutex_unlock(&engine->lock);
}

void idle_give_back(engine_t *engine, slot_t *slot)
{
    mutex_lock(&engine->lock);
    give(engine, slot);
    engine->recycling_now--;
    engine->stats.sockets_recycled += slot->sock != IO_SOCK_NONE;
    mutex_unlock(&engine->lock);
}

/* Sockets that will be back in a moment, as far as a pool that is not full may wait for them: a
 * quarter of its accepts are posted in any case. The engine's lock is held. */
static uint64_t count_returning(engine_t *engine)
{
    uint64_t cooling = atomic_u64_load(&engine->cooling);
    uint64_t returning = engine->recycling_now > cooling ? engine->recycling_now - cooling : 0;
    uint64_t least = engine->options.accept_pool;
    uint64_t most = least / 4 * 3;
    return returning < most ? returning : most;
}

/* Whether one more accept is wanted, and there is a socket for it or one is to be made. The
 * engine's lock is held. */
static bool is_wanted(engine_t *engine, uint64_t now_ns)
{
    uint64_t pending = engine->stats.accepts_pending;
    if (engine_is_stopping(engine) || engine->paused || now_ns < engine->retry_at_ns ||
        pending >= engine->pool_target) {
        return false;
    }
    return engine->spare > 0 || engine->recycling != RECYCLING_VERIFIED ||
           pending + count_returning(engine) < engine->options.accept_pool;
}

slot_t *idle_take(engine_t *engine)
{
    uint64_t now_ns = io_now_ns(engine->io);
    mutex_lock(&engine->lock);
    slot_t *slot = NULL;
    if (is_wanted(engine, now_ns)) {
        pool_size_note(engine, now_ns);
        list_node_t *node = list_pop_front(&engine->idle);
        if (node != NULL) {
            slot = LIST_ENTRY(node, slot_t, pool_node);
            engine->spare -= slot->sock != IO_SOCK_NONE;
        } else {
            slot = table_grow(&engine->table);
        }
        if (slot == NULL) {
            pool_size_put_off(engine, now_ns, 0);
        } else {
            engine->stats.accepts_pending++;
        }
    }
    mutex_unlock(&engine->lock);
    return slot;
}

slot_t *idle_take_spare(engine_t *engine)
{
    mutex_lock(&engine->lock);
    list_node_t *node = engine->spare > 0 ? list_pop_front(&engine->idle) : NULL;
    engine->spare -= node != NULL;
    mutex_unlock(&engine->lock);
    return node == NULL ? NULL : LIST_ENTRY(node, slot_t, pool_node);
}
