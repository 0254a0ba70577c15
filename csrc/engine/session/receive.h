/* receive.h: a session's receiving side: the buffer, the receive in flight, and the messages that
 * what it brought is cut into. With the slot's lock held. */
#ifndef IOCPREUSE_ENGINE_RECEIVE_H
#define IOCPREUSE_ENGINE_RECEIVE_H

#include "../work/batch.h"
#include "../engine.h"
#include "../life/slot.h"

/* The sizes of the buffers, for an engine whose messages have READ_SIZE bytes at most. */
uint32_t receive_small_size(uint32_t read_size);
uint32_t receive_large_size(uint32_t read_size);

/* Posts the next receive, if the session is to have one now. BATCH is the calling worker's; NULL =
 * no worker. */
void receive_advance(engine_t *engine, slot_t *slot, batch_t *batch);

/* A receive has completed. */
void receive_completed(engine_t *engine, slot_t *slot, const io_event_t *event, batch_t *batch);

/* Whether something of what was received has not been cut yet. While the callback of an EVENT_DATA
 * runs, that is its worker's to ask, and needs no lock. */
bool receive_has_more(const session_t *session);

/* What was received and not told yet is cut by FRAMING, and so is what follows. In a callback of
 * the session; one that TELLS of messages goes on with the next. False where there is no memory. */
bool receive_recut(engine_t *engine, slot_t *slot, const framing_t *framing, bool tells);

/* The callback of an EVENT_DATA has run; it may have been paused amid the messages. */
void receive_settle(engine_t *engine, slot_t *slot, batch_t *batch);

/* SLOT's session has a filter: a buffer for what that reads. False = no memory. */
bool receive_take_plain(engine_t *engine, session_t *session, batch_t *batch);

/* It has read BYTES into it. */
void receive_plain(engine_t *engine, slot_t *slot, uint32_t bytes, batch_t *batch);

/* What is not fed to it yet is thrown away, or all is. */
void receive_drop_sealed(session_t *session, batch_t *batch);

/* Takes back what the session holds: nothing is in flight. */
void receive_release(engine_t *engine, slot_t *slot, batch_t *batch);

#endif
