/* pool.h: the accept pool: accepts are posted before clients come, and one is
 * posted again for each that was taken. It never stays empty while the server
 * accepts and a slot can be had: what fails is counted and tried again. */
#ifndef IOCPREUSE_ENGINE_POOL_H
#define IOCPREUSE_ENGINE_POOL_H

#include "batch.h"
#include "engine.h"

/* Posts accepts until the pool has its size. No lock is held. */
void pool_refill(engine_t *engine);

/* An accept has completed, well or not. */
void pool_accepted(engine_t *engine, slot_t *slot, const io_event_t *event, batch_t *batch);

/* Puts a slot in IDLE back for the next accept. No lock is held. */
void pool_give(engine_t *engine, slot_t *slot);

#endif
