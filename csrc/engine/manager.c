/* manager.c: the thread that owns time: the pool's backstop, deadlines, the stop. */
#include "crew.h"
#include "engine.h"
#include "pool.h"
#include "recycle.h"
#include "session.h"
#include "state.h"

/* The manager looks at the pool this often even if nothing calls it. */
#define BACKSTOP_MS 1000

/* And this often while a slot has a deadline, the pool pauses, or the server stops. */
#define TICK_MS 20

void engine_stop(engine_t *engine, uint64_t drain_ns)
{
    atomic_u64_store(&engine->stop_deadline_ns, io_now_ns(engine->io) + drain_ns);
    atomic_u32_store(&engine->stop_asked, 1);
    io_wake_manager(engine->io);
}

static void look_at_deadlines(engine_t *engine, uint64_t now_ns)
{
    if (atomic_u64_load(&engine->timed) == 0) {
        return;
    }
    uint32_t count = table_count(&engine->table);
    for (uint32_t i = 0; i < count; i++) {
        slot_t *slot = table_at(&engine->table, i);
        uint64_t deadline_ns = atomic_u64_load(&slot->deadline_ns);
        if (deadline_ns == 0 || deadline_ns > now_ns) {
            continue;
        }
        mutex_lock(&slot->lock);
        deadline_ns = atomic_u64_load(&slot->deadline_ns);
        if (deadline_ns != 0 && deadline_ns <= now_ns) {
            if (slot->state == SLOT_FLUSHING) {
                session_overdue(engine, slot);
            } else if (slot->state == SLOT_RECYCLING || slot->state == SLOT_COOLING) {
                recycle_overdue(engine, slot, now_ns);
            }
        }
        mutex_unlock(&slot->lock);
    }
}

/* Does to one slot what a stop asks for; LATE once the clients' time is up. */
static void stop_slot(engine_t *engine, slot_t *slot, bool late)
{
    ending_t ending = ending_local(REASON_SHUTDOWN);
    switch (slot->state) {
    case SLOT_ACCEPTING:
        io_cancel(engine->io, engine->listener, &slot->life.io);
        break;
    case SLOT_OPEN:
        if (late) {
            session_drain(engine, slot, &ending);
        } else if ((slot->in_flight & FLIGHT_CALLBACK) == 0) {
            session_flush(engine, slot, &ending);
        } else {
            break; /* what the callback answers still goes out: session_settle sees to the rest */
        }
        session_advance(engine, slot, NULL);
        break;
    case SLOT_FLUSHING:
        if (late) {
            session_drain(engine, slot, &ending);
            session_advance(engine, slot, NULL);
        }
        break;
    case SLOT_RECYCLING:
    case SLOT_COOLING:
        recycle_cancel(engine, slot);
        break;
    default:
        break;
    }
}

static void stop_slots(engine_t *engine, bool late)
{
    uint32_t count = table_count(&engine->table);
    for (uint32_t i = 0; i < count; i++) {
        slot_t *slot = table_at(&engine->table, i);
        mutex_lock(&slot->lock);
        stop_slot(engine, slot, late);
        mutex_unlock(&slot->lock);
    }
}

static bool is_quiet(engine_t *engine)
{
    mutex_lock(&engine->lock);
    bool quiet = engine->stats.connections_active == 0 && engine->stats.accepts_pending == 0 &&
                 engine->recycling_now == 0;
    mutex_unlock(&engine->lock);
    return quiet;
}

static void retire_slots(engine_t *engine)
{
    uint32_t count = table_count(&engine->table);
    for (uint32_t i = 0; i < count; i++) {
        slot_t *slot = table_at(&engine->table, i);
        mutex_lock(&slot->lock);
        slot_set_state(slot, SLOT_RETIRED);
        bool spare = slot->sock != IO_SOCK_NONE;
        if (spare) {
            io_sock_close(engine->io, &slot->sock, false);
        }
        mutex_unlock(&slot->lock);
        if (spare) {
            recycle_count(engine, CAUSE_STOPPING);
        }
    }
}

/* One step of the stop; true when all is done. */
static bool stop_step(engine_t *engine, uint64_t now_ns)
{
    atomic_u32_store(&engine->stop, STOP_BEGUN);
    stop_slots(engine, now_ns >= atomic_u64_load(&engine->stop_deadline_ns));
    if (!is_quiet(engine)) {
        return false;
    }
    retire_slots(engine);
    io_sock_close(engine->io, &engine->listener, false);
    atomic_u32_store(&engine->stop, STOP_STOPPED);
    io_wake(engine->io, 1);
    return true;
}

static uint32_t next_look_ms(engine_t *engine)
{
    mutex_lock(&engine->lock);
    bool pausing = engine->retry_at_ns != 0;
    mutex_unlock(&engine->lock);
    bool busy = crew_is_busy(engine) || pausing || engine_is_stopping(engine) ||
                atomic_u64_load(&engine->timed) != 0;
    return busy ? TICK_MS : BACKSTOP_MS;
}

/* Ends the pause of a pool that could not post, once it is over. */
static void end_pause(engine_t *engine, uint64_t now_ns)
{
    mutex_lock(&engine->lock);
    if (engine->retry_at_ns <= now_ns) {
        engine->retry_at_ns = 0;
    }
    mutex_unlock(&engine->lock);
}

bool engine_manage(engine_t *engine)
{
    if (atomic_u32_load(&engine->stop) == STOP_STOPPED) {
        return false;
    }
    bool starved = io_wait_starved(engine->io, engine->listener, next_look_ms(engine)) > 0;
    uint64_t now_ns = io_now_ns(engine->io);
    crew_watch(engine, now_ns);
    look_at_deadlines(engine, now_ns);
    if (engine_is_stopping(engine)) {
        return !stop_step(engine, now_ns);
    }
    end_pause(engine, now_ns);
    if (starved) {
        pool_grow(engine, true);
    }
    pool_shrink(engine, now_ns);
    pool_refill(engine);
    return true;
}
