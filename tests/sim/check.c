/* check.c: the invariants. Most are of one slot, and are looked at after each step for the slots
 * whose lock was taken in it; some are of the whole engine. No thread is inside the engine. */
#include <string.h>

#include "toying.h"

/* The engine's own periods, as its sources have them. */
#define RETRY_NS    (50 * NS_PER_MS)
#define TICK_NS     (20 * NS_PER_MS)
#define BACKSTOP_NS (1000 * NS_PER_MS)

void check_touch(world_t *world, const void *lock)
{
    const table_t *table = &world->engine->table;
    uint32_t count = table_count((table_t *)(uintptr_t)table);
    for (uint32_t base = 0; base < count; base += TABLE_CHUNK_SLOTS) {
        const char *chunk = (const char *)table_at(&world->engine->table, base);
        const char *place = lock;
        if (place >= chunk && place < chunk + TABLE_CHUNK_SLOTS * sizeof(slot_t)) {
            uint32_t index = base + (uint32_t)((size_t)(place - chunk) / sizeof(slot_t));
            if (index < SLOTS_MAX && !world->touched[index]) {
                world->touched[index] = true;
                world->touched_list[world->touched_count++] = index;
            }
            return;
        }
    }
}

static bool check__is_wiped(const slot_t *slot)
{
    session_t fresh;
    memset(&fresh, 0, sizeof fresh);
    fresh.broken = CAUSE_NONE;
    /* Padding counts, too: the wipe is one memset.
     * NOLINTNEXTLINE(bugprone-suspicious-memory-comparison) */
    return slot->token == TOKEN_NONE && memcmp(&slot->session, &fresh, sizeof fresh) == 0;
}

/* The bits say what the model says is outstanding. */
static void check__flight(world_t *world, const slot_t *slot)
{
    const struct {
        const operation_t *operation;
        uint32_t bits;
        const char *name;
    } operations[] = {
        {&slot->recv, FLIGHT_RECV, "receive"},
        {&slot->send, FLIGHT_SEND | FLIGHT_LIFE, "send, accept or disconnect"},
    };
    CHECK_THAT(world, (slot->in_flight & FLIGHT_LIFE) == 0 || slot->in_flight == FLIGHT_LIFE,
               "slot %u: something else beside an accept or disconnect", slot->index);
    for (size_t i = 0; i < sizeof operations / sizeof operations[0]; i++) {
        bool told = (slot->in_flight & operations[i].bits) != 0;
        bool is = sim_is_outstanding(world->io, &operations[i].operation->io);
        CHECK_THAT(world, told == is, "slot %u: its %s is in flight: %d, outstanding: %d",
                   slot->index, operations[i].name, told, is);
    }
    bool told = (slot->in_flight & FLIGHT_CALLBACK) != 0;
    CHECK_THAT(world, told == world->held[slot->index],
               "slot %u: a callback is in flight: %d, in a worker's hand: %d", slot->index, told,
               world->held[slot->index]);
}

bool check_has_input(const session_t *session)
{
    const direct_loan_t *loan = session->recv_direct ? session->recv_buf : NULL;
    return cutter_has_input(&session->cutter) || (loan != NULL && loan->left > 0);
}

/* A slot that is not in a worker's hand goes on by itself. */
static void check__serving(world_t *world, const slot_t *slot)
{
    const session_t *session = &slot->session;
    bool waits = (slot->in_flight & FLIGHT_CALLBACK) != 0 || slot->dirty != NULL || slot->kicked;
    bool sends = (slot->in_flight & FLIGHT_SEND) != 0;
    bool receives = (slot->in_flight & FLIGHT_RECV) != 0;
    CHECK_THAT(world, slot->token != TOKEN_NONE && (slot->in_flight & FLIGHT_LIFE) == 0,
               "slot %u serves nobody", slot->index);
    CHECK_THAT(world, sim_is_open(world->io, slot->sock), "slot %u has no socket", slot->index);
    bool broken = session->filter != NULL && session->filter->phase == FILTER_BROKEN;
    CHECK_THAT(world, waits || sends || session->out.head == NULL || session->send_failed || broken,
               "slot %u: a send is forgotten", slot->index);
    bool told = !session->cut && !check_has_input(session);
    CHECK_THAT(world, waits || told || slot->state != SLOT_OPEN || slot->pending & PENDING_DATA,
               "slot %u: a message is forgotten", slot->index);
    CHECK_THAT(world,
               slot->state != SLOT_OPEN || session->write_full ||
                   session->out.bytes <= world->config.engine.write_high,
               "slot %u is full, and does not know", slot->index);
    bool paused = session->read_paused && slot->state == SLOT_OPEN;
    bool full = session->filter != NULL && (session->filter->in_len > 0 || session->filter->more);
    CHECK_THAT(world, waits || receives || session->peer_eof || paused || full,
               "slot %u: a receive is forgotten", slot->index);
    if (slot->state == SLOT_FLUSHING) {
        CHECK_THAT(world, slot->deadline_ns != 0, "slot %u flushes without a deadline",
                   slot->index);
        CHECK_THAT(world, waits || sends || receives, "slot %u flushes for ever", slot->index);
        patience_check_bound(world, slot);
    }
    if (session->filter != NULL) {
        toying_check(world, slot);
    }
}

static void check__draining(world_t *world, const slot_t *slot)
{
    CHECK_THAT(world, slot->in_flight != 0 || slot->kicked, "slot %u drains for ever", slot->index);
    patience_check_cancelled(world, slot, FLIGHT_RECV, &slot->recv.io);
    patience_check_cancelled(world, slot, FLIGHT_SEND, &slot->send.io);
    bool asked =
        ((slot->in_flight & FLIGHT_RECV) == 0 || sim_is_ending(world->io, &slot->recv.io)) &&
        ((slot->in_flight & FLIGHT_SEND) == 0 || sim_is_ending(world->io, &slot->send.io));
    CHECK_THAT(world, asked, "slot %u drains, and what is in flight is not cancelled", slot->index);
}

static void check__parting(world_t *world, const slot_t *slot)
{
    CHECK_THAT(world, slot->in_flight == FLIGHT_LIFE, "slot %u disconnects with flight %x",
               slot->index, slot->in_flight);
    patience_check_cancelled(world, slot, FLIGHT_LIFE, &slot->life.io);
    CHECK_THAT(world, check__is_wiped(slot), "slot %u is not wiped", slot->index);
}

/* A time at which SLOT must be looked at, and the span that led to it. */
typedef struct {
    uint64_t at_ns; /* UINT64_MAX = none */
    uint64_t span_ns;
} expiry_t;

static void check__offer(expiry_t *expiry, uint64_t since_ns, uint64_t span_ns)
{
    if (span_ns != 0 && since_ns + span_ns < expiry->at_ns) {
        *expiry = (expiry_t){since_ns + span_ns, span_ns};
    }
}

/* When SLOT's session will have been silent for too long, if all goes on as it is. Where a
 * callback of it runs it will not, as far as it is known now. */
static expiry_t check__silence(const world_t *world, const slot_t *slot)
{
    const engine_options_t *options = &world->config.engine;
    const session_t *session = &slot->session;
    expiry_t expiry = {.at_ns = UINT64_MAX};
    uint64_t begun_ns = session->begun_ns;
    if (session->unmet) {
        check__offer(&expiry, begun_ns, options->handshake_timeout_ns);
        return expiry;
    }
    uint64_t active_ns = session->active_ns;
    if (session->name == NULL) {
        check__offer(&expiry, begun_ns, options->login_timeout_ns);
    }
    if ((slot->in_flight & FLIGHT_CALLBACK) != 0 || (slot->pending & PENDING_OPEN) != 0) {
        return expiry;
    }
    begun_ns = begun_ns < session->resumed_ns ? session->resumed_ns : begun_ns;
    active_ns = active_ns < session->resumed_ns ? session->resumed_ns : active_ns;
    active_ns = active_ns < session->acked_ns ? session->acked_ns : active_ns;
    if (session->bytes_received == 0 && !session->peer_eof && !session->read_paused) {
        check__offer(&expiry, begun_ns, options->first_byte_timeout_ns);
    }
    if (!session->read_paused || (slot->in_flight & FLIGHT_SEND) != 0) {
        check__offer(&expiry, active_ns, options->idle_timeout_ns);
    }
    if (!session->cut && !session->peer_eof && !session->read_paused &&
        cutter_is_amid(&session->cutter)) {
        check__offer(&expiry, silence_message_ns(session), options->message_timeout_ns);
    }
    return expiry;
}

/* What SLOT waits for by itself, once its session ends. */
static expiry_t check__deadline(world_t *world, const slot_t *slot)
{
    expiry_t expiry = {.at_ns = UINT64_MAX};
    if (slot->deadline_ns != 0) {
        expiry.at_ns = slot->deadline_ns;
        expiry.span_ns = patience_span_ns(world, slot);
        CHECK_THAT(world, expiry.at_ns <= io_now_ns(world->io) + expiry.span_ns,
                   "slot %u has a deadline that is too far away", slot->index);
    }
    return expiry;
}

/* The wheel knows of every deadline, and each is kept: late by a tick or a fifteenth at most. */
static void check__timer(world_t *world, slot_t *slot)
{
    uint64_t now_ns = io_now_ns(world->io);
    uint64_t due_ns = atomic_u64_load(&slot->timer.due_ns);
    bool open = slot->state == SLOT_OPEN;
    CHECK_THAT(world, (due_ns != 0) == list_is_linked(&slot->timer.node),
               "slot %u: its timer contradicts itself", slot->index);
    CHECK_THAT(world, !open || slot->deadline_ns == 0, "slot %u serves, and has a deadline",
               slot->index);
    expiry_t expiry = open ? check__silence(world, slot) : check__deadline(world, slot);
    if (expiry.at_ns == UINT64_MAX) {
        return;
    }
    /* While the manager is late, the wheel stands still, and all seems that much farther away. */
    uint64_t late_ns = (expiry.span_ns + world->config.manager_late_ns) / 15;
    late_ns = late_ns > TICK_NS ? late_ns : TICK_NS;
    if (!open || !slot->session.overdue) {
        uint64_t from_ns = expiry.at_ns > now_ns ? expiry.at_ns : now_ns;
        CHECK_THAT(world, due_ns != 0 && due_ns <= from_ns + late_ns,
                   "slot %u (%s): its timer comes up too late", slot->index,
                   slot_state_name(slot->state));
    }
    const uint64_t excuses_ns[] = {world->blocked_ns, world->settled_ns[slot->index]};
    for (size_t i = 0; i < sizeof excuses_ns / sizeof excuses_ns[0]; i++) {
        expiry.at_ns = expiry.at_ns < excuses_ns[i] ? excuses_ns[i] : expiry.at_ns;
    }
    late_ns += world->config.manager_late_ns + 100 * NS_PER_MS;
    CHECK_THAT(world, world->manager_gone || now_ns <= expiry.at_ns + late_ns,
               "slot %u: a deadline has passed, and nobody cares", slot->index);
}

static void check__slot(world_t *world, slot_t *slot)
{
    check__flight(world, slot);
    check__timer(world, slot);
    bool paused = slot->state == SLOT_OPEN && slot->session.read_paused;
    uint32_t tellable = paused ? slot->pending & ~(PENDING_DATA | PENDING_EOF) : slot->pending;
    CHECK_THAT(world, tellable == 0 || (slot->in_flight & FLIGHT_CALLBACK) != 0 || slot->kicked,
               "slot %u: an event is forgotten", slot->index);
    CHECK_THAT(world, !slot->kicked || sim_wakes(world->io) > 0,
               "slot %u is kicked, and no worker comes", slot->index);
    switch (slot->state) {
    case SLOT_IDLE:
        CHECK_THAT(world, slot->in_flight == 0 && list_is_linked(&slot->pool_node),
                   "slot %u is idle, and not in the pool", slot->index);
        break;
    case SLOT_ACCEPTING:
        CHECK_THAT(world, slot->in_flight == FLIGHT_LIFE, "slot %u accepts with flight %x",
                   slot->index, slot->in_flight);
        CHECK_THAT(world, slot->token == TOKEN_NONE && slot->deadline_ns == 0,
                   "slot %u accepts for somebody", slot->index);
        return; /* the accept has the session's place */
    case SLOT_OPEN:
    case SLOT_FLUSHING:
        check__serving(world, slot);
        return;
    case SLOT_DRAINING:
        check__draining(world, slot);
        return;
    case SLOT_RECYCLING:
    case SLOT_COOLING:
        check__parting(world, slot);
        return;
    case SLOT_REPLACING:
    case SLOT_STATE_COUNT:
        world_fail(world, "slot %u rests in a state of passage", slot->index);
    case SLOT_RETIRED:
        CHECK_THAT(world, slot->in_flight == 0 && slot->sock == IO_SOCK_NONE,
                   "slot %u is retired with a socket", slot->index);
        break;
    }
    CHECK_THAT(world, slot->deadline_ns == 0 && check__is_wiped(slot), "slot %u is not wiped",
               slot->index);
}

/* A callback that blocks holds up nobody but its own session, as long as a worker is free. */
static void check__crew(world_t *world)
{
    uint64_t now_ns = io_now_ns(world->io);
    uint64_t late_ns = world->config.manager_late_ns + 4 * TICK_NS;
    uint64_t stuck_ns = now_ns - 25 * NS_PER_MS;
    bool running = world->running;
    world->running = false; /* the batches' locks are taken, and nobody is to come in between */
    for (uint32_t i = 0; i < WORKERS_MAX; i++) {
        worker_t *worker = &world->workers[i];
        bool stuck = worker->phase == WORKER_IN_CALL && worker->until_ns != 0 &&
                     batch_is_stuck(worker->batch, stuck_ns);
        if (!stuck) {
            worker->stuck_ns = 0;
        } else if (worker->stuck_ns < world->blocked_ns || worker->stuck_ns == 0) {
            worker->stuck_ns = now_ns > world->blocked_ns ? now_ns : world->blocked_ns;
        }
        CHECK_THAT(world, worker->stuck_ns == 0 || now_ns < worker->stuck_ns + late_ns,
                   "worker %u is held up, and no other one helps", i);
    }
    world->running = running;
}

/* Never deaf: as many accepts are posted as are wanted, or there is a plan to post them. */
static bool check__pool_is_full(world_t *world)
{
    engine_t *engine = world->engine;
    uint64_t pending = engine->stats.accepts_pending;
    uint64_t returning = engine->recycling_now - atomic_u64_load(&engine->cooling);
    uint64_t least = world->config.engine.accept_pool;
    returning = returning < least / 4 * 3 ? returning : least / 4 * 3;
    /* Beyond the least, only sockets that have served are posted, where they serve again. */
    bool fair = engine->recycling == RECYCLING_VERIFIED && engine->spare == 0 &&
                pending + returning >= least;
    bool full = pending >= engine->pool_target || fair || sim_manager_due_ns(world->io) == 0 ||
                world->stop_asked || world->paused;
    CHECK_THAT(world, full || engine->retry_at_ns != 0, "the pool has %u accepts, and no plan",
               (unsigned)engine->stats.accepts_pending);
    return full;
}

void check_step(world_t *world)
{
    CHECK_THAT(world, world->locks_count == 0, "a lock is still held");
    thrift_step(world);
    world->pool_target = world->engine->pool_target;
    check__crew(world);
    (void)check__pool_is_full(world);
    while (world->touched_count > 0) {
        uint32_t index = world->touched_list[--world->touched_count];
        world->touched[index] = false;
        check__slot(world, table_at(&world->engine->table, index));
    }
}

typedef struct {
    uint64_t states[SLOT_STATE_COUNT];
    uint64_t socks;
    uint64_t spare;
    uint64_t cooling;  /* that are not given up */
    uint64_t timer_ns; /* when the first timer comes up */
} census_t;

static void check__count(world_t *world, census_t *census)
{
    engine_t *engine = world->engine;
    memset(census, 0, sizeof *census);
    census->timer_ns = UINT64_MAX - NS_PER_S;
    for (uint32_t i = 0; i < table_count(&engine->table); i++) {
        slot_t *slot = table_at(&engine->table, i);
        bool has_sock = slot->sock != IO_SOCK_NONE;
        check__slot(world, slot);
        census->states[slot->state]++;
        /* One too many may stay for a while, until its client has read what it was sent. */
        census->cooling += slot->state == SLOT_COOLING && slot->cause != CAUSE_COOLING_CAP &&
                           !sim_is_ending(world->io, &slot->life.io);
        census->socks += has_sock;
        census->spare += has_sock && slot->state == SLOT_IDLE;
        uint64_t timer_ns = atomic_u64_load(&slot->timer.due_ns);
        census->timer_ns =
            timer_ns != 0 && timer_ns < census->timer_ns ? timer_ns : census->timer_ns;
    }
}

/* The manager knows of everything that waits for it. */
static void check__manager(world_t *world, const census_t *census)
{
    engine_t *engine = world->engine;
    if (world->manager_gone) {
        return;
    }
    uint64_t due_ns = sim_manager_due_ns(world->io);
    uint64_t soon_ns = io_now_ns(world->io) + TICK_NS;
    bool waited_for = engine->retry_at_ns != 0 || world->stop_asked;
    CHECK_THAT(world, due_ns <= (waited_for ? soon_ns : soon_ns + BACKSTOP_NS),
               "the manager sleeps too long");
    CHECK_THAT(world, due_ns <= census->timer_ns + TICK_NS, "a timer comes up before the manager");
    uint64_t late_ns = BACKSTOP_NS + world->config.manager_late_ns + 100 * NS_PER_MS;
    CHECK_THAT(world,
               world->stop_asked || engine->retry_at_ns == 0 ||
                   io_now_ns(world->io) < engine->retry_at_ns + late_ns,
               "the pool's pause is not ended");
    CHECK_THAT(world, engine->retry_at_ns <= io_now_ns(world->io) + RETRY_NS,
               "the pool pauses too long");
}

/* And the plan is carried out. */
static void check__pool(world_t *world, const census_t *census)
{
    engine_t *engine = world->engine;
    uint64_t now_ns = io_now_ns(world->io);
    uint64_t late_ns = world->config.manager_late_ns + 100 * NS_PER_MS;
    CHECK_THAT(world, census->states[SLOT_ACCEPTING] == engine->stats.accepts_pending,
               "the engine counts %u accepts instead of %u",
               (unsigned)engine->stats.accepts_pending, (unsigned)census->states[SLOT_ACCEPTING]);
    if (world->stop_asked || world->paused) {
        return;
    }
    bool full = check__pool_is_full(world);
    /* What gives the pool time, or keeps everybody from looking after it. */
    uint64_t since_ns = world->resumed_ns;
    const uint64_t excuses_ns[] = {world->blocked_ns, world->starved_ns,
                                   sim_last_trouble_ns(world->io)};
    for (size_t i = 0; i < sizeof excuses_ns / sizeof excuses_ns[0]; i++) {
        since_ns = since_ns < excuses_ns[i] ? excuses_ns[i] : since_ns;
    }
    uint64_t tried_ns = sim_last_accept_ns(world->io);
    tried_ns = tried_ns < since_ns ? since_ns : tried_ns;
    CHECK_THAT(world, full || now_ns < tried_ns + RETRY_NS + late_ns,
               "the pool has %u accepts, and nobody tries",
               (unsigned)engine->stats.accepts_pending);
    uint64_t waits_ns = sim_oldest_waiting_ns(world->io);
    waits_ns = waits_ns < since_ns ? since_ns : waits_ns;
    CHECK_THAT(world, waits_ns == UINT64_MAX || now_ns < waits_ns + NS_PER_S + late_ns,
               "a client waits for ever to be accepted");
}

void check_all(world_t *world)
{
    engine_t *engine = world->engine;
    const engine_stats_t *stats = &engine->stats;
    census_t census;
    check__count(world, &census);
    const uint64_t *states = census.states;
    uint64_t active = states[SLOT_OPEN] + states[SLOT_FLUSHING] + states[SLOT_DRAINING];
    uint64_t parting = states[SLOT_RECYCLING] + states[SLOT_COOLING];
    CHECK_THAT(world, stats->connections_active == active, "the engine counts %u clients, not %u",
               (unsigned)stats->connections_active, (unsigned)active);
    uint64_t pool_max = world->config.engine.accept_pool_max;
    CHECK_THAT(world, table_count(&engine->table) <= world->busy_peak + pool_max + WORKERS_MAX + 1,
               "%u slots are too many", table_count(&engine->table));
    CHECK_THAT(world, active <= world->config.engine.max_connections, "too many clients");
    CHECK_THAT(world, engine->recycling_now == parting, "the engine counts %u disconnects, not %u",
               engine->recycling_now, (unsigned)parting);
    CHECK_THAT(world, atomic_u64_load(&engine->cooling) == states[SLOT_COOLING],
               "the engine counts %u cooling, not %u", (unsigned)atomic_u64_load(&engine->cooling),
               (unsigned)states[SLOT_COOLING]);
    CHECK_THAT(world, census.cooling <= world->config.engine.cooling_max,
               "%u sockets cool, more than may", (unsigned)census.cooling);
    counts_check_peers(world, active);
    buffers_check(world);
    CHECK_THAT(world, world->manager_gone || engine->spare == census.spare,
               "the pool counts %u spare sockets, not %u", engine->spare, (unsigned)census.spare);
    uint64_t stale = atomic_u64_load(&engine->stale_sends);
    CHECK_THAT(
        world, stale >= world->stale_sends && stale - world->stale_sends <= world->stale_unsure,
        "the engine counts %u stale sends, not %u", (unsigned)stale, (unsigned)world->stale_sends);
    census.socks += engine->listener != IO_SOCK_NONE;
    if (IO_ACCEPT_MAKES_SOCK) {
        CHECK_THAT(world, census.socks == sim_open_socks(world->io),
                   "the slots have %u sockets, and %u are open", (unsigned)census.socks,
                   sim_open_socks(world->io));
    }
    counts_check_ends(world);
    requesting_check(world);
    naming_check(world);
    toying_check_all(world);
    check__manager(world, &census);
    check__pool(world, &census);
}

void check_end(world_t *world)
{
    engine_stats_t counted;
    const engine_stats_t *stats = &counted;
    uint64_t received = 0;
    uint64_t sent = 0;
    world->touched_count = 0;
    check_all(world);
    thrift_end(world);
    engine_stats(world->engine, &counted);
    CHECK_THAT(world, sim_open_socks(world->io) == 0, "%u sockets are left open",
               sim_open_socks(world->io));
    CHECK_THAT(world, sim_outstanding(world->io) == 0, "%u operations are outstanding",
               sim_outstanding(world->io));
    CHECK_THAT(world, atomic_u64_load(&world->engine->pages.taken) == 0,
               "%u pages of send queues are left",
               (unsigned)atomic_u64_load(&world->engine->pages.taken));
    CHECK_THAT(world, stats->connections_total == world->recs_count + world->toying.failures,
               "the engine counts %u clients, the application %u and %u that failed",
               (unsigned)stats->connections_total, world->recs_count,
               (unsigned)world->toying.failures);
    for (uint32_t i = 0; i < world->recs_count; i++) {
        CHECK_THAT(world, world->recs[i].closed, "client %u never ended",
                   (unsigned)world->recs[i].number);
    }
    CHECK_THAT(world, stats->sockets_created == sim_socks_made(world->io),
               "the engine counts %u sockets made, not %u", (unsigned)stats->sockets_created,
               (unsigned)sim_socks_made(world->io));
    sim_bytes(world->io, &received, &sent);
    /* What comes to a session that drains is dropped, and not counted. */
    bool all_sent = toying_is_on(world) ? stats->bytes_sent <= sent : stats->bytes_sent == sent;
    CHECK_THAT(world, stats->bytes_received <= received && all_sent,
               "the engine counts %u and %u bytes, not %u and %u", (unsigned)stats->bytes_received,
               (unsigned)stats->bytes_sent, (unsigned)received, (unsigned)sent);
}
