/* session.h: one client's life on its slot, from accept to on_disconnect. */
#ifndef IOCPREUSE_ENGINE_SESSION_H
#define IOCPREUSE_ENGINE_SESSION_H

#include "batch.h"
#include "engine.h"

/* A client has been accepted and counted: the slot is its own from here on. */
void session_begin(engine_t *engine, slot_t *slot, const io_addr_t *peer, const io_addr_t *local,
                   batch_t *batch);

/* A receive or a send has completed. */
void session_received(engine_t *engine, slot_t *slot, const io_event_t *event, batch_t *batch);
void session_sent(engine_t *engine, slot_t *slot, const io_event_t *event, batch_t *batch);

/* The callback of EVENT has run. Takes and releases the slot's lock. */
void session_settle(engine_t *engine, const event_t *event, batch_t *batch);

/* Flushes the queues of a list of slots that batch_take_dirty gave. */
void session_flush_dirty(engine_t *engine, slot_t *dirty, batch_t *batch);

/* With the slot's lock held, from here on. */

/* Does what can be done now: sends, shuts down, receives, drains, tells. BATCH is the calling
 * worker's, and NULL in any other thread; what needs a worker then is left to the next. */
void session_advance(engine_t *engine, slot_t *slot, batch_t *batch);

/* Begins the orderly end: OPEN to FLUSHING. */
void session_flush(engine_t *engine, slot_t *slot, const ending_t *ending);

/* Begins the end without delay: OPEN or FLUSHING to DRAINING. The first ending stays. */
void session_drain(engine_t *engine, slot_t *slot, const ending_t *ending);

/* The same for an operation that completed, or failed at once, with STATUS. */
void session_fail(engine_t *engine, slot_t *slot, int status, int error);

/* The manager's look at a session whose deadline has passed. */
void session_overdue(engine_t *engine, slot_t *slot);

#endif
