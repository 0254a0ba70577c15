/* send.c: messages go into send queues, from any thread. */
#include "control.h"
#include "engine.h"
#include "session.h"
#include "shared.h"
#include "state.h"

static void queue(engine_t *engine, slot_t *slot, sendq_t *chain)
{
    session_t *session = &slot->session;
    atomic_u64_add(&engine->send_queue_bytes, chain->bytes);
    session->messages_sent += chain->bytes > 0;
    sendq_append(&session->out, chain);
}

call_t engine_send(engine_t *engine, token_t token, sendq_t *chain, batch_t *batch)
{
    call_t result;
    slot_t *slot = control_lock(engine, token, &result);
    if (slot == NULL) {
        atomic_u64_add(&engine->stale_sends, 1);
        return result;
    }
    session_t *session = &slot->session;
    if (slot->state != SLOT_OPEN) {
        result = CALL_CLOSED;
    } else if (session->fin_wanted) {
        result = CALL_EOF;
    } else if (session->out.bytes + chain->bytes > engine->options.write_limit) {
        ending_t ending = ending_local(REASON_WRITE_OVERFLOW);
        session->reset = true;
        session_drain(engine, slot, &ending);
        session_advance(engine, slot, NULL);
        result = CALL_OVERFLOW;
    } else {
        queue(engine, slot, chain);
        control_leave(engine, slot, batch, false);
        session->write_full |= session->out.bytes > engine->options.write_high;
        result = session->write_full ? CALL_FULL : CALL_OK;
    }
    mutex_unlock(&slot->lock);
    return result;
}

/* Whether a broadcast may put LEN more bytes into the queue. Where it may not for want of room,
 * on_drain is owed, if the queue has to fall for it. */
static bool has_room(const engine_options_t *options, session_t *session, size_t len)
{
    if (session->write_full) {
        return false;
    }
    if (session->out.bytes + len <= options->write_limit) {
        return true;
    }
    session->write_full = session->out.bytes > options->write_low;
    return false;
}

static bool broadcast_to(engine_t *engine, shared_t *message, token_t token, batch_t *batch,
                         bool gather)
{
    call_t why;
    slot_t *slot = control_lock(engine, token, &why);
    if (slot == NULL) {
        atomic_u64_add(&engine->stale_sends, 1);
        return false;
    }
    session_t *session = &slot->session;
    bool taken = slot->state == SLOT_OPEN && !session->fin_wanted &&
                 has_room(&engine->options, session, shared_len(message));
    if (taken) {
        sendq_t chain;
        sendq_init(&chain);
        sendq_push(&chain, shared_take(message));
        queue(engine, slot, &chain);
        control_leave(engine, slot, batch, gather);
        session->write_full |= session->out.bytes > engine->options.write_high;
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
