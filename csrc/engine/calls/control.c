/* control.c: what the application asks of a session, from any thread. */
#include "control.h"

#include "../session/closing.h"
#include "../session/receive.h"
#include "../session/session.h"
#include "../session/timeout.h"
#include "../state.h"
#include "../work/agenda.h"
#include "../work/crew.h"

/* A queue this long is worth a system call at once; less waits for the batch to gather. */
#define SEND_AT_ONCE_BYTES 65536u

/* The same while there is more of what its client has sent, which may well be answered, too: a
 * large receive comes as several messages. */
#define SEND_TOGETHER_BYTES 262144u

/* And no more than this part of what may be queued at all. */
#define SEND_TOGETHER_PART 4u

/* A batch that has sent so often has more to send than answers. */
#define FAN_OUT_SENDS 128u

/* Sends of other threads that follow each other as closely as this are gathered as well. It is
 * about what a worker takes to wake up. */
#define FLOOD_NS (100 * NS_PER_US)

/* A worker that was called this long ago, and has not come, is busy with something else. */
#define CALLED_IN_VAIN_NS (5 * NS_PER_MS)

slot_t *control_lock(engine_t *engine, token_t token, call_t *why)
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

/* Whether the worker of OTHER, which has to flush a slot, comes to that soon, as far as BATCH's can
 * tell: its callbacks have run, or they send to many, and so work and do not block. */
static bool flushes_soon(engine_t *engine, batch_t *other, const batch_t *batch)
{
    return !batch_is_running(other) ||
           (atomic_u64_load(&other->sends) >= FAN_OUT_SENDS && !crew_is_blocking(engine, batch));
}

/* Leaves the flush to BATCH's worker, which does it when its callbacks have run, or to the one that
 * has it to do already; false where it is not to wait for that. */
static bool defer(engine_t *engine, slot_t *slot, batch_t *batch)
{
    if (slot->dirty == NULL) {
        batch_add_dirty(batch, slot);
    }
    return slot->dirty == batch || flushes_soon(engine, slot->dirty, batch);
}

bool control_may_gather(engine_t *engine)
{
    return atomic_ptr_load(&engine->kicked) == NULL ||
           io_now_ns(engine->io) < atomic_u64_load(&engine->kicked_ns) + CALLED_IN_VAIN_NS;
}

/* Whether what another thread sends now is part of a flood, and a worker is free to gather it.
 * A lone message leaves at once, without the detour. It is a guess, and may be wrong either way:
 * a slot that is kicked is looked at, and one that is not is served by the caller. */
static bool is_flood(engine_t *engine)
{
    uint64_t now_ns = io_now_ns(engine->io);
    bool flood = now_ns < atomic_u64_load(&engine->foreign_ns) + FLOOD_NS;
    atomic_u64_store(&engine->foreign_ns, now_ns);
    return flood && control_may_gather(engine);
}

/* Whether the callback that runs in BATCH is one of SLOT's, and will be told more of what came. */
static bool is_told_more(slot_t *slot, const batch_t *batch)
{
    const event_t *event = batch_running(batch);
    return event != NULL && event->slot == slot && event->kind == EVENT_DATA &&
           slot->state == SLOT_OPEN && atomic_u32_load(&slot->session.mute) == 0 &&
           receive_has_more(&slot->session);
}

/* Whether more is about to join what SLOT has queued: the peer has taken all until now, and it is
 * no more than the application wants to have queued. */
static bool may_hold(const engine_t *engine, slot_t *slot, const batch_t *batch)
{
    uint64_t queued = slot->session.out.bytes;
    return (slot->in_flight & FLIGHT_SEND) == 0 && queued < SEND_TOGETHER_BYTES &&
           queued <= engine->options.write_high &&
           queued < engine->options.write_limit / SEND_TOGETHER_PART && is_told_more(slot, batch);
}

void control_flush(engine_t *engine, slot_t *slot, batch_t *batch)
{
    if (batch != NULL) {
        batch->now_ns = io_now_ns(engine->io); /* its callbacks may have run for long */
    }
    session_advance(engine, slot, batch);
}

void control_leave(engine_t *engine, slot_t *slot, batch_t *batch, bool gather)
{
    bool little = slot->session.out.bytes < SEND_AT_ONCE_BYTES;
    if (batch != NULL) {
        atomic_u64_count(&batch->sends, 1);
    }
    if (batch != NULL && (little || may_hold(engine, slot, batch)) && defer(engine, slot, batch)) {
        return;
    }
    if (little && batch == NULL && (gather || is_flood(engine))) {
        agenda_kick(engine, slot);
    } else {
        control_flush(engine, slot, batch);
    }
}

call_t engine_end(engine_t *engine, token_t token, reason_t reason, batch_t *batch)
{
    call_t result;
    slot_t *slot = control_lock(engine, token, &result);
    if (slot == NULL) {
        return result;
    }
    if (slot->state == SLOT_OPEN) {
        ending_t ending = ending_local(reason);
        session_flush(engine, slot, &ending);
        control_leave(engine, slot, batch, false);
    }
    mutex_unlock(&slot->lock);
    return CALL_OK;
}

call_t engine_abort(engine_t *engine, token_t token, reason_t reason, bool reset)
{
    call_t result;
    slot_t *slot = control_lock(engine, token, &result);
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
    slot_t *slot = control_lock(engine, token, &result);
    if (slot == NULL) {
        return result;
    }
    if (slot->state == SLOT_OPEN) {
        slot->session.fin_wanted = true;
        control_leave(engine, slot, batch, false);
    } else {
        result = CALL_CLOSED;
    }
    mutex_unlock(&slot->lock);
    return result;
}

call_t engine_pause_reading(engine_t *engine, token_t token, bool paused)
{
    call_t result;
    slot_t *slot = control_lock(engine, token, &result);
    if (slot == NULL) {
        return result;
    }
    bool resumed = slot->session.read_paused && !paused;
    slot->session.read_paused = paused;
    if (resumed) {
        timeout_restart(engine, slot);
    }
    if (slot->state == SLOT_OPEN) {
        atomic_u32_store(&slot->session.mute, paused || (slot->pending & PENDING_LOGIN) != 0);
    }
    session_advance(engine, slot, NULL);
    mutex_unlock(&slot->lock);
    return CALL_OK;
}

call_t engine_set_framing(engine_t *engine, const event_t *event, const framing_t *framing)
{
    call_t result;
    slot_t *slot = control_lock(engine, event->token, &result);
    if (slot == NULL) {
        return result;
    }
    result = CALL_CLOSED;
    if (slot->state == SLOT_OPEN) {
        const framing_t *by = framing == NULL ? &engine->plain : framing;
        bool good = receive_recut(engine, slot, by, event->kind == EVENT_DATA);
        result = good ? CALL_OK : CALL_NO_MEMORY;
    }
    mutex_unlock(&slot->lock);
    return result;
}

call_t engine_rtt(engine_t *engine, token_t token, uint32_t *rtt_us)
{
    call_t result;
    slot_t *slot = control_lock(engine, token, &result);
    if (slot == NULL) {
        return result;
    }
    *rtt_us = slot->sock == IO_SOCK_NONE ? 0 : io_rtt_us(engine->io, slot->sock);
    mutex_unlock(&slot->lock);
    return CALL_OK;
}

static session_info_t info_of(slot_t *slot)
{
    session_t *session = &slot->session;
    return (session_info_t){
        .closing = slot->state != SLOT_OPEN,
        .bytes_received = session->bytes_received,
        .bytes_sent = session->bytes_sent,
        .messages_received = atomic_u64_load(&session->messages_received),
        .messages_sent = session->messages_sent,
        .peer = session->peer,
        .local = session->local,
    };
}

call_t engine_info(engine_t *engine, token_t token, session_info_t *out)
{
    call_t result;
    slot_t *slot = control_lock(engine, token, &result);
    if (slot == NULL) {
        return result;
    }
    *out = info_of(slot);
    mutex_unlock(&slot->lock);
    return CALL_OK;
}

bool engine_info_at_fork(engine_t *engine, token_t token, session_info_t *out)
{
    uint32_t index = token_index(token);
    if (token == TOKEN_NONE || index >= engine->disowned) {
        return false;
    }
    /* Nobody else is here, and a thread that is gone may have had the lock. */
    slot_t *slot = table_at(&engine->table, index);
    if (slot->token != token) {
        return false;
    }
    *out = info_of(slot);
    out->closing = true;
    return true;
}
