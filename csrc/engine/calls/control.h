/* control.h: what calls on a session have in common. */
#ifndef IOCPREUSE_ENGINE_CONTROL_H
#define IOCPREUSE_ENGINE_CONTROL_H

#include "../engine.h"
#include "../work/batch.h"

/* The slot that serves TOKEN, locked; else NULL and why. */
slot_t *control_lock(engine_t *engine, token_t token, call_t *why);

/* Whether a worker that is called will come soon. */
bool control_may_gather(engine_t *engine);

/* What has been queued leaves: when BATCH, the calling worker's, settles; from any other thread
 * (NULL) at once, or when a worker comes: in a flood of such calls, and with GATHER. Much leaves
 * at once, unless the callback is to be told more of what its client has sent: the answers to that
 * join it. SLOT's lock is held. */
void control_leave(engine_t *engine, slot_t *slot, batch_t *batch, bool gather);

/* It leaves at once. */
void control_flush(engine_t *engine, slot_t *slot, batch_t *batch);

#endif
