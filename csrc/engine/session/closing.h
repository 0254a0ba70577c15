/* closing.h: how a session ends: in order, or without delay. The slot's lock is held.
 *
 * In order means: what is queued goes out, then our FIN; what the client still sends is received
 * and thrown away, since a close with something unread would send RST, and take away what the
 * client has not received yet; and the end has come with its FIN. A client has `linger` for that
 * from each progress on: that the stack takes something for it, or that its TCP acknowledges
 * something, where the stack tells. While the server stops, its drain is the limit instead. Only
 * who has all, and says nothing, is not waited for long: for its close nothing is thrown away. */
#ifndef IOCPREUSE_ENGINE_CLOSING_H
#define IOCPREUSE_ENGINE_CLOSING_H

#include "../engine.h"
#include "../life/slot.h"

/* Begins the orderly end: OPEN to FLUSHING; or to DRAINING where nothing can be sent any more. */
void session_flush(engine_t *engine, slot_t *slot, const ending_t *ending);

/* Begins the end without delay: OPEN or FLUSHING to DRAINING. The first ending stays. What is
 * queued, and what the client's TCP is known to lack, counts as unsent. */
void session_drain(engine_t *engine, slot_t *slot, const ending_t *ending);

/* The same for an operation that completed, or failed at once, with STATUS. */
void session_fail(engine_t *engine, slot_t *slot, int status, int error);

/* The same for a send or our FIN. But what has come from the client is told before the end. */
void session_fail_send(engine_t *engine, slot_t *slot, int status, int error);

/* The end has come in order: nothing is queued, and the client's FIN is here. */
void session_part(engine_t *engine, slot_t *slot, const ending_t *ending);

/* FLUSHING: the stack has taken something, or our FIN: the client's time begins anew. */
void session_progress(engine_t *engine, slot_t *slot);

/* FLUSHING: whether the client has more time, as it looks at NOW_NS; then the slot has its next
 * deadline. */
bool session_may_linger(engine_t *engine, slot_t *slot, uint64_t now_ns);

/* FLUSHING: the server stops, which may be a reason to wait no longer. */
void session_hurry(engine_t *engine, slot_t *slot, uint64_t now_ns);

/* DRAINING, for so long that no cancel will end what is in flight: the handle's close does. */
void session_sever(engine_t *engine, slot_t *slot);

/* DRAINING: a send has come back after all. */
void session_count_unsent(engine_t *engine, slot_t *slot);

#endif
