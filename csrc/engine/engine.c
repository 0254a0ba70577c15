#include "engine.h"

#include <stdlib.h>

#include "crew.h"
#include "pool.h"
#include "receive.h"
#include "recycle.h"
#include "session.h"
#include "state.h"
#include "timeout.h"

/* Callbacks that have sent to so many sessions each: one send for all of a session's messages is
 * then worth a look for more. */
#define FAN_OUT 8u

/* For so long what has been sent may wait for more: for this many times what the last such flush
 * took, so that flushing becomes a small part of the work, */
#define GATHER_FLUSHES 4u

/* but at least and at most for so long. */
#define GATHER_MIN_NS (2 * NS_PER_MS)
#define GATHER_MAX_NS (10 * NS_PER_MS)

/* The start-up probe's time. It takes a few milliseconds where recycling works, and where it is
 * seen not to; this long only where nothing happens. A loaded machine must not lose its recycling.
 */
#define PROBE_TIMEOUT_MS 1000

static int listen_on(engine_t *engine)
{
    const engine_options_t *options = &engine->options;
    if (options->address == NULL) {
        return io_listen_adopt(engine->io, options->handle, &options->listen, &engine->listener);
    }
    return io_listen(engine->io, options->address, &options->listen, &engine->listener);
}

int engine_open(engine_t **out, const engine_options_t *options)
{
    engine_t *engine = calloc(1, sizeof *engine);
    if (engine == NULL) {
        return ENGINE_NO_MEMORY;
    }
    engine->options = *options;
    engine->listener = IO_SOCK_NONE;
    mutex_init(&engine->lock);
    list_init(&engine->idle);
    slab_init(&engine->slab, SLAB_SMALL, receive_small_size(options->read_size), SLAB_KEEP_MAX);
    slab_init(&engine->pages, SLAB_PAGES, SENDQ_PAGE_BYTES, UINT32_MAX);
    slab_init(&engine->large, SLAB_LARGE, receive_large_size(options->read_size),
              SLAB_KEEP_LARGE_MAX);
    if (options->direct != NULL) {
        options->direct->next = &engine->large.lender;
    }
    if (options->framing.kind == FRAMING_NONE) {
        engine->options.framing.length = options->read_size;
    }
    wheel_init(&engine->wheel);
    peers_init(&engine->peers, (uintptr_t)engine);
    io_options_t io_options = {.concurrency = options->concurrency};
    int status = table_init(&engine->table) < 0 ? ENGINE_NO_MEMORY : 0;
    if (status >= 0) {
        status = io_open(&engine->io, &io_options);
    }
    if (status >= 0) {
        pool_begin(engine);
    }
    if (status >= 0) {
        status = listen_on(engine);
    }
    engine->options.address = NULL; /* the caller's, and not needed again */
    if (status < 0) {
        engine_close(engine);
        return status;
    }
    *out = engine;
    return 0;
}

/* Whatever socket a slot still has; only an engine that never served has any left here. */
static void close_sockets(engine_t *engine)
{
    uint32_t count = table_count(&engine->table);
    for (uint32_t i = 0; i < count; i++) {
        slot_t *slot = table_at(&engine->table, i);
        if (slot->sock != IO_SOCK_NONE) {
            io_sock_close(engine->io, &slot->sock, false);
        }
    }
    if (engine->listener != IO_SOCK_NONE) {
        io_sock_close(engine->io, &engine->listener, false);
    }
}

void engine_close(engine_t *engine)
{
    if (engine->table.chunks != NULL && engine->io != NULL) {
        close_sockets(engine);
    }
    table_destroy(&engine->table);
    crew_destroy(engine);
    slab_destroy(&engine->slab);
    slab_destroy(&engine->large);
    slab_destroy(&engine->pages);
    peers_destroy(&engine->peers);
    wheel_destroy(&engine->wheel);
    if (engine->io != NULL) {
        io_close(engine->io);
    }
    mutex_destroy(&engine->lock);
    free(engine);
}

void engine_disown(engine_t *engine)
{
    io_disown(engine->io);
    engine->listener = IO_SOCK_NONE;
    crew_disown(engine);
    (void)atomic_ptr_exchange(&engine->kicked, NULL);
    /* So no token is found. What the slots hold leaks: it may have been in any thread's hands. */
    engine->disowned = table_count(&engine->table);
    atomic_u32_store(&engine->table.count, 0);
    atomic_u32_store(&engine->stop, STOP_DISOWNED);
}

int engine_address(engine_t *engine, io_addr_t *out)
{
    return io_sock_name(engine->io, engine->listener, out);
}

void engine_start(engine_t *engine)
{
    engine->recycling = RECYCLING_OFF;
    if (engine->options.recycle) {
        engine->recycling =
            io_probe_recycling(PROBE_TIMEOUT_MS) ? RECYCLING_VERIFIED : RECYCLING_UNSUPPORTED;
    }
}

recycling_t engine_recycling(const engine_t *engine)
{
    return engine->recycling;
}

const framing_t *engine_framing(const engine_t *engine)
{
    return &engine->options.framing;
}

void engine_kick(engine_t *engine, slot_t *slot)
{
    if (slot->kicked) {
        return;
    }
    slot->kicked = true;
    void *head = atomic_ptr_load(&engine->kicked);
    do {
        slot->kick_next = head;
    } while (!atomic_ptr_cas(&engine->kicked, &head, slot));
    /* The worker that comes takes the whole list: the first on it has called it already. */
    if (head == NULL) {
        atomic_u64_store(&engine->kicked_ns, io_now_ns(engine->io));
        io_wake(engine->io, 1);
    }
}

void engine_look_at(engine_t *engine, slot_t *slot, uint64_t at_ns)
{
    /* Mostly it comes up early enough as it is, and is then asked again. If it comes up at this
     * very moment, the manager waits for the slot's lock. */
    uint64_t due_ns = atomic_u64_load(&slot->timer.due_ns);
    if (due_ns != 0 && due_ns <= at_ns) {
        return;
    }
    if (wheel_arm(&engine->wheel, &slot->timer, at_ns, io_now_ns(engine->io))) {
        io_wake_manager(engine->io);
    }
}

void engine_set_deadline(engine_t *engine, slot_t *slot, uint64_t deadline_ns)
{
    slot->deadline_ns = deadline_ns;
    if (deadline_ns != 0) {
        engine_look_at(engine, slot, deadline_ns);
    }
}

static void feed(engine_t *engine, const io_event_t *event, batch_t *batch)
{
    operation_t *operation = (operation_t *)(void *)io_event_op(event);
    slot_t *slot = slot_of(operation);
    switch ((operation_kind_t)operation->kind) {
    case OPERATION_ACCEPT:
        pool_accepted(engine, slot, event, batch);
        return;
    case OPERATION_DISCONNECT:
        recycle_disconnected(engine, slot, event);
        batch->took_accept = true; /* the pool may have waited for a slot */
        return;
    case OPERATION_RECV:
        session_received(engine, slot, event, batch);
        return;
    case OPERATION_SEND:
        session_sent(engine, slot, event, batch);
        return;
    }
}

/* The slots that were kicked, the first one first. */
static slot_t *take_kicked(engine_t *engine)
{
    slot_t *newest = atomic_ptr_load(&engine->kicked);
    if (newest != NULL) {
        newest = atomic_ptr_exchange(&engine->kicked, NULL);
    }
    slot_t *oldest = NULL;
    while (newest != NULL) {
        slot_t *next = newest->kick_next;
        newest->kick_next = oldest;
        oldest = newest;
        newest = next;
    }
    return oldest;
}

static void feed_kicked(engine_t *engine, batch_t *batch)
{
    slot_t *slot = take_kicked(engine);
    while (slot != NULL) {
        mutex_lock(&slot->lock);
        slot_t *next = slot->kick_next;
        slot->kicked = false;
        timeout_judge(engine, slot, batch->now_ns);
        session_advance(engine, slot, batch);
        mutex_unlock(&slot->lock);
        slot = next;
    }
}

bool engine_poll(engine_t *engine, batch_t *batch, uint32_t timeout_ms)
{
    uint32_t stop = atomic_u32_load(&engine->stop);
    if (stop >= STOP_STOPPED) {
        if (stop == STOP_STOPPED) {
            /* Each worker that leaves wakes the next. */
            io_wake(engine->io, 1);
        }
        return false;
    }
    uint32_t max = batch->fans_out ? BATCH_COMPLETIONS_MAX : BATCH_COMPLETIONS_FEW;
    uint32_t count = io_wait(engine->io, batch->completed, max, timeout_ms, &batch->pockets);
    batch->now_ns = io_now_ns(engine->io);
    batch->is_timely = true;
    atomic_u64_count(&batch->completions, count);
    atomic_u64_count(&batch->polls, count > 0);
    for (uint32_t i = 0; i < count; i++) {
        feed(engine, &batch->completed[i], batch);
    }
    feed_kicked(engine, batch);
    if (batch->took_accept) {
        batch->took_accept = false;
        pool_replenish(engine, batch->now_ns);
    }
    if (batch->count == 0) {
        crew_help(engine, batch);
    }
    return true;
}

bool engine_help(engine_t *engine, batch_t *batch)
{
    if (crew_is_blocking(engine, batch)) {
        batch->now_ns = io_now_ns(engine->io);
        crew_help(engine, batch);
    }
    return batch_has_work(batch);
}

uint64_t engine_begin(engine_t *engine, batch_t *batch)
{
    if (!batch->is_timely) {
        batch->now_ns = io_now_ns(engine->io);
    }
    batch->is_timely = false;
    uint32_t count = batch->count; /* others may take of them as soon as they begin */
    batch_begin(batch, batch->now_ns);
    crew_begin(engine, batch, count, batch->now_ns);
    return batch->now_ns;
}

uint64_t engine_attach(engine_t *engine, batch_t *batch)
{
    uint64_t now_ns = io_now_ns(engine->io);
    batch_attach(batch, now_ns);
    return now_ns;
}

uint64_t engine_finish(engine_t *engine, batch_t *batch)
{
    uint64_t now_ns = io_now_ns(engine->io);
    crew_end(engine, batch, now_ns);
    batch->now_ns = now_ns; /* what is sent from here on is not as old as the callbacks */
    return now_ns;
}

uint64_t engine_now_ns(engine_t *engine)
{
    return io_now_ns(engine->io);
}

static void settle_events(engine_t *engine, batch_t *batch, const event_t *events, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        session_settle(engine, &events[i], batch);
    }
}

/* How long BATCH may gather. */
static uint64_t gather_ns(const batch_t *batch)
{
    uint64_t worth_ns = GATHER_FLUSHES * batch->flush_ns;
    if (worth_ns < GATHER_MIN_NS) {
        return GATHER_MIN_NS;
    }
    return worth_ns < GATHER_MAX_NS ? worth_ns : GATHER_MAX_NS;
}

bool engine_gather(engine_t *engine, batch_t *batch)
{
    batch->ran_count += batch->running_next;
    batch->fans_out = batch->ran_count > 0 && batch->sent_to >= FAN_OUT * batch->ran_count;
    if (batch->gathers_until_ns == 0) {
        batch->gathers_until_ns = batch->now_ns + gather_ns(batch);
    }
    if (!batch->fans_out || batch->now_ns >= batch->gathers_until_ns ||
        engine_is_stopping(engine)) {
        return false;
    }
    batch->gathers = true;
    uint32_t count;
    const event_t *ran = batch_take_rest(batch, &count, NULL);
    settle_events(engine, batch, ran, count);
    (void)engine_poll(engine, batch, 0);
    batch->gathers = false;
    return batch->count > 0;
}

void engine_settle(engine_t *engine, batch_t *batch)
{
    batch->ran_count = 0;
    batch->gathers_until_ns = 0;
    uint32_t count;
    slot_t *dirty;
    const event_t *ran = batch_take_rest(batch, &count, &dirty);
    uint64_t begun_ns = batch->fans_out ? io_now_ns(engine->io) : 0;
    /* First, in the order in which they were sent to: settling an event sends as well. */
    session_flush_dirty(engine, dirty, batch);
    if (batch->fans_out) {
        batch->flush_ns = io_now_ns(engine->io) - begun_ns;
    }
    settle_events(engine, batch, ran, count);
}

/* What is queued for all sessions. */
static uint64_t count_queued(engine_t *engine)
{
    uint64_t queued = 0;
    uint32_t count = table_count(&engine->table);
    for (uint32_t i = 0; i < count; i++) {
        slot_t *slot = table_at(&engine->table, i);
        mutex_lock(&slot->lock);
        queued += slot->token == TOKEN_NONE ? 0 : slot->session.out.bytes;
        mutex_unlock(&slot->lock);
    }
    return queued;
}

void engine_stats(engine_t *engine, engine_stats_t *out)
{
    mutex_lock(&engine->lock);
    *out = engine->stats;
    out->stale_sends_blocked = atomic_u64_load(&engine->stale_sends);
    out->sockets_cooling = atomic_u64_load(&engine->cooling);
    out->sockets_spare = engine->spare;
    mutex_unlock(&engine->lock);
    out->send_queue_bytes = count_queued(engine);
    crew_count(engine, out);
}
