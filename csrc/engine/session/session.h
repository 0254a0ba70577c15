/* session.h: one client's life on its slot, from accept to on_disconnect. The slot's lock is held.
 */
#ifndef IOCPREUSE_ENGINE_SESSION_H
#define IOCPREUSE_ENGINE_SESSION_H

#include "../engine.h"
#include "../work/batch.h"

/* A client has been accepted and counted: the slot is its own from here on. */
void session_begin(engine_t *engine, slot_t *slot, const io_addr_t *peer, const io_addr_t *local,
                   batch_t *batch);

/* A send has completed. */
void session_sent(engine_t *engine, slot_t *slot, const io_event_t *event, batch_t *batch);

/* The callback of EVENT, which is not EVENT_CLOSED, has run. */
void session_settle(engine_t *engine, const event_t *event, batch_t *batch);

/* That of EVENT_CLOSED has: takes back what the session holds. */
void session_release(engine_t *engine, slot_t *slot, batch_t *batch);

/* Does what can be done now: sends, shuts down, receives, drains, tells. BATCH is the calling
 * worker's, and NULL in any other thread; what needs a worker then is left to the next. */
void session_advance(engine_t *engine, slot_t *slot, batch_t *batch);

/* The manager's look, at NOW_NS, at a session whose deadline has passed. */
void session_overdue(engine_t *engine, slot_t *slot, uint64_t now_ns);

#endif
