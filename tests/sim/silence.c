/* silence.c: whether a client that is ended for its silence has been silent. */
#include "world.h"

#define TICK_NS (20 * NS_PER_MS)

/* Whether the client has done something that a worker has in its hand, or will find. */
static bool silence__is_broken(world_t *world, slot_t *slot, reason_t reason)
{
    bool heard =
        (slot->in_flight & FLIGHT_RECV) != 0 && io_is_due(world->io, slot->sock, &slot->recv.io);
    bool took =
        (slot->in_flight & FLIGHT_SEND) != 0 && io_is_due(world->io, slot->sock, &slot->send.io);
    return heard || (took && reason == REASON_IDLE_TIMEOUT);
}

uint64_t silence_message_ns(const session_t *session)
{
    return session->message_ns > session->resumed_ns ? session->message_ns : session->resumed_ns;
}

/* Since when the client has taken nothing, as its own reads tell; the engine looks for them now and
 * then. */
static uint64_t silence__took_ns(world_t *world, const slot_t *slot, uint32_t conn)
{
    uint64_t idle_ns = world->config.engine.idle_timeout_ns;
    uint64_t slack_ns = idle_ns / 16 + idle_ns / 15 + 3 * world->config.manager_late_ns + TICK_NS;
    uint64_t read_ns = sim_conn_read_ns(world->io, conn);
    bool counts = world->config.sim.tells_acks && read_ns > slack_ns &&
                  world->blocked_ns + idle_ns < read_ns &&
                  sim_client_has_read(world->io, conn) <= session_taken(&slot->session);
    return counts ? read_ns - slack_ns : 0;
}

void silence_check(world_t *world, slot_t *slot, reason_t reason)
{
    const engine_options_t *options = &world->config.engine;
    uint64_t now_ns = io_now_ns(world->io);
    uintptr_t place = (uintptr_t)slot->session.user;
    rec_t *rec = place == 0 ? NULL : &world->recs[place - 1];
    uint32_t conn = sim_conn_of(world->io, slot->sock);
    uint64_t since_ns = sim_conn_since_ns(world->io, conn);
    if (slot->session.filter != NULL && !slot->session.unmet) {
        since_ns = slot->session.begun_ns; /* the handshake has a time of its own */
    }
    uint64_t heard_ns = sim_conn_heard_ns(world->io, conn);
    uint64_t resumed_ns = rec == NULL ? 0 : rec->resumed_ns;
    bool paused = slot->session.read_paused;
    bool sends = (slot->in_flight & FLIGHT_SEND) != 0;
    bool good = true;
    uint64_t least_ns = 0;
    uint64_t took_ns;
    switch (reason) {
    case REASON_FIRST_BYTE_TIMEOUT:
        least_ns = (since_ns > resumed_ns ? since_ns : resumed_ns) + options->first_byte_timeout_ns;
        good = session_heard(&slot->session) == sim_conn_heard(world->io, conn) &&
               slot->session.bytes_received == 0 && !paused;
        break;
    case REASON_LOGIN_TIMEOUT:
        least_ns = since_ns + options->login_timeout_ns;
        good = rec == NULL || !rec->logged_in;
        break;
    case REASON_HANDSHAKE_TIMEOUT:
        least_ns = since_ns + options->handshake_timeout_ns;
        good = slot->session.unmet;
        break;
    case REASON_IDLE_TIMEOUT:
        heard_ns = since_ns > heard_ns ? since_ns : heard_ns;
        took_ns = silence__took_ns(world, slot, conn);
        heard_ns = took_ns > heard_ns ? took_ns : heard_ns;
        least_ns = (heard_ns > resumed_ns ? heard_ns : resumed_ns) + options->idle_timeout_ns;
        good = !paused || sends;
        break;
    case REASON_MESSAGE_TIMEOUT:
        least_ns = silence_message_ns(&slot->session) + options->message_timeout_ns;
        good = !paused && cutter_is_amid(&slot->session.cutter) && !slot->session.peer_eof;
        break;
    default:
        return;
    }
    /* A message that drips is late all the same. */
    if (reason != REASON_LOGIN_TIMEOUT && reason != REASON_MESSAGE_TIMEOUT &&
        reason != REASON_HANDSHAKE_TIMEOUT &&
        (world->held[slot->index] || silence__is_broken(world, slot, reason))) {
        world_fail(world, "slot %u: its client is said to be silent, and nobody has listened",
                   slot->index);
    }
    if (!good || now_ns < least_ns) {
        world_fail(world, "slot %u: reason %d, and it is not so, or not yet", slot->index,
                   (int)reason);
    }
    world->totals->timeouts[reason]++;
    world->timed_out[slot->index] = slot->token;
}
