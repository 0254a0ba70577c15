/* pool.h: the accept pool: accepts are posted before clients come, and one is
 * posted again for each that was taken. It never stays empty while the server
 * accepts and a slot can be had: what fails is counted and tried again. */
#ifndef IOCPREUSE_ENGINE_POOL_H
#define IOCPREUSE_ENGINE_POOL_H

#include "batch.h"
#include "engine.h"

/* The engine's port is open: the pool has its smallest size. */
void pool_begin(engine_t *engine);

/* Posts accepts until the pool has its size. No lock is held.
 *
 * Where sockets are recycled, one is made only while fewer than accept_pool are posted: a pool
 * that has grown beyond that is filled with those that have served. */
void pool_refill(engine_t *engine);

/* The same after accepts were taken, at NOW_NS: a pool that was short grows first, to the number of
 * clients that came at once. */
void pool_replenish(engine_t *engine, uint64_t now_ns);

/* A client has found no accept posted: all that seem to be are taken. The manager's. */
void pool_is_dry(engine_t *engine, uint64_t now_ns);

/* What there is to be had is about to rise, or has fallen, at NOW_NS: notes how much of it nobody
 * needs. The engine's lock is held. */
void pool_size_note(engine_t *engine, uint64_t now_ns);

/* SLOT's accept is no longer posted: a client has come, at NOW_NS, or (CLIENT is false) it brought
 * none. The engine's lock is held. */
void pool_size_taken(engine_t *engine, bool client, uint64_t now_ns);

/* A socket has been closed that could not be reused: one of those that nobody has needed will be in
 * its place. The engine's lock is held. */
void pool_size_lost(engine_t *engine);

/* Gives back what nobody has needed for quiet_ns: half of it, and then half of the rest, newest
 * accepts first, down to accept_pool accepts and no spare socket; and takes back all accepts while
 * accepting is paused. The manager's. */
void pool_shrink(engine_t *engine, uint64_t now_ns);

/* An accept has completed, well or not. */
void pool_accepted(engine_t *engine, slot_t *slot, const io_event_t *event, batch_t *batch);

/* Puts a slot in IDLE back for the next accept. No lock is held. */
void pool_give(engine_t *engine, slot_t *slot);

#endif
