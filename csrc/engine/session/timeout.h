/* timeout.h: how long a client may be silent: before its first byte, before its login, between
 * two bytes. A session notes when it was last active, and nothing more; its timer comes up now
 * and then, and is armed again from that.
 *
 * While the application has paused reading, and while a callback of the session runs, the engine
 * does not read what the client may have sent: its silence does not count then. After a pause it
 * counts anew. What the client's TCP acknowledges is no silence either, and is looked for
 * while something is not acknowledged.
 *
 * All of these: the slot's lock is held. */
#ifndef IOCPREUSE_ENGINE_TIMEOUT_H
#define IOCPREUSE_ENGINE_TIMEOUT_H

#include "../engine.h"

/* A client has been accepted, at NOW_NS. */
void timeout_begin(engine_t *engine, slot_t *slot, uint64_t now_ns);

/* Its silence counts anew from now: reading goes on, or something is sent while it is paused. */
void timeout_restart(engine_t *engine, slot_t *slot);

/* The stack has taken something for it: whether its TCP acknowledges that is to be seen. */
void timeout_sent(engine_t *engine, slot_t *slot, uint64_t now_ns);

/* What had come is cut: perhaps the rest of a message is still to come. */
void timeout_cut(engine_t *engine, slot_t *slot);

/* The manager's look at a session: what is overdue is left to a worker, which first takes what
 * has come in time and waits at the port. */
void timeout_look(engine_t *engine, slot_t *slot, uint64_t now_ns);

/* A worker's look, at NOW_NS, after it has taken what had completed: ends what is overdue, unless
 * something of it has come that nobody has taken yet. */
void timeout_judge(engine_t *engine, slot_t *slot, uint64_t now_ns);

#endif
