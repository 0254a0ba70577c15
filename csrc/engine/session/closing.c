/* closing.c: how a session ends, and how long its client may take for it. */
#include "closing.h"

#include "../state.h"
#include "../work/agenda.h"

/* However steady the progress, an orderly end takes no more than so many times `linger` in all. */
#define LINGERS_MAX 10u

/* A client that has all and says nothing is left after so long; the second while the server stops.
 */
#define QUIET_NS          (2 * NS_PER_S)
#define QUIET_STOPPING_NS (100 * NS_PER_MS)

/* Nobody tells when the peer acknowledges something: it is looked for so often within `linger`, at
 * least each QUIET_NS, and first so soon after what was sent last. */
#define LOOKS_PER_LINGER 4u
#define LOOK_FIRST_NS    (50 * NS_PER_MS)

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

void session_count_unsent(engine_t *engine, slot_t *slot)
{
    session_t *session = &slot->session;
    uint64_t unacked = 0;
    if (slot->sock == IO_SOCK_NONE) {
        return; /* it was severed, and what the client lacked then it will never get */
    }
    (void)io_unacked(engine->io, slot->sock, session_taken(session), &unacked);
    if (session->filter != NULL) {
        unacked =
            filter_unacked(session->filter, session->filter->sent - unacked, session->bytes_sent);
    }
    session->cut_short = session->out.bytes > 0;
    session->ending.unsent_bytes = session->out.bytes + unacked;
}

/* Whoever wants its name may have it from now on. */
static void part_name(engine_t *engine, slot_t *slot)
{
    if (slot->session.name != NULL) {
        names_part(&engine->names, slot->session.name, slot->token);
    }
}

static void drain(engine_t *engine, slot_t *slot)
{
    slot_set_state(slot, SLOT_DRAINING);
    part_name(engine, slot);
    atomic_u32_store(&slot->session.mute, 1);
    slot->pending &= PENDING_OPEN;
    bool waits = (slot->in_flight & (FLIGHT_RECV | FLIGHT_SEND)) != 0;
    agenda_set_deadline(engine, slot, waits ? io_now_ns(engine->io) + CANCEL_PATIENCE_NS : 0);
    if (slot->in_flight & FLIGHT_RECV) {
        io_cancel(engine->io, slot->sock, &slot->recv.io);
    }
    if (slot->in_flight & FLIGHT_SEND) {
        io_cancel(engine->io, slot->sock, &slot->send.io);
    }
}

void session_drain(engine_t *engine, slot_t *slot, const ending_t *ending)
{
    record(slot, ending);
    if (slot->state != SLOT_DRAINING) {
        session_count_unsent(engine, slot);
        drain(engine, slot);
    }
}

void session_sever(engine_t *engine, slot_t *slot)
{
    agenda_set_deadline(engine, slot, 0);
    if ((slot->in_flight & (FLIGHT_RECV | FLIGHT_SEND)) != 0) {
        session_count_unsent(engine, slot);
        bool reset = slot->session.reset || slot->session.cut_short;
        io_sock_sever(engine->io, &slot->sock, reset);
    }
}

void session_part(engine_t *engine, slot_t *slot, const ending_t *ending)
{
    record(slot, ending);
    if (!sendq_is_empty(&slot->session.out)) {
        session_count_unsent(engine, slot); /* its filter is broken */
    }
    drain(engine, slot);
}

void session_fail(engine_t *engine, slot_t *slot, int status, int error)
{
    ending_t ending = ending_from_status((uint32_t)status, error);
    session_drain(engine, slot, &ending);
}

void session_fail_send(engine_t *engine, slot_t *slot, int status, int error)
{
    if (slot->state != SLOT_OPEN) {
        session_fail(engine, slot, status, error);
        return;
    }
    ending_t ending = ending_from_status((uint32_t)status, error);
    record(slot, &ending);
    slot->session.send_failed = true;
}

/* Whether a close would take nothing from the client, as far as anybody can tell: it has all, and
 * says nothing that would be answered with RST. */
static bool is_quiet(engine_t *engine, slot_t *slot, uint64_t unacked)
{
    const session_t *session = &slot->session;
    return session->fin_sent && unacked == 0 && session_heard(session) == session->heard_open &&
           (slot->in_flight & FLIGHT_RECV) != 0 &&
           !io_is_due(engine->io, slot->sock, &slot->recv.io);
}

/* When the client's time is over, if it makes no progress from now on. */
static uint64_t least(uint64_t a_ns, uint64_t b_ns)
{
    return a_ns < b_ns ? a_ns : b_ns;
}

static uint64_t ends_at(engine_t *engine, slot_t *slot, uint64_t unacked)
{
    const session_t *session = &slot->session;
    bool stopping = engine_is_stopping(engine);
    uint64_t linger_ns = engine->options.linger_ns;
    if (is_quiet(engine, slot, unacked)) {
        return session->progress_ns + (stopping ? QUIET_STOPPING_NS : least(QUIET_NS, linger_ns));
    }
    if (stopping) {
        return WHEEL_NEVER; /* until the manager finds that the drain is over */
    }
    return least(session->progress_ns + linger_ns, session->closing_ns + LINGERS_MAX * linger_ns);
}

/* How long to the next look. */
static uint64_t step_ns(engine_t *engine)
{
    return engine_is_stopping(engine)
               ? QUIET_STOPPING_NS
               : least(QUIET_NS, engine->options.linger_ns / LOOKS_PER_LINGER) + 1;
}

void session_progress(engine_t *engine, slot_t *slot)
{
    uint64_t now_ns = io_now_ns(engine->io);
    slot->session.progress_ns = now_ns;
    agenda_set_deadline(engine, slot, now_ns + least(LOOK_FIRST_NS, step_ns(engine)));
}

bool session_may_linger(engine_t *engine, slot_t *slot, uint64_t now_ns)
{
    session_t *session = &slot->session;
    uint64_t unacked = 0;
    (void)io_unacked(engine->io, slot->sock, session_taken(session), &unacked);
    uint64_t acked = session_taken(session) - unacked;
    bool took = (slot->in_flight & FLIGHT_SEND) != 0 &&
                io_is_due(engine->io, slot->sock, &slot->send.io); /* a worker is to hear of it */
    if (acked > session->acked || took) {
        session->acked = acked;
        session->progress_ns = now_ns;
    }
    uint64_t ends_ns = ends_at(engine, slot, unacked);
    if (now_ns < ends_ns) {
        agenda_set_deadline(engine, slot, least(now_ns + step_ns(engine), ends_ns));
        return true;
    }
    session->reset |=
        unacked > 0; /* or the stack would go on offering it, for as long as it likes */
    return false;
}

void session_hurry(engine_t *engine, slot_t *slot, uint64_t now_ns)
{
    if (slot->deadline_ns > now_ns + QUIET_STOPPING_NS) {
        agenda_set_deadline(engine, slot, now_ns + QUIET_STOPPING_NS);
    }
}

void session_flush(engine_t *engine, slot_t *slot, const ending_t *ending)
{
    session_t *session = &slot->session;
    if (session->send_failed) {
        session_drain(engine, slot, ending);
        return;
    }
    record(slot, ending);
    slot_set_state(slot, SLOT_FLUSHING);
    part_name(engine, slot);
    atomic_u32_store(&session->mute, 1);
    session->closing_ns = io_now_ns(engine->io);
    session->heard_open = session_heard(session);
    session_progress(engine, slot);
    slot->pending &= PENDING_OPEN;
    session->fin_wanted = true;
}
