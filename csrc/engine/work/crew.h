/* crew.h: the workers' batches, known to each other: when a callback blocks, another worker
 * settles what ran before it in the same batch, and runs what stands behind it. */
#ifndef IOCPREUSE_ENGINE_CREW_H
#define IOCPREUSE_ENGINE_CREW_H

#include "batch.h"
#include "../engine.h"

/* The COUNT events of BATCH begin to run, at NOW_NS: has the manager watch, if it does not. Where
 * callbacks block, others are called at once to run what stands behind the first. */
void crew_begin(engine_t *engine, batch_t *batch, uint32_t count, uint64_t now_ns);

/* They have run. */
void crew_end(engine_t *engine, batch_t *batch, uint64_t now_ns);

/* Whether callbacks block these days, as far as BATCH's worker knows. */
bool crew_is_blocking(engine_t *engine, const batch_t *batch);

/* The manager's look: wakes a worker for each batch that a callback holds up. */
void crew_watch(engine_t *engine, uint64_t now_ns);

/* For BATCH's worker, which has nothing of its own: the next batch behind LAST (NULL = the first)
 * that a callback holds up, whose events it may take over; NULL = no more. */
batch_t *crew_next_stuck(engine_t *engine, const batch_t *batch, batch_t *last);

/* Before the manager sleeps: true if batches began since the last call, so that it should
 * look again soon. */
bool crew_is_busy(engine_t *engine);

/* Adds what the workers have counted to STATS. */
void crew_count(engine_t *engine, engine_stats_t *stats);

void crew_destroy(engine_t *engine);

/* In a forked child: empties all batches. */
void crew_disown(engine_t *engine);

#endif
