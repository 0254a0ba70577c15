/* stats.c: the figures of an engine, from one moment. */
#include "state.h"
#include "work/crew.h"

/* What is queued for all sessions. */
static uint64_t count_queued(engine_t *engine)
{
    uint64_t queued = 0;
    uint32_t count = table_count(&engine->table);
    for (uint32_t i = 0; i < count; i++) {
        slot_t *slot = table_at(&engine->table, i);
        mutex_lock(&slot->lock);
        queued += slot->token == TOKEN_NONE ? 0 : slot->session.out.bytes;
        mutex_unlock(&slot->lock);
    }
    return queued;
}

void engine_stats(engine_t *engine, engine_stats_t *out)
{
    mutex_lock(&engine->lock);
    *out = engine->stats;
    out->stale_sends_blocked = atomic_u64_load(&engine->stale_sends);
    out->handshakes = atomic_u64_load(&engine->handshakes);
    out->sockets_cooling = atomic_u64_load(&engine->cooling);
    out->sockets_spare = engine->spare;
    mutex_unlock(&engine->lock);
    out->send_queue_bytes = count_queued(engine);
    crew_count(engine, out);
}
