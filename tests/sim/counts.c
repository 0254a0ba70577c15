/* counts.c: what the engine counts of its clients: by address, and by the reason of their end. */
#include "world.h"

/* The clients of each address are counted, and nobody has too many. */
void counts_check_peers(world_t *world, uint64_t active)
{
    engine_t *engine = world->engine;
    uint32_t limit = world->config.engine.max_connections_per_ip;
    uint32_t served[UINT8_MAX + 1] = {0};
    for (uint32_t i = 0; i < table_count(&engine->table); i++) {
        const slot_t *slot = table_at(&engine->table, i);
        if (slot->token != TOKEN_NONE) {
            served[sim_host_of(&slot->session.peer)]++;
        }
    }
    uint64_t counted = 0;
    uint32_t used = 0;
    for (uint32_t i = 0; i < engine->peers.size; i++) {
        const place_t *place = &engine->peers.places[i];
        uint32_t host = (uint32_t)place->low & UINT8_MAX;
        counted += place->count;
        used += place->count > 0;
        CHECK_THAT(world, place->count == 0 || place->count == served[host],
                   "%u clients are counted for host %u, and there are %u", place->count, host,
                   served[host]);
        CHECK_THAT(world, place->count <= limit, "host %u has too many clients", host);
    }
    CHECK_THAT(world, counted == (limit == 0 ? 0 : active) && used == engine->peers.used,
               "%u clients are counted for %u addresses", (unsigned)counted, engine->peers.used);
}

/* Every client that is no longer counted as connected is counted under one reason. */
void counts_check_ends(world_t *world)
{
    const engine_stats_t *stats = &world->engine->stats;
    uint64_t ended = 0;
    for (int i = 0; i < REASON_COUNT; i++) {
        ended += stats->closed_by_reason[i];
        /* The end is told first, and counted when the slot is free. */
        CHECK_THAT(world, stats->closed_by_reason[i] <= world->ends[i],
                   "the engine counts %u ends for reason %d, the application %u",
                   (unsigned)stats->closed_by_reason[i], i, (unsigned)world->ends[i]);
    }
    CHECK_THAT(world, ended == stats->connections_total - stats->connections_active,
               "%u ends are counted, of %u clients %u are there", (unsigned)ended,
               (unsigned)stats->connections_total, (unsigned)stats->connections_active);
}

uint64_t counts_pockets(world_t *world, const slab_t *slab)
{
    uint64_t found = 0;
    for (batch_t *batch = atomic_ptr_load(&world->engine->crew); batch != NULL;
         batch = batch->crew_next) {
        uint64_t count = 0;
        for (slab_buf_t *buf = batch->pockets.of[slab->kind].free; buf != NULL; buf = buf->next) {
            count++;
        }
        CHECK_THAT(world, batch->pockets.of[slab->kind].bytes == count * slab->size,
                   "a pocket has %u buffers, and says %u bytes", (unsigned)count,
                   batch->pockets.of[slab->kind].bytes);
        found += count;
    }
    return found;
}
