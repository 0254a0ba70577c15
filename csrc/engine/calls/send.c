/* send.c: messages go into send queues, from any thread. */
#include "send.h"

#include "../bytes/shared.h"
#include "../session/closing.h"
#include "../session/session.h"
#include "../state.h"
#include "control.h"

static bool is_too_much(const engine_t *engine, const session_t *session, size_t len)
{
    return session->out.bytes + len > engine->options.write_limit;
}

/* What BATCH's worker has only held back is not too much. */
static void make_room(engine_t *engine, slot_t *slot, size_t len, batch_t *batch)
{
    if (is_too_much(engine, &slot->session, len) && slot->state == SLOT_OPEN && batch != NULL &&
        slot->dirty == batch) {
        control_flush(engine, slot, batch);
    }
}

call_t send_admit(engine_t *engine, slot_t *slot, size_t len, batch_t *batch)
{
    session_t *session = &slot->session;
    make_room(engine, slot, len, batch);
    if (slot->state != SLOT_OPEN) {
        return CALL_CLOSED;
    }
    if (session->fin_wanted) {
        return CALL_EOF;
    }
    if (is_too_much(engine, session, len)) {
        ending_t ending = ending_local(REASON_WRITE_OVERFLOW);
        session->reset = true;
        session_drain(engine, slot, &ending);
        session_advance(engine, slot, NULL);
        return CALL_OVERFLOW;
    }
    return CALL_OK;
}

/* What has been queued leaves, now or later. */
static void leave(engine_t *engine, slot_t *slot, batch_t *batch, bool gather)
{
    session_t *session = &slot->session;
    control_leave(engine, slot, batch, gather);
    session->write_full |= session->out.bytes > engine->options.write_high;
}

call_t send_queue(engine_t *engine, slot_t *slot, sendq_t *chain, batch_t *batch)
{
    session_t *session = &slot->session;
    session->messages_sent += chain->bytes > 0;
    sendq_append(&session->out, chain, &engine->pages);
    leave(engine, slot, batch, false);
    return session->write_full ? CALL_FULL : CALL_OK;
}

/* As control_lock, for a send. */
static slot_t *lock_to_send(engine_t *engine, token_t token, call_t *why)
{
    slot_t *slot = control_lock(engine, token, why);
    if (slot == NULL) {
        atomic_u64_add(&engine->stale_sends, 1);
    }
    return slot;
}

call_t engine_send(engine_t *engine, token_t token, sendq_t *chain, batch_t *batch)
{
    call_t result;
    slot_t *slot = lock_to_send(engine, token, &result);
    if (slot == NULL) {
        return result;
    }
    result = send_admit(engine, slot, chain->bytes, batch);
    if (result == CALL_OK) {
        result = send_queue(engine, slot, chain, batch);
    }
    mutex_unlock(&slot->lock);
    return result;
}

call_t engine_send_copy(engine_t *engine, token_t token, const void *data, size_t len,
                        batch_t *batch)
{
    call_t result;
    slot_t *slot = lock_to_send(engine, token, &result);
    if (slot == NULL) {
        return result;
    }
    result = send_admit(engine, slot, len, batch);
    if (result == CALL_OK && len > 0 && !sendq_put(&slot->session.out, data, len, &engine->pages)) {
        result = CALL_NO_MEMORY;
    }
    if (result == CALL_OK) {
        slot->session.messages_sent += len > 0;
        leave(engine, slot, batch, false);
        result = slot->session.write_full ? CALL_FULL : CALL_OK;
    }
    mutex_unlock(&slot->lock);
    return result;
}

/* Whether a broadcast may put LEN more bytes into the queue. Where it may not for want of room,
 * on_drain is owed, unless nothing is queued: then it is longer than anything that may be. */
static bool has_room(const engine_t *engine, session_t *session, size_t len)
{
    if (session->write_full) {
        return false;
    }
    if (!is_too_much(engine, session, len)) {
        return true;
    }
    session->write_full = session->out.bytes > 0;
    return false;
}

static bool broadcast_to(engine_t *engine, shared_t *message, token_t token, batch_t *batch,
                         bool gather)
{
    call_t why;
    slot_t *slot = lock_to_send(engine, token, &why);
    if (slot == NULL) {
        return false;
    }
    session_t *session = &slot->session;
    make_room(engine, slot, shared_len(message), batch);
    bool taken = slot->state == SLOT_OPEN && !session->fin_wanted &&
                 has_room(engine, session, shared_len(message));
    if (taken) {
        shared_put(message, &session->out, &engine->pages);
        session->messages_sent++;
        leave(engine, slot, batch, gather);
    }
    mutex_unlock(&slot->lock);
    return taken;
}

size_t engine_broadcast(engine_t *engine, shared_t *message, const token_t *to, size_t count,
                        batch_t *batch)
{
    size_t queued = 0;
    /* Decided once, so that nobody overtakes another. */
    bool gather = count > 1 && control_may_gather(engine);
    for (size_t i = 0; i < count; i++) {
        queued += broadcast_to(engine, message, to[i], batch, gather);
    }
    return queued;
}
