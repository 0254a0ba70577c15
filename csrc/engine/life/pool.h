/* pool.h: the accept pool: accepts are posted before clients come, and one is
 * posted again for each that was taken. It never stays empty while the server
 * accepts and a slot can be had: what fails is counted and tried again. */
#ifndef IOCPREUSE_ENGINE_POOL_H
#define IOCPREUSE_ENGINE_POOL_H

#include "../engine.h"
#include "slot.h"

/* Posts accepts until the pool has its size. No lock is held.
 *
 * Where sockets are recycled, one is made only while fewer than accept_pool are posted: a pool
 * that has grown beyond that is filled with those that have served. */
void pool_refill(engine_t *engine);

/* The same after accepts were taken, at NOW_NS: a pool that was short grows first, to the number of
 * clients that came at once. */
void pool_replenish(engine_t *engine, uint64_t now_ns);

/* Gives back what nobody has needed for quiet_ns: half of it, and then half of the rest, newest
 * accepts first, down to accept_pool accepts and no spare socket; and takes back all accepts while
 * accepting is paused. The manager's. */
void pool_shrink(engine_t *engine, uint64_t now_ns);

/* Who has come. */
typedef struct {
    io_addr_t peer;
    io_addr_t local;
} comer_t;

/* SLOT's accept has completed, well or not, at NOW_NS. True: it has brought a client, COMER, who is
 * counted, and whose session is to begin. False: the slot is back in the pool. No lock is held. */
bool pool_accepted(engine_t *engine, slot_t *slot, const io_event_t *event, uint64_t now_ns,
                   comer_t *comer);

#endif
