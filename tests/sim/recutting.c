/* recutting.c: the application changes how its clients' streams are cut, in any callback. */
#include <string.h>

#include "world.h"

void recutting_begin(world_t *world)
{
    recutting_t *recutting = &world->recutting;
    uint64_t read_size = world->config.engine.read_size;
    rng_t *rng = &recutting->rng;
    rng->state = rng_mix(world->plan.seed ^ 0x2EC7u);
    recutting->odds = rng_below(rng, 2) == 0 ? 0 : 16u << rng_below(rng, 6);
    recutting->plain = (framing_t){.kind = FRAMING_NONE, .length = (uint32_t)read_size};
    recutting->framings[0] = world->config.engine.framing;
    for (uint32_t i = 1; i < RECUT_FRAMINGS; i++) {
        framing_t *framing = &recutting->framings[i];
        *framing = (framing_t){.max_length = 1 + rng_below(rng, 1200)};
        config_framing(framing, 1 + rng_below(rng, FRAMING_LENGTH_FIELD), rng);
    }
}

const framing_t *recutting_framing(const world_t *world, const rec_t *rec)
{
    const framing_t *framing = rec->framing == NULL ? &world->config.engine.framing : rec->framing;
    return framing->kind == FRAMING_NONE ? &world->recutting.plain : framing;
}

void recutting_try(world_t *world, rec_t *rec, const event_t *event)
{
    recutting_t *recutting = &world->recutting;
    while (recutting->odds != 0 && rng_below(&recutting->rng, 1024) < recutting->odds) {
        uint32_t draw = rng_below(&recutting->rng, RECUT_FRAMINGS + 1);
        const framing_t *framing =
            draw == RECUT_FRAMINGS ? &recutting->plain : &recutting->framings[draw];
        bool none = framing->kind == FRAMING_NONE;
        call_t result = engine_set_framing(world->engine, event, none ? NULL : framing);
        if (result == CALL_OK) {
            rec->framing = framing;
            world->totals->recuts++;
        } else if (result != (event->slot->state == SLOT_OPEN ? CALL_NO_MEMORY : CALL_CLOSED)) {
            world_fail(world, "client %u: a framing came to %d", (unsigned)rec->number,
                       (int)result);
        }
    }
}
