#include "recycle.h"

#include "../base/check.h"
#include "pool.h"
#include "receive.h"
#include "state.h"

/* A disconnect slower than this is cooling: TIME_WAIT holds it up. */
#define COOLING_AFTER_NS (250 * NS_PER_MS)

/* Windows' default TIME_WAIT is at most 240 s (TcpTimedWaitDelay); what takes longer never ends. */
#define COOLING_DEADLINE_NS (245 * NS_PER_S)

void recycle_count(engine_t *engine, cause_t cause)
{
    mutex_lock(&engine->lock);
    engine->stats.sockets_replaced++;
    engine->stats.replaced_by_cause[cause]++;
    mutex_unlock(&engine->lock);
}

/* Whether SLOT's socket may serve another client: CAUSE_NONE, or why not. */
static cause_t judge(engine_t *engine, const slot_t *slot)
{
    const session_t *session = &slot->session;
    if (engine->recycling == RECYCLING_OFF) {
        return CAUSE_OFF;
    }
    if (engine->recycling == RECYCLING_UNSUPPORTED) {
        return CAUSE_UNSUPPORTED;
    }
    if (session->reset) {
        return CAUSE_ABORT;
    }
    if (session->broken != CAUSE_NONE) {
        return (cause_t)session->broken;
    }
    if (session->ending.unsent_bytes > 0) {
        return CAUSE_UNSENT;
    }
    if (session->ending.reason == REASON_CALLBACK_ERROR) {
        return CAUSE_CALLBACK_ERROR;
    }
    if (engine_is_stopping(engine)) {
        return CAUSE_STOPPING;
    }
    /* Without the peer's FIN the disconnect would wait for it. */
    return session->peer_eof ? CAUSE_NONE : CAUSE_LINGER;
}

/* Takes a place among the spare sockets; false where they are enough. */
static bool reserve(engine_t *engine)
{
    mutex_lock(&engine->lock);
    uint64_t spare =
        (uint64_t)engine->spare + engine->recycling_now + engine->stats.accepts_pending;
    bool room = spare < engine->options.accept_pool_max;
    if (room) {
        engine->recycling_now++;
    }
    mutex_unlock(&engine->lock);
    return room;
}

static void unreserve(engine_t *engine, bool recycled)
{
    mutex_lock(&engine->lock);
    engine->recycling_now--;
    engine->stats.sockets_recycled += recycled;
    mutex_unlock(&engine->lock);
    if (engine_is_stopping(engine)) {
        io_wake_manager(engine->io);
    }
}

/* Closes SLOT's socket; the slot, whose lock is held, is released and free. */
static void replace(engine_t *engine, slot_t *slot, cause_t cause)
{
    /* A stream that was cut short must not look complete. */
    bool reset = slot->session.reset || slot->session.ending.unsent_bytes > 0;
    slot_set_state(slot, SLOT_REPLACING);
    slot_wipe(slot);
    io_sock_close(engine->io, &slot->sock, reset);
    slot_set_state(slot, SLOT_IDLE);
    mutex_unlock(&slot->lock);
    recycle_count(engine, cause);
}

/* The client PEER no longer counts, whatever becomes of its socket. Called when the slot is back
 * in the pool, or reserved: a server that stops finds nothing half done once the counts are 0. */
static void count_out(engine_t *engine, const io_addr_t *peer, reason_t reason, bool unreserved)
{
    mutex_lock(&engine->lock);
    engine->stats.connections_active--;
    engine->stats.closed_by_reason[reason]++;
    if (engine->options.max_connections_per_ip != 0) {
        peers_leave(&engine->peers, peer);
    }
    engine->recycling_now -= unreserved;
    mutex_unlock(&engine->lock);
    if (engine_is_stopping(engine)) {
        io_wake_manager(engine->io);
    }
}

/* Takes back what the session holds. */
static void release(engine_t *engine, slot_t *slot, batch_t *batch)
{
    session_t *session = &slot->session;
    sendq_clear(&session->out, &batch->done);
    receive_release(engine, slot, batch);
    engine_set_deadline(engine, slot, 0);
}

void recycle_begin(engine_t *engine, slot_t *slot, batch_t *batch)
{
    bool reserved = engine->recycling == RECYCLING_VERIFIED && reserve(engine);
    mutex_lock(&slot->lock);
    slot->in_flight &= ~FLIGHT_CALLBACK;
    CHECK(slot->in_flight == 0 && slot->state == SLOT_DRAINING);
    release(engine, slot, batch);
    io_addr_t peer = slot->session.peer; /* the wipe takes it, and this */
    reason_t reason = (reason_t)slot->session.ending.reason;
    cause_t cause = judge(engine, slot);
    if (cause == CAUSE_NONE && !reserved) {
        cause = CAUSE_SURPLUS;
    }
    if (cause != CAUSE_NONE) {
        replace(engine, slot, cause);
        pool_give(engine, slot);
        count_out(engine, &peer, reason, reserved);
        return;
    }
    slot_set_state(slot, SLOT_RECYCLING);
    slot_wipe(slot);
    slot->cause = CAUSE_DISCONNECT_FAILED;
    io_op_t *op = slot_arm(slot, OPERATION_DISCONNECT);
    engine_set_deadline(engine, slot, io_now_ns(engine->io) + COOLING_AFTER_NS);
    int status = io_disconnect(engine->io, op, &slot->sock);
    if (status < 0) {
        slot->in_flight &= ~FLIGHT_LIFE;
        engine_set_deadline(engine, slot, 0);
        io_sock_close(engine->io, &slot->sock, false);
        slot_set_state(slot, SLOT_IDLE);
    }
    mutex_unlock(&slot->lock);
    count_out(engine, &peer, reason, false);
    if (status < 0) {
        recycle_count(engine, CAUSE_DISCONNECT_FAILED);
        pool_give(engine, slot);
        unreserve(engine, false);
    }
}

void recycle_disconnected(engine_t *engine, slot_t *slot, const io_event_t *event)
{
    mutex_lock(&slot->lock);
    CHECK(slot->state == SLOT_RECYCLING || slot->state == SLOT_COOLING);
    slot->in_flight &= ~FLIGHT_LIFE;
    if (slot->state == SLOT_COOLING) {
        atomic_u64_add(&engine->cooling, (uint64_t)-1);
    }
    bool good = (int32_t)io_event_status(event) >= 0;
    cause_t cause = (cause_t)slot->cause;
    slot->cause = CAUSE_NONE;
    if (!good && slot->sock != IO_SOCK_NONE) {
        io_sock_close(engine->io, &slot->sock, false);
    }
    if (good && slot->sock == IO_SOCK_NONE) {
        good = false;
        cause = CAUSE_UNSUPPORTED;
    }
    engine_set_deadline(engine, slot, 0);
    slot_set_state(slot, SLOT_IDLE);
    mutex_unlock(&slot->lock);
    if (!good) {
        recycle_count(engine, cause);
    }
    pool_give(engine, slot);
    unreserve(engine, good);
}

static void cancel(engine_t *engine, slot_t *slot, cause_t cause)
{
    slot->cause = (uint8_t)cause;
    engine_set_deadline(engine, slot, 0);
    io_cancel(engine->io, slot->sock, &slot->life.io);
}

void recycle_overdue(engine_t *engine, slot_t *slot, uint64_t now_ns)
{
    if (slot->state == SLOT_COOLING) {
        cancel(engine, slot, CAUSE_COOLING_DEADLINE);
        return;
    }
    slot_set_state(slot, SLOT_COOLING);
    if (atomic_u64_add(&engine->cooling, 1) > engine->options.cooling_max) {
        cancel(engine, slot, CAUSE_COOLING_CAP);
    } else {
        engine_set_deadline(engine, slot, now_ns + COOLING_DEADLINE_NS);
    }
}

void recycle_cancel(engine_t *engine, slot_t *slot)
{
    cancel(engine, slot, CAUSE_STOPPING);
}
