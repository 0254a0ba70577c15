/* patience.c: whether a client that ends has the time for it that it may take, and no more. */
#include "toying.h"

/* The engine's own figures, as csrc/engine/session/closing.c has them. */
#define LINGERS_MAX       10u
#define LOOKS_PER_LINGER  4u
#define QUIET_NS          (2 * NS_PER_S)
#define QUIET_STOPPING_NS (100 * NS_PER_MS)

static uint64_t patience__look_ns(const world_t *world)
{
    uint64_t look_ns = world->config.engine.linger_ns / LOOKS_PER_LINGER;
    look_ns = look_ns > QUIET_NS ? QUIET_NS : look_ns;
    return (look_ns > QUIET_STOPPING_NS ? look_ns : QUIET_STOPPING_NS) + 1;
}

uint64_t patience_span_ns(const world_t *world, const slot_t *slot)
{
    uint64_t linger_ns = world->config.engine.linger_ns;
    bool parts = slot->state == SLOT_RECYCLING || slot->state == SLOT_COOLING;
    if (slot->state == SLOT_DRAINING || (parts && slot->given_up)) {
        return CANCEL_PATIENCE_NS;
    }
    if (slot->state == SLOT_RECYCLING) {
        return 250 * NS_PER_MS;
    }
    if (slot->state == SLOT_FLUSHING) {
        return patience__look_ns(world);
    }
    bool capped = slot->cause == CAUSE_COOLING_CAP && linger_ns < 245 * NS_PER_S;
    return capped ? linger_ns : 245 * NS_PER_S;
}

void patience_check_cancelled(world_t *world, const slot_t *slot, uint32_t flight,
                              const io_op_t *op)
{
    CHECK_THAT(world,
               (slot->in_flight & flight) == 0 || sim_is_ready(world->io, op) ||
                   (slot->sock != IO_SOCK_NONE && slot->deadline_ns != 0),
               "slot %u waits for ever for what it has cancelled", slot->index);
}

void patience_check_bound(world_t *world, const slot_t *slot)
{
    const session_t *session = &slot->session;
    uint64_t linger_ns = world->config.engine.linger_ns;
    /* A look may be late by all that makes timers late, and so may the one before it. */
    uint64_t late_ns = linger_ns / LOOKS_PER_LINGER + linger_ns / 15 + 100 * NS_PER_MS +
                       2 * world->config.manager_late_ns;
    uint64_t all_ns = session->closing_ns + LINGERS_MAX * linger_ns;
    uint64_t excuse_ns = world->blocked_ns > world->settled_ns[slot->index]
                             ? world->blocked_ns
                             : world->settled_ns[slot->index];
    all_ns = all_ns < excuse_ns ? excuse_ns : all_ns;
    CHECK_THAT(world,
               world->stop_asked || world->manager_gone || io_now_ns(world->io) <= all_ns + late_ns,
               "slot %u: its client keeps it for ever", slot->index);
}

void patience_check_end(world_t *world, const slot_t *slot, uint64_t now_ns)
{
    const session_t *session = &slot->session;
    uint32_t conn = sim_conn_of(world->io, slot->sock);
    uint64_t linger_ns = world->config.engine.linger_ns;
    uint64_t since_ns = sim_conn_went_ns(world->io, conn);
    uint64_t read_ns = sim_conn_read_ns(world->io, conn);
    uint64_t read = sim_client_has_read(world->io, conn);
    if (world->config.sim.tells_acks && read_ns > since_ns && read <= session_taken(session)) {
        since_ns = read_ns;
    }
    since_ns = since_ns < session->closing_ns ? session->closing_ns : since_ns;
    bool over =
        now_ns >= since_ns + linger_ns || now_ns >= session->closing_ns + LINGERS_MAX * linger_ns;
    bool broken = session->filter != NULL && session->filter->phase == FILTER_BROKEN;
    bool quiet = (session->out.head == NULL || broken) && session->fin_sent &&
                 (!world->config.sim.tells_acks || read >= session_taken(session)) &&
                 !sim_conn_is_unread(world->io, conn) &&
                 session_heard(session) == session->heard_open;
    uint64_t quiet_ns = world->stop_asked ? QUIET_STOPPING_NS : QUIET_NS;
    CHECK_THAT(world, (over && !world->stop_asked) || (quiet && now_ns >= since_ns + quiet_ns),
               "slot %u: its client is given up, and is not through", slot->index);
}

void patience_note_drain(world_t *world, const slot_t *slot)
{
    world->drained_read[slot->index] =
        sim_client_has_read(world->io, sim_conn_of(world->io, slot->sock));
}

void patience_check_cancel(world_t *world, const slot_t *slot)
{
    if (!sim_is_outstanding(world->io, &slot->life.io)) {
        return; /* it is done, and its worker is not there yet */
    }
    uint32_t conn = sim_conn_of(world->io, slot->sock);
    if (conn == SIM_CONN_NONE || !world->config.sim.tells_acks ||
        sim_client_has_read(world->io, conn) >= slot->sent) {
        return;
    }
    uint64_t until_ns = sim_conn_went_ns(world->io, conn) + world->config.engine.linger_ns;
    uint64_t stops_ns = atomic_u64_load(&world->engine->stop_deadline_ns);
    until_ns = world->stop_asked && stops_ns < until_ns ? stops_ns : until_ns;
    CHECK_THAT(world, slot->cause == CAUSE_COOLING_DEADLINE || io_now_ns(world->io) >= until_ns,
               "slot %u: its client reads its last answer, and the disconnect is cancelled",
               slot->index);
}

uint32_t patience_conn_of(world_t *world, const slot_t *slot)
{
    bool severed = slot->sock == IO_SOCK_NONE && world->severed[slot->index] != 0;
    return severed ? world->severed[slot->index] - 1 : sim_conn_of(world->io, slot->sock);
}

void patience_note_sever(world_t *world, const slot_t *slot)
{
    const io_op_t *ops[] = {&slot->recv.io, &slot->send.io};
    const uint32_t flights[] = {FLIGHT_RECV, FLIGHT_SEND | FLIGHT_LIFE};
    bool asked = false;
    for (int i = 0; i < 2; i++) {
        asked |= (slot->in_flight & flights[i]) != 0 && sim_is_ending(world->io, ops[i]);
    }
    CHECK_THAT(world, asked, "slot %u: its socket is closed, and nothing was cancelled before",
               slot->index);
    if (slot->state == SLOT_DRAINING) {
        uint32_t conn = sim_conn_of(world->io, slot->sock);
        world->severed[slot->index] = conn + 1;
        sim_conn_keep(world->io, conn, true);
    }
}

void patience_check_accepts(world_t *world)
{
    table_t *table = &world->engine->table;
    for (uint32_t i = 0; i < table_count(table); i++) {
        const slot_t *slot = table_at(table, i);
        CHECK_THAT(world,
                   slot->state != SLOT_ACCEPTING || (slot->in_flight & FLIGHT_LIFE) == 0 ||
                       sim_is_ending(world->io, &slot->life.io),
                   "slot %u: its listener is closed, and its accept was not cancelled before",
                   slot->index);
    }
}

void patience_forget(world_t *world, const slot_t *slot)
{
    if (world->severed[slot->index] != 0) {
        sim_conn_keep(world->io, world->severed[slot->index] - 1, false);
        world->severed[slot->index] = 0;
    }
}

static uint64_t patience__lacks(const rec_t *rec, uint64_t read, uint64_t sent)
{
    return rec->accepted - (read < sent ? read : sent);
}

void patience_check_unsent(world_t *world, const rec_t *rec, const slot_t *slot)
{
    uint64_t unsent = slot->session.ending.unsent_bytes;
    bool toying = toying_is_on(world);
    uint64_t sent = toying ? slot->session.bytes_sent : sim_conn_reported(world->io, rec->conn);
    uint64_t queued = rec->accepted - sent;
    bool in_order = slot->session.peer_eof && queued == 0 && unsent == 0;
    if (rec->sending || in_order || slot->sock == IO_SOCK_NONE) {
        return;
    }
    uint64_t least = queued;
    uint64_t most = queued;
    if (world->config.sim.tells_acks) {
        uint64_t read = sim_client_has_read(world->io, rec->conn);
        uint64_t drained_read = world->drained_read[slot->index];
        least = patience__lacks(rec, toying_plain(world, rec->conn, read), sent);
        most = patience__lacks(rec, toying_plain(world, rec->conn, drained_read), sent);
        /* A record's own bytes may count for plain ones, where any are missing. */
        uint64_t wire = slot->session.filter == NULL ? 0 : slot->session.filter->sent;
        if (toying && most > queued && wire > drained_read) {
            most = queued + (wire - drained_read < sent ? wire - drained_read : sent);
        }
    }
    if (unsent < least || unsent > most) {
        world_fail(world, "client %u: %u bytes are said to be unsent instead of %u to %u",
                   (unsigned)rec->number, (unsigned)unsent, (unsigned)least, (unsigned)most);
    }
}
