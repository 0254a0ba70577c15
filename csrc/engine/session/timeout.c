/* timeout.c: how long a client may be silent. */
#include "timeout.h"

#include "../state.h"
#include "../work/agenda.h"
#include "closing.h"

/* Within an idle time, acknowledgements are looked for so often. */
#define ACK_LOOKS 16u

/* What comes of a message that is overdue counts for so long: a drip does not put its end off. */
#define STIRS_NS (50 * NS_PER_MS)

/* When a session is over its time, and why. */
typedef struct {
    uint64_t at_ns; /* WHEEL_NEVER = at no time that is known now */
    reason_t reason;
} expiry_t;

static uint64_t later(uint64_t a_ns, uint64_t b_ns)
{
    return a_ns > b_ns ? a_ns : b_ns;
}

static void offer(expiry_t *expiry, uint64_t at_ns, reason_t reason)
{
    if (at_ns < expiry->at_ns) {
        *expiry = (expiry_t){at_ns, reason};
    }
}

/* Whether the client owes the rest of a message. In a callback, nobody else may look. */
static bool is_amid_message(const slot_t *slot)
{
    const session_t *session = &slot->session;
    return (slot->in_flight & FLIGHT_CALLBACK) == 0 && (slot->pending & PENDING_DATA) == 0 &&
           !session->peer_eof && !session->read_paused && cutter_is_amid(&session->cutter);
}

/* The first time that SLOT's session may be over, as it looks at NOW_NS. */
static expiry_t expiry_of(const engine_t *engine, const slot_t *slot, uint64_t now_ns)
{
    const engine_options_t *options = &engine->options;
    const session_t *session = &slot->session;
    expiry_t expiry = {.at_ns = WHEEL_NEVER};
    if (session->unmet) {
        offer(&expiry, session->begun_ns + options->handshake_timeout_ns, REASON_HANDSHAKE_TIMEOUT);
        return expiry;
    }
    if (options->login_timeout_ns != 0 && session->name == NULL) {
        offer(&expiry, session->begun_ns + options->login_timeout_ns, REASON_LOGIN_TIMEOUT);
    }
    /* Not while a callback runs or is due: what the client sends meanwhile is not read. The next
     * tick is soon enough to see whether it still does. */
    bool deaf = (slot->in_flight & FLIGHT_CALLBACK) != 0 || (slot->pending & PENDING_OPEN) != 0;
    uint64_t from_ns = deaf ? now_ns + 1 : 0;
    if (options->first_byte_timeout_ns != 0 && session->bytes_received == 0 && !session->peer_eof &&
        !session->read_paused) {
        uint64_t since_ns = later(session->begun_ns, session->resumed_ns);
        offer(&expiry, later(since_ns + options->first_byte_timeout_ns, from_ns),
              REASON_FIRST_BYTE_TIMEOUT);
    }
    bool idles = !session->read_paused || (slot->in_flight & FLIGHT_SEND) != 0;
    if (options->idle_timeout_ns != 0 && idles) {
        uint64_t since_ns = later(session->active_ns, session->resumed_ns);
        since_ns = later(since_ns, session->acked_ns);
        offer(&expiry, later(since_ns + options->idle_timeout_ns, from_ns), REASON_IDLE_TIMEOUT);
    }
    if (options->message_timeout_ns != 0 && is_amid_message(slot)) {
        uint64_t since_ns = later(session->message_ns, session->resumed_ns);
        offer(&expiry, since_ns + options->message_timeout_ns, REASON_MESSAGE_TIMEOUT);
    }
    return expiry;
}

/* Has the manager look at SLOT when EXPIRY has come. */
static void await(engine_t *engine, slot_t *slot, const expiry_t *expiry)
{
    if (expiry->at_ns != WHEEL_NEVER) {
        agenda_look_at(engine, slot, expiry->at_ns);
    }
}

static void await_acks(engine_t *engine, slot_t *slot, uint64_t now_ns)
{
    agenda_look_at(engine, slot, now_ns + engine->options.idle_timeout_ns / ACK_LOOKS + 1);
}

void timeout_sent(engine_t *engine, slot_t *slot, uint64_t now_ns)
{
    if (engine->options.idle_timeout_ns != 0 && !slot->session.unsettled) {
        slot->session.unsettled = true;
        await_acks(engine, slot, now_ns);
    }
}

void timeout_cut(engine_t *engine, slot_t *slot)
{
    uint64_t span_ns = engine->options.message_timeout_ns;
    if (span_ns != 0 && slot->state == SLOT_OPEN && is_amid_message(slot)) {
        agenda_look_at(engine, slot, slot->session.message_ns + span_ns);
    }
}

/* What has been acknowledged since the last look is activity, if something was missing then:
 * else it followed the send at once, which is activity itself. */
static void note_acked(engine_t *engine, slot_t *slot, uint64_t now_ns)
{
    session_t *session = &slot->session;
    if (!session->unsettled) {
        return;
    }
    uint64_t unacked = 0;
    (void)io_unacked(engine->io, slot->sock, session_taken(session), &unacked);
    uint64_t acked = session_taken(session) - unacked;
    if (session->lagging && acked > session->acked) {
        session->acked_ns = now_ns;
    }
    session->acked = acked;
    session->lagging = unacked > 0;
    session->unsettled = unacked > 0;
    if (unacked > 0) {
        await_acks(engine, slot, now_ns);
    }
}

void timeout_begin(engine_t *engine, slot_t *slot, uint64_t now_ns)
{
    slot->session.begun_ns = now_ns;
    slot->session.active_ns = now_ns;
    expiry_t expiry = expiry_of(engine, slot, now_ns);
    await(engine, slot, &expiry);
}

void timeout_restart(engine_t *engine, slot_t *slot)
{
    uint64_t now_ns = io_now_ns(engine->io);
    slot->session.resumed_ns = now_ns;
    if (slot->state == SLOT_OPEN) {
        expiry_t expiry = expiry_of(engine, slot, now_ns);
        await(engine, slot, &expiry);
    }
}

void timeout_look(engine_t *engine, slot_t *slot, uint64_t now_ns)
{
    note_acked(engine, slot, now_ns);
    expiry_t expiry = expiry_of(engine, slot, now_ns);
    if (expiry.at_ns > now_ns) {
        await(engine, slot, &expiry);
    } else {
        slot->session.overdue = true;
        agenda_kick(engine, slot);
    }
}

/* Whether SLOT's client has said or taken something, and nobody has looked yet: the worker that
 * judges need not be one that has been to the port. */
static bool is_stirring(engine_t *engine, slot_t *slot, const expiry_t *expiry, uint64_t now_ns)
{
    reason_t reason = expiry->reason;
    if (reason == REASON_MESSAGE_TIMEOUT && now_ns > expiry->at_ns + STIRS_NS) {
        return false;
    }
    if (reason != REASON_LOGIN_TIMEOUT && reason != REASON_HANDSHAKE_TIMEOUT &&
        (slot->in_flight & FLIGHT_RECV) != 0 && io_is_due(engine->io, slot->sock, &slot->recv.io)) {
        return true;
    }
    return reason == REASON_IDLE_TIMEOUT && (slot->in_flight & FLIGHT_SEND) != 0 &&
           io_is_due(engine->io, slot->sock, &slot->send.io);
}

void timeout_judge(engine_t *engine, slot_t *slot, uint64_t now_ns)
{
    if (slot->state != SLOT_OPEN || !slot->session.overdue) {
        return;
    }
    slot->session.overdue = false;
    note_acked(engine, slot, now_ns);
    expiry_t expiry = expiry_of(engine, slot, now_ns);
    if (expiry.at_ns > now_ns) {
        await(engine, slot, &expiry);
        return;
    }
    if (is_stirring(engine, slot, &expiry, now_ns)) {
        agenda_look_at(engine, slot, now_ns + 1);
        return;
    }
    ending_t ending = ending_local(expiry.reason);
    session_flush(engine, slot, &ending);
}
