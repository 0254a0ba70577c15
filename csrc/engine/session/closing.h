/* closing.h: how the end of a session begins: in order, or without delay. The slot's lock is held.
 */
#ifndef IOCPREUSE_ENGINE_CLOSING_H
#define IOCPREUSE_ENGINE_CLOSING_H

#include "../engine.h"
#include "../life/slot.h"

/* Begins the orderly end: OPEN to FLUSHING. */
void session_flush(engine_t *engine, slot_t *slot, const ending_t *ending);

/* Begins the end without delay: OPEN or FLUSHING to DRAINING. The first ending stays. */
void session_drain(engine_t *engine, slot_t *slot, const ending_t *ending);

/* The same for an operation that completed, or failed at once, with STATUS. */
void session_fail(engine_t *engine, slot_t *slot, int status, int error);

/* What is queued has so much time from now on, as has what is left of it after each send. */
void session_allow_flush(engine_t *engine, slot_t *slot);

/* The peer's FIN has so much time from now on, as ours is out. */
void session_allow_linger(engine_t *engine, slot_t *slot);

#endif
