/* idle.h: the slots that are idle, those with a spare socket first. No lock is held in these calls.
 */
#ifndef IOCPREUSE_ENGINE_IDLE_H
#define IOCPREUSE_ENGINE_IDLE_H

#include "../engine.h"
#include "slot.h"

/* Puts a slot in IDLE back for the next accept. */
void idle_give(engine_t *engine, slot_t *slot);

/* The same for one whose socket has been disconnected, or closed instead. */
void idle_give_back(engine_t *engine, slot_t *slot);

/* A slot to post an accept on, counted as posted already; NULL when none is wanted or to be had. */
slot_t *idle_take(engine_t *engine);

/* A slot with a spare socket, which is to be closed; NULL = there is none. */
slot_t *idle_take_spare(engine_t *engine);

#endif
