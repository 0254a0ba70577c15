/* toy_check.c: the invariants of filters. */
#include "toying.h"

/* SLOT, whose session has a filter, goes on by itself. No thread is inside the engine. */
void toying_check(world_t *world, const slot_t *slot)
{
    const session_t *session = &slot->session;
    const filter_t *filter = session->filter;
    bool waits = (slot->in_flight & FLIGHT_CALLBACK) != 0 || slot->dirty != NULL || slot->kicked;
    bool sends = (slot->in_flight & FLIGHT_SEND) != 0;
    bool opening = filter->phase == FILTER_COMING || filter->phase == FILTER_OPENING;
    bool open = slot->state == SLOT_OPEN;
    CHECK_THAT(world, (slot->in_flight & FLIGHT_FILTER) == 0, "slot %u: a step does not end",
               slot->index);
    CHECK_THAT(world, !session->unmet || filter->phase != FILTER_OPEN || !open,
               "slot %u is open, and nobody is told", slot->index);
    CHECK_THAT(world,
               !open || !opening || filter->in_len == 0 || waits ||
                   (slot->pending & (PENDING_FILTER | PENDING_EOF)) != 0 ||
                   list_is_linked(&filter->node),
               "slot %u: a handshake is forgotten", slot->index);
    CHECK_THAT(world, open || waits || !filter->placed, "slot %u keeps a place, and ends",
               slot->index);
    CHECK_THAT(world, waits || sends || outbox_is_empty(&filter->out) || session->send_failed,
               "slot %u: sealed bytes are forgotten", slot->index);
    bool feeds = open && !opening && filter->phase != FILTER_BROKEN && !filter->peer_shut &&
                 (filter->in_len > 0 || filter->more);
    CHECK_THAT(world,
               !feeds || waits || session->read_paused ||
                   (slot->pending & (PENDING_OPEN | PENDING_DATA)) != 0,
               "slot %u: what it has received is not read", slot->index);
    CHECK_THAT(world, !session->fin_sent || filter->phase != FILTER_OPEN,
               "slot %u says nothing to its client before our FIN", slot->index);
    bool through = session->fin_wanted && session->out.head == NULL && !sends && !waits &&
                   !session->send_failed;
    CHECK_THAT(world, !through || filter->phase != FILTER_OPEN, "slot %u: a goodbye is forgotten",
               slot->index);
    CHECK_THAT(world, session->out.bytes >= filter->out.plain,
               "slot %u: what is sealed is off the queue", slot->index);
}

void toying_check_all(world_t *world)
{
    engine_t *engine = world->engine;
    turns_t *turns = &engine->turns;
    uint64_t chunks = 0;
    uint32_t placed = 0;
    for (uint32_t i = 0; i < table_count(&engine->table); i++) {
        const slot_t *slot = table_at(&engine->table, i);
        const filter_t *filter = slot->token == TOKEN_NONE ? NULL : slot->session.filter;
        for (const chunk_t *chunk = filter == NULL ? NULL : filter->out.head; chunk != NULL;
             chunk = chunk->next) {
            chunks++;
        }
        placed += filter != NULL && filter->placed;
    }
    chunks += counts_pockets(world, &engine->chunks);
    CHECK_THAT(world, atomic_u64_load(&engine->chunks.taken) == chunks, "%u chunks are out, not %u",
               (unsigned)atomic_u64_load(&engine->chunks.taken), (unsigned)chunks);
    CHECK_THAT(world, turns->placed == placed && placed <= world->config.engine.handshakes_max,
               "%u handshakes have a place, not %u", turns->placed, placed);
    bool full = turns->placed == turns->places && !list_is_empty(&turns->coming);
    world->totals->toys[TOY_places_full] += full;
    bool wanted = !list_is_empty(&turns->going) ||
                  (!list_is_empty(&turns->coming) && turns->placed < turns->places);
    CHECK_THAT(world, !wanted || sim_wakes(world->io) > 0, "a handshake waits, and nobody comes");
}
