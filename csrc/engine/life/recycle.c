/* recycle.c: what becomes of a socket when its client has gone. */
#include "recycle.h"

#include "../../base/check.h"
#include "../state.h"
#include "../work/agenda.h"
#include "idle.h"
#include "sockets.h"

/* A disconnect slower than this is cooling: TIME_WAIT holds it up. */
#define COOLING_AFTER_NS (250 * NS_PER_MS)

/* Windows' default TIME_WAIT is at most 240 s (TcpTimedWaitDelay); what takes longer never ends. */
#define COOLING_DEADLINE_NS (245 * NS_PER_S)

/* Whether SLOT's socket may serve another client: CAUSE_NONE, or why not. */
static cause_t judge(engine_t *engine, const slot_t *slot)
{
    const session_t *session = &slot->session;
    if (slot->sock == IO_SOCK_NONE) {
        return CAUSE_STUCK;
    }
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

/* Closes SLOT's socket, for CAUSE; the slot, whose lock is held, is free, and its lock released. */
static void replace(engine_t *engine, slot_t *slot, cause_t cause)
{
    /* A stream that was cut short must not look complete. */
    bool reset = slot->session.reset || slot->session.cut_short;
    slot->in_flight &= ~FLIGHT_CALLBACK;
    slot_set_state(slot, SLOT_REPLACING);
    slot_wipe(slot);
    if (slot->sock != IO_SOCK_NONE) {
        io_sock_close(engine->io, &slot->sock, reset);
    }
    slot_set_state(slot, SLOT_IDLE);
    mutex_unlock(&slot->lock);
    sockets_count_replaced(engine, cause);
    idle_give(engine, slot);
}

/* A client that no longer counts. */
typedef struct {
    io_addr_t peer;
    reason_t reason;
    bool unmet;
} leaver_t;

/* The engine's lock is held. Whoever counts a client out has its slot back in the pool, or counted
 * among those that are recycled: a server that stops finds nothing half done once both are 0. */
static void count_out(engine_t *engine, const leaver_t *leaver)
{
    engine->stats.connections_active--;
    engine->stats.closed_by_reason[leaver->reason]++;
    engine->stats.failed_by_reason[leaver->reason] += leaver->unmet;
    if (engine->options.max_connections_per_ip != 0) {
        peers_leave(&engine->peers, &leaver->peer);
    }
}

/* Counts LEAVER out, and its socket as one that is recycled; false, and nothing is counted, where
 * there are spare sockets enough. */
static bool reserve(engine_t *engine, const leaver_t *leaver)
{
    mutex_lock(&engine->lock);
    uint64_t kept = (uint64_t)engine->spare + engine->recycling_now + engine->stats.accepts_pending;
    bool room = kept < (uint64_t)engine->pool_target + engine->options.spare_max;
    if (room) {
        engine->recycling_now++;
        count_out(engine, leaver);
    }
    mutex_unlock(&engine->lock);
    return room;
}

/* SLOT, for which a place was reserved, is back in the pool. */
static void give_back(engine_t *engine, slot_t *slot)
{
    idle_give_back(engine, slot);
    if (engine_is_stopping(engine)) {
        io_wake_manager(engine->io);
    }
}

/* The slot of LEAVER is back in the pool. */
static void replaced(engine_t *engine, const leaver_t *leaver)
{
    mutex_lock(&engine->lock);
    count_out(engine, leaver);
    mutex_unlock(&engine->lock);
    if (engine_is_stopping(engine)) {
        io_wake_manager(engine->io);
    }
}

/* Disconnects SLOT's socket, a place for which is reserved. */
static void disconnect(engine_t *engine, slot_t *slot)
{
    mutex_lock(&slot->lock);
    slot->in_flight &= ~FLIGHT_CALLBACK;
    slot_set_state(slot, SLOT_RECYCLING);
    slot->sent = session_taken(&slot->session);
    slot->given_up = false;
    slot_wipe(slot);
    io_op_t *op = slot_arm(slot, OPERATION_DISCONNECT);
    agenda_set_deadline(engine, slot, io_now_ns(engine->io) + COOLING_AFTER_NS);
    int status = io_disconnect(engine->io, op, &slot->sock);
    if (status < 0) {
        slot->in_flight &= ~FLIGHT_LIFE;
        agenda_set_deadline(engine, slot, 0);
        io_sock_close(engine->io, &slot->sock, false);
        slot_set_state(slot, SLOT_IDLE);
    }
    mutex_unlock(&slot->lock);
    if (status < 0) {
        sockets_count_replaced(engine, CAUSE_DISCONNECT_FAILED);
        give_back(engine, slot);
        io_wake_manager(engine->io); /* the pool may have waited for it */
    }
}

void recycle_begin(engine_t *engine, slot_t *slot)
{
    /* Until the slot goes on it stays in the hand of the callback that has run: nobody looks. */
    CHECK(slot->in_flight == FLIGHT_CALLBACK && slot->state == SLOT_DRAINING);
    const session_t *session = &slot->session;
    leaver_t leaver = {session->peer, (reason_t)session->ending.reason, session->unmet};
    cause_t cause = judge(engine, slot);
    if (cause == CAUSE_NONE) {
        mutex_unlock(&slot->lock);
        if (reserve(engine, &leaver)) {
            disconnect(engine, slot);
            return;
        }
        cause = CAUSE_SURPLUS;
        mutex_lock(&slot->lock);
    }
    replace(engine, slot, cause);
    replaced(engine, &leaver);
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
    cause_t cause = slot->given_up ? (cause_t)slot->cause : CAUSE_DISCONNECT_FAILED;
    slot->cause = CAUSE_NONE;
    if (!good && slot->sock != IO_SOCK_NONE) {
        io_sock_close(engine->io, &slot->sock, false);
    }
    if (good && slot->sock == IO_SOCK_NONE) {
        good = false;
        cause = slot->given_up ? cause : CAUSE_UNSUPPORTED; /* it was severed, too late */
    }
    agenda_set_deadline(engine, slot, 0);
    slot_set_state(slot, SLOT_IDLE);
    mutex_unlock(&slot->lock);
    if (!good) {
        sockets_count_replaced(engine, cause);
    }
    give_back(engine, slot);
}

/* A cancel may abort the connection, and nobody tells in advance whether it does. A disconnect that
 * has closed its socket is done, and a worker is about to hear of it. */
static void cancel(engine_t *engine, slot_t *slot)
{
    if (slot->sock == IO_SOCK_NONE) {
        return;
    }
    slot->given_up = true;
    agenda_set_deadline(engine, slot, io_now_ns(engine->io) + CANCEL_PATIENCE_NS);
    io_cancel(engine->io, slot->sock, &slot->life.io);
}

/* Whether SLOT's client may still be reading what it was sent, so that an abort would take
 * something away; OTHERWISE, where the stack does not tell. */
static bool may_read(engine_t *engine, slot_t *slot, bool otherwise)
{
    uint64_t unacked = 0;
    if (slot->sock == IO_SOCK_NONE) {
        return false; /* it is closed already, in order */
    }
    return io_unacked(engine->io, slot->sock, slot->sent, &unacked) ? unacked > 0 : otherwise;
}

/* SLOT's disconnect takes long: it is given up at once where it is one too many, or later. */
static void cool(engine_t *engine, slot_t *slot, uint64_t now_ns)
{
    slot_set_state(slot, SLOT_COOLING);
    uint64_t wait_ns = COOLING_DEADLINE_NS;
    slot->cause = CAUSE_COOLING_DEADLINE;
    if (atomic_u64_add(&engine->cooling, 1) > engine->options.cooling_max) {
        slot->cause = CAUSE_COOLING_CAP;
        wait_ns = engine->options.linger_ns < wait_ns ? engine->options.linger_ns : wait_ns;
        if (!may_read(engine, slot, true)) {
            cancel(engine, slot);
            return;
        }
    }
    agenda_set_deadline(engine, slot, now_ns + wait_ns);
}

void recycle_overdue(engine_t *engine, slot_t *slot, uint64_t now_ns)
{
    if (slot->given_up) {
        agenda_set_deadline(engine, slot, 0);
        if (slot->sock != IO_SOCK_NONE) {
            io_sock_sever(engine->io, &slot->sock, false);
        }
    } else if (slot->state == SLOT_COOLING) {
        cancel(engine, slot);
    } else {
        cool(engine, slot, now_ns);
    }
}

void recycle_stop(engine_t *engine, slot_t *slot, bool late)
{
    bool cools = slot->state == SLOT_COOLING;
    if (!slot->given_up && (late || !may_read(engine, slot, !cools))) {
        slot->cause = CAUSE_STOPPING;
        cancel(engine, slot);
    }
}
