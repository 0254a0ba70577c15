/* filtering.h: what a session's filter does next: the handshake, what was received, what is queued,
 * the goodbye. The slot's lock is held, but not during a step. */
#ifndef IOCPREUSE_ENGINE_FILTERING_H
#define IOCPREUSE_ENGINE_FILTERING_H

#include "../engine.h"
#include "../life/slot.h"
#include "../work/batch.h"

/* Gives SLOT's new session the filter that the engine's clients have. */
void filtering_begin(engine_t *engine, slot_t *slot);

/* Makes one step, if there is one to make now. True = it has made one, for which it has released
 * the lock and taken it again: everything may have changed but the client. HELD: what is queued is
 * to wait for more. BATCH is the calling worker's; NULL = no worker, and one is called. */
bool filtering_step(engine_t *engine, slot_t *slot, batch_t *batch, bool held);

/* Whether all that is queued is sealed and out, and the goodbye as well where one is due. */
bool filtering_is_through(const slot_t *slot);

/* Whether something that was received is still to be fed, or is being fed. */
bool filtering_has_more(const slot_t *slot);

/* It is SLOT's turn, as turns_take has it. */
void filtering_turn(engine_t *engine, slot_t *slot);

/* Takes back what the filter holds, and the filter: nothing is in flight. */
void filtering_release(engine_t *engine, slot_t *slot, batch_t *batch);

#endif
