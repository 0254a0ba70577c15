/* recycle.h: what becomes of a socket when its client has gone. */
#ifndef IOCPREUSE_ENGINE_RECYCLE_H
#define IOCPREUSE_ENGINE_RECYCLE_H

#include "../engine.h"
#include "slot.h"

/* on_disconnect has run, the session holds nothing, and nothing else is in flight: wipes the slot,
 * then disconnects its socket for reuse or closes it. Its lock is held, and released. */
void recycle_begin(engine_t *engine, slot_t *slot);

/* A disconnect for reuse has completed, well or not. */
void recycle_disconnected(engine_t *engine, slot_t *slot, const io_event_t *event);

/* The manager's look at a disconnect that is past its deadline. The slot's lock is held. */
void recycle_overdue(engine_t *engine, slot_t *slot, uint64_t now_ns);

/* Gives a disconnect up because the server stops, unless its client may still be reading what it
 * was sent and it is not LATE yet. The slot's lock is held. */
void recycle_stop(engine_t *engine, slot_t *slot, bool late);

#endif
