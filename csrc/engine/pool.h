/* pool.h: the accept pool: accepts are posted before clients come, and one is
 * posted again for each that was taken. It never stays empty while the server
 * accepts and a slot can be had: what fails is counted and tried again. */
#ifndef IOCPREUSE_ENGINE_POOL_H
#define IOCPREUSE_ENGINE_POOL_H

#include "batch.h"
#include "engine.h"

/* Posts accepts until the pool has its size. No lock is held. */
void pool_refill(engine_t *engine);

/* The same after accepts were taken: a pool that ran low grows first. */
void pool_replenish(engine_t *engine);

/* Doubles the pool's size, up to its maximum: because a client found no accept posted
 * (STARVED), or because few are left. No lock is held. */
void pool_grow(engine_t *engine, bool starved);

/* Brings a pool that has been quiet for a while back towards its floor, newest accepts
 * first, and takes back all of them while accepting is paused. The manager's. */
void pool_shrink(engine_t *engine, uint64_t now_ns);

/* An accept has completed, well or not. */
void pool_accepted(engine_t *engine, slot_t *slot, const io_event_t *event, batch_t *batch);

/* Puts a slot in IDLE back for the next accept. No lock is held. */
void pool_give(engine_t *engine, slot_t *slot);

#endif
