/* loop.c: the conductor: every road of a completion, and of an event whose callback has run.
 *
 * What lies below does its own part and returns; what comes next is decided here alone. */
#include "life/pool.h"
#include "life/recycle.h"
#include "session/filtering.h"
#include "session/receive.h"
#include "session/session.h"
#include "session/timeout.h"
#include "state.h"
#include "work/agenda.h"
#include "work/crew.h"

/* Callbacks that have sent to so many sessions each: one send for all of a session's messages is
 * then worth a look for more. */
#define FAN_OUT 8u

/* For so long what has been sent may wait for more: for this many times what the last such flush
 * took, so that flushing becomes a small part of the work, */
#define GATHER_FLUSHES 4u

/* but at least and at most for so long. */
#define GATHER_MIN_NS (2 * NS_PER_MS)
#define GATHER_MAX_NS (10 * NS_PER_MS)

/* An accept is done: the pool admits the client, and a session begins. */
static void accepted(engine_t *engine, slot_t *slot, const io_event_t *event, batch_t *batch)
{
    comer_t comer = {0};
    batch->took_accept = true;
    if (pool_accepted(engine, slot, event, batch->now_ns, &comer)) {
        mutex_lock(&slot->lock);
        session_begin(engine, slot, &comer.peer, &comer.local, batch);
        mutex_unlock(&slot->lock);
    }
}

/* Bytes have come, or the peer's FIN, or an error: they are cut into messages, and told. */
static void received(engine_t *engine, slot_t *slot, const io_event_t *event, batch_t *batch)
{
    mutex_lock(&slot->lock);
    receive_completed(engine, slot, event, batch);
    session_advance(engine, slot, batch);
    mutex_unlock(&slot->lock);
}

/* The stack has taken bytes: more follow, or our FIN. */
static void sent(engine_t *engine, slot_t *slot, const io_event_t *event, batch_t *batch)
{
    mutex_lock(&slot->lock);
    session_sent(engine, slot, event, batch);
    mutex_unlock(&slot->lock);
}

/* The callback of EVENT has run: the session goes on, or, when it was the last, its socket does. */
static void settled(engine_t *engine, const event_t *event, batch_t *batch)
{
    slot_t *slot = event->slot;
    mutex_lock(&slot->lock);
    if (event->kind == EVENT_CLOSED || event->kind == EVENT_FAILED) {
        session_release(engine, slot, batch);
        recycle_begin(engine, slot); /* and releases the lock */
        return;
    }
    session_settle(engine, event, batch);
    mutex_unlock(&slot->lock);
}

/* A socket is disconnected, well or not: its slot is back in the pool, which may have waited for
 * it. */
static void disconnected(engine_t *engine, slot_t *slot, const io_event_t *event, batch_t *batch)
{
    recycle_disconnected(engine, slot, event);
    batch->took_accept = true;
}

static void feed(engine_t *engine, const io_event_t *event, batch_t *batch)
{
    operation_t *operation = (operation_t *)(void *)io_event_op(event);
    slot_t *slot = slot_of(operation);
    switch ((operation_kind_t)operation->kind) {
    case OPERATION_ACCEPT:
        accepted(engine, slot, event, batch);
        return;
    case OPERATION_RECV:
        received(engine, slot, event, batch);
        return;
    case OPERATION_SEND:
        sent(engine, slot, event, batch);
        return;
    case OPERATION_DISCONNECT:
        disconnected(engine, slot, event, batch);
        return;
    }
}

static void feed_kicked(engine_t *engine, batch_t *batch)
{
    slot_t *slot = agenda_take_kicked(engine);
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

/* One step of a handshake, or its beginning: of who has waited longest. It takes long, so what has
 * come to events goes first, but for one that has waited for that already. */
static void take_turn(engine_t *engine, batch_t *batch)
{
    if (!turns_wait(&engine->turns)) {
        return;
    }
    batch->put_off = batch->count > 0 && !batch->put_off;
    if (batch->put_off) {
        io_wake(engine->io, 1);
        return;
    }
    slot_t *slot = turns_take(&engine->turns);
    if (slot != NULL) {
        mutex_lock(&slot->lock);
        filtering_turn(engine, slot);
        session_advance(engine, slot, batch);
        mutex_unlock(&slot->lock);
    }
}

/* What callbacks have queued leaves, in the order in which it was sent. */
static void flush_dirty(engine_t *engine, slot_t *dirty, batch_t *batch)
{
    while (dirty != NULL) {
        slot_t *slot = dirty;
        mutex_lock(&slot->lock);
        dirty = slot->dirty_next;
        slot->dirty = NULL;
        session_advance(engine, slot, batch);
        mutex_unlock(&slot->lock);
    }
}

/* BATCH's worker has nothing of its own: it takes over what another one is held up with. */
static void help(engine_t *engine, batch_t *batch)
{
    bool blocking = crew_is_blocking(engine, batch);
    batch_t *other = NULL;
    while ((other = crew_next_stuck(engine, batch, other)) != NULL) {
        event_t event;
        while (batch->count < BATCH_EVENTS_MAX && batch_take_done(other, &event)) {
            settled(engine, &event, batch);
        }
        flush_dirty(engine, batch_take_dirty(other), batch);
        batch_steal(other, batch, blocking ? 1 : BATCH_EVENTS_MAX);
        if (blocking && batch->count > 0) {
            return;
        }
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
    batch->has_rest = false;
    atomic_u64_count(&batch->completions, count);
    atomic_u64_count(&batch->polls, count > 0);
    for (uint32_t i = 0; i < count; i++) {
        feed(engine, &batch->completed[i], batch);
    }
    feed_kicked(engine, batch);
    if (engine->options.filter != NULL) {
        take_turn(engine, batch);
    }
    if (batch->took_accept) {
        batch->took_accept = false;
        pool_replenish(engine, batch->now_ns);
    }
    if (batch->count == 0) {
        help(engine, batch);
    }
    return true;
}

bool engine_help(engine_t *engine, batch_t *batch)
{
    if (crew_is_blocking(engine, batch)) {
        batch->now_ns = io_now_ns(engine->io);
        help(engine, batch);
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
        settled(engine, &events[i], batch);
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

bool engine_has_rest(batch_t *batch)
{
    return batch->has_rest && batch->count > 0;
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
    flush_dirty(engine, dirty, batch);
    if (batch->fans_out) {
        batch->flush_ns = io_now_ns(engine->io) - begun_ns;
    }
    settle_events(engine, batch, ran, count);
}
