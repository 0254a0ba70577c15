/* closing.c: how the end of a session begins. */
#include "closing.h"

#include "../state.h"
#include "../work/agenda.h"

/* How long the peer's FIN may take after ours; while the server stops, it is not worth a wait. */
#define LINGER_NS          (2 * NS_PER_S)
#define LINGER_STOPPING_NS (100 * NS_PER_MS)

/* How long a client that reads nothing may hold up the rest of what was queued for it. */
#define FLUSH_NS (60 * NS_PER_S)

/* The same for one that has been silent for too long as it is. */
#define FLUSH_SILENT_NS (2 * NS_PER_S)

/* Keeps the first ending; an operation's failure also rules out recycling. */
static void record(slot_t *slot, const ending_t *ending)
{
    session_t *session = &slot->session;
    if (!session->ending.known) {
        session->ending = *ending;
    }
    if (ending->has_status && (int32_t)ending->status < 0 && session->broken == CAUSE_NONE) {
        session->broken = ending->reason == REASON_PEER_RESET ? CAUSE_RESET : CAUSE_ERROR;
    }
}

void session_drain(engine_t *engine, slot_t *slot, const ending_t *ending)
{
    record(slot, ending);
    if (slot->state == SLOT_DRAINING) {
        return;
    }
    slot_set_state(slot, SLOT_DRAINING);
    atomic_u32_store(&slot->session.mute, 1);
    slot->pending &= PENDING_OPEN;
    slot->session.ending.unsent_bytes = slot->session.out.bytes;
    agenda_set_deadline(engine, slot, 0);
    if (slot->in_flight & FLIGHT_RECV) {
        io_cancel(engine->io, slot->sock, &slot->recv.io);
    }
    if (slot->in_flight & FLIGHT_SEND) {
        io_cancel(engine->io, slot->sock, &slot->send.io);
    }
}

void session_fail(engine_t *engine, slot_t *slot, int status, int error)
{
    ending_t ending = ending_from_status((uint32_t)status, error);
    session_drain(engine, slot, &ending);
}

void session_allow_linger(engine_t *engine, slot_t *slot)
{
    uint64_t linger_ns = engine_is_stopping(engine) ? LINGER_STOPPING_NS : LINGER_NS;
    agenda_set_deadline(engine, slot, io_now_ns(engine->io) + linger_ns);
}

void session_allow_flush(engine_t *engine, slot_t *slot)
{
    bool silent = reason_is_silence((reason_t)slot->session.ending.reason);
    uint64_t flush_ns = silent ? FLUSH_SILENT_NS : FLUSH_NS;
    agenda_set_deadline(engine, slot, io_now_ns(engine->io) + flush_ns);
}

void session_flush(engine_t *engine, slot_t *slot, const ending_t *ending)
{
    record(slot, ending);
    slot_set_state(slot, SLOT_FLUSHING);
    atomic_u32_store(&slot->session.mute, 1);
    if (slot->session.fin_sent) {
        session_allow_linger(engine, slot);
    } else {
        session_allow_flush(engine, slot);
    }
    slot->pending &= PENDING_OPEN;
    slot->session.fin_wanted = true;
}
