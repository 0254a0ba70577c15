/* manager.c: the thread that owns time: the pool's backstop, deadlines, the stop. */
#include "life/pool.h"
#include "life/pool_size.h"
#include "life/recycle.h"
#include "life/sockets.h"
#include "session/closing.h"
#include "session/session.h"
#include "session/timeout.h"
#include "state.h"
#include "work/agenda.h"
#include "work/crew.h"

/* The manager looks at the pool this often even if nothing calls it. */
#define BACKSTOP_MS 1000

/* And this often while callbacks run, the pool pauses, or the server stops. */
#define TICK_MS 20

/* What is due on SLOT, whose lock is held, now that its timer has come up; perhaps nothing yet. */
static void look(engine_t *engine, slot_t *slot, uint64_t now_ns)
{
    if (slot->state == SLOT_OPEN) {
        timeout_look(engine, slot, now_ns);
    } else if (slot->deadline_ns > now_ns) {
        agenda_look_at(engine, slot, slot->deadline_ns);
    } else if (slot->deadline_ns == 0) {
        return;
    } else if (slot->state == SLOT_FLUSHING) {
        session_overdue(engine, slot, now_ns);
    } else if (slot->state == SLOT_DRAINING) {
        session_sever(engine, slot);
    } else if (slot->state == SLOT_RECYCLING || slot->state == SLOT_COOLING) {
        recycle_overdue(engine, slot, now_ns);
    }
}

static void look_at_timers(engine_t *engine, uint64_t now_ns)
{
    wheel_timer_t *timer;
    while ((timer = wheel_pop(&engine->wheel, now_ns)) != NULL) {
        slot_t *slot = LIST_ENTRY(timer, slot_t, timer);
        mutex_lock(&slot->lock);
        look(engine, slot, now_ns);
        mutex_unlock(&slot->lock);
    }
}

/* Does to one slot what a stop asks for; LATE once the clients' time is up. */
static void stop_slot(engine_t *engine, slot_t *slot, uint64_t now_ns, bool late)
{
    ending_t ending = ending_local(REASON_SHUTDOWN);
    switch (slot->state) {
    case SLOT_ACCEPTING:
        if (engine->listener != IO_SOCK_NONE) {
            io_cancel(engine->io, engine->listener, &slot->life.io);
        }
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
        } else {
            session_hurry(engine, slot, now_ns);
        }
        break;
    case SLOT_RECYCLING:
    case SLOT_COOLING:
        recycle_stop(engine, slot, late);
        break;
    default:
        break;
    }
}

static void stop_slots(engine_t *engine, uint64_t now_ns)
{
    bool late = now_ns >= atomic_u64_load(&engine->stop_deadline_ns);
    uint32_t count = table_count(&engine->table);
    for (uint32_t i = 0; i < count; i++) {
        slot_t *slot = table_at(&engine->table, i);
        mutex_lock(&slot->lock);
        stop_slot(engine, slot, now_ns, late);
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

static bool accepts_wait(engine_t *engine)
{
    mutex_lock(&engine->lock);
    bool wait = engine->stats.accepts_pending > 0;
    mutex_unlock(&engine->lock);
    return wait;
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
            sockets_count_replaced(engine, CAUSE_STOPPING);
        }
    }
}

/* Accepts that no cancel ends are ended with their listener. First all are told that it will be
 * gone: a step later, when each slot's lock has been taken, nobody is in a call on it. */
static void sever_listener(engine_t *engine, uint64_t now_ns)
{
    if (atomic_u32_load(&engine->deaf) != 0) {
        if (engine->listener != IO_SOCK_NONE) {
            io_sock_sever(engine->io, &engine->listener, false);
        }
    } else if (engine->sever_ns == 0) {
        engine->sever_ns = now_ns + CANCEL_PATIENCE_NS;
    } else if (now_ns >= engine->sever_ns && accepts_wait(engine)) {
        atomic_u32_store(&engine->deaf, 1);
    }
}

/* One step of the stop; true when all is done. */
static bool stop_step(engine_t *engine, uint64_t now_ns)
{
    atomic_u32_store(&engine->stop, STOP_BEGUN);
    stop_slots(engine, now_ns);
    if (!is_quiet(engine)) {
        sever_listener(engine, now_ns);
        return false;
    }
    retire_slots(engine);
    if (engine->listener != IO_SOCK_NONE) {
        io_sock_close(engine->io, &engine->listener, false);
    }
    atomic_u32_store(&engine->stop, STOP_STOPPED);
    io_wake(engine->io, 1);
    return true;
}

/* How long the manager may sleep. */
static uint32_t next_look_ms(engine_t *engine)
{
    mutex_lock(&engine->lock);
    bool pausing = engine->retry_at_ns != 0;
    mutex_unlock(&engine->lock);
    bool busy = crew_is_busy(engine) || pausing || engine_is_stopping(engine);
    uint64_t now_ns = io_now_ns(engine->io);
    uint64_t until_ns = now_ns + (busy ? TICK_MS : BACKSTOP_MS) * NS_PER_MS;
    until_ns = wheel_sleep(&engine->wheel, until_ns);
    /* Rounded up: a look that comes early finds nothing. */
    return until_ns <= now_ns ? 0 : (uint32_t)((until_ns - now_ns + NS_PER_MS - 1) / NS_PER_MS);
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
    look_at_timers(engine, now_ns);
    if (engine_is_stopping(engine)) {
        return !stop_step(engine, now_ns);
    }
    end_pause(engine, now_ns);
    if (starved) {
        pool_size_is_dry(engine, now_ns);
    }
    pool_shrink(engine, now_ns);
    pool_refill(engine);
    return true;
}
