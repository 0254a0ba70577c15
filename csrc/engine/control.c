/* control.c: what the application asks of a session, from any thread. */
#include "engine.h"
#include "session.h"
#include "state.h"
#include "timeout.h"

/* A queue this long is worth a system call at once; less waits for the batch to gather. */
#define SEND_AT_ONCE_BYTES 32768u

/* The slot that serves TOKEN, locked; else NULL and why. */
static slot_t *lock_session(engine_t *engine, token_t token, call_t *why)
{
    slot_t *slot = table_find(&engine->table, token);
    *why = CALL_CLOSED;
    if (slot == NULL || token == TOKEN_NONE) {
        return NULL;
    }
    mutex_lock(&slot->lock);
    if (slot->token == token) {
        return slot;
    }
    *why = slot->token == TOKEN_NONE ? CALL_CLOSED : CALL_STALE;
    mutex_unlock(&slot->lock);
    return NULL;
}

/* Leaves the flush to BATCH's worker, which does it when its callbacks have run; false where
 * it is not to wait: another worker has it already, or there is much to send. */
static bool defer(slot_t *slot, batch_t *batch)
{
    if (batch == NULL || slot->session.out.bytes >= SEND_AT_ONCE_BYTES) {
        return false;
    }
    if (slot->dirty == NULL) {
        batch_add_dirty(batch, slot);
    }
    return slot->dirty == batch;
}

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
    slot_t *slot = lock_session(engine, token, &result);
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
        if (!defer(slot, batch)) {
            session_advance(engine, slot, batch);
        }
        session->write_full |= session->out.bytes > engine->options.write_high;
        result = session->write_full ? CALL_FULL : CALL_OK;
    }
    mutex_unlock(&slot->lock);
    return result;
}

call_t engine_end(engine_t *engine, token_t token, reason_t reason, batch_t *batch)
{
    call_t result;
    slot_t *slot = lock_session(engine, token, &result);
    if (slot == NULL) {
        return result;
    }
    if (slot->state == SLOT_OPEN) {
        ending_t ending = ending_local(reason);
        session_flush(engine, slot, &ending);
        if (!defer(slot, batch)) {
            session_advance(engine, slot, batch);
        }
    }
    mutex_unlock(&slot->lock);
    return CALL_OK;
}

call_t engine_abort(engine_t *engine, token_t token, reason_t reason, bool reset)
{
    call_t result;
    slot_t *slot = lock_session(engine, token, &result);
    if (slot == NULL) {
        return result;
    }
    if (slot->state == SLOT_OPEN || slot->state == SLOT_FLUSHING) {
        ending_t ending = ending_local(reason);
        slot->session.reset |= reset;
        session_drain(engine, slot, &ending);
        session_advance(engine, slot, NULL);
    }
    mutex_unlock(&slot->lock);
    return CALL_OK;
}

call_t engine_write_eof(engine_t *engine, token_t token, batch_t *batch)
{
    call_t result;
    slot_t *slot = lock_session(engine, token, &result);
    if (slot == NULL) {
        return result;
    }
    if (slot->state == SLOT_OPEN) {
        slot->session.fin_wanted = true;
        if (!defer(slot, batch)) {
            session_advance(engine, slot, batch);
        }
    } else {
        result = CALL_CLOSED;
    }
    mutex_unlock(&slot->lock);
    return result;
}

call_t engine_pause_reading(engine_t *engine, token_t token, bool paused)
{
    call_t result;
    slot_t *slot = lock_session(engine, token, &result);
    if (slot == NULL) {
        return result;
    }
    bool resumed = slot->session.read_paused && !paused;
    slot->session.read_paused = paused;
    if (resumed) {
        timeout_restart(engine, slot);
    }
    if (slot->state == SLOT_OPEN) {
        atomic_u32_store(&slot->session.mute, paused);
    }
    session_advance(engine, slot, NULL);
    mutex_unlock(&slot->lock);
    return CALL_OK;
}

call_t engine_login(engine_t *engine, token_t token)
{
    call_t result;
    slot_t *slot = lock_session(engine, token, &result);
    if (slot == NULL) {
        return result;
    }
    if (slot->state == SLOT_OPEN) {
        slot->session.logged_in = true;
        slot->pending |= PENDING_LOGIN;
        session_advance(engine, slot, NULL);
    } else {
        result = CALL_CLOSED;
    }
    mutex_unlock(&slot->lock);
    return result;
}

call_t engine_rtt(engine_t *engine, token_t token, uint32_t *rtt_us)
{
    call_t result;
    slot_t *slot = lock_session(engine, token, &result);
    if (slot == NULL) {
        return result;
    }
    *rtt_us = io_rtt_us(engine->io, slot->sock);
    mutex_unlock(&slot->lock);
    return CALL_OK;
}

call_t engine_info(engine_t *engine, token_t token, session_info_t *out)
{
    call_t result;
    slot_t *slot = lock_session(engine, token, &result);
    if (slot == NULL) {
        return result;
    }
    session_t *session = &slot->session;
    *out = (session_info_t){
        .closing = slot->state != SLOT_OPEN,
        .bytes_received = session->bytes_received,
        .bytes_sent = session->bytes_sent,
        .messages_received = atomic_u64_load(&session->messages_received),
        .messages_sent = session->messages_sent,
    };
    mutex_unlock(&slot->lock);
    return CALL_OK;
}
