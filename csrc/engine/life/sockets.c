/* sockets.c: how many sockets were made, and closed instead of recycled. */
#include "sockets.h"

#include "../state.h"
#include "pool_size.h"

void sockets_count_made(engine_t *engine)
{
    mutex_lock(&engine->lock);
    engine->stats.sockets_created++;
    mutex_unlock(&engine->lock);
}

void sockets_count_replaced(engine_t *engine, cause_t cause)
{
    mutex_lock(&engine->lock);
    engine->stats.sockets_replaced++;
    engine->stats.replaced_by_cause[cause]++;
    if (engine->recycling == RECYCLING_VERIFIED && cause != CAUSE_SHRUNK) {
        pool_size_lost(engine);
    }
    mutex_unlock(&engine->lock);
}
