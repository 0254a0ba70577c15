/* agenda.h: who is to look at a slot next, and when: a worker soon, or the manager at a time. */
#ifndef IOCPREUSE_ENGINE_AGENDA_H
#define IOCPREUSE_ENGINE_AGENDA_H

#include "../state.h"

/* Has a worker look at SLOT soon. Its lock is held. */
void agenda_kick(engine_t *engine, slot_t *slot);

/* The slots that were kicked since the last call, the first one first, linked by KICK_NEXT. For a
 * worker; each of them may be kicked again once its KICKED is cleared, under its lock. */
slot_t *agenda_take_kicked(engine_t *engine);

/* Has the manager look at SLOT at AT_NS, or before. Its lock is held. */
void agenda_look_at(engine_t *engine, slot_t *slot, uint64_t at_ns);

/* Sets, moves or (0) clears the deadline of what SLOT waits for. Its lock is held. */
void agenda_set_deadline(engine_t *engine, slot_t *slot, uint64_t deadline_ns);

#endif
