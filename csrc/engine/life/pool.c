/* pool.c: the accept pool: accepts are posted before clients come. */
#include "pool.h"

#include "../state.h"
#include "idle.h"
#include "pool_size.h"
#include "sockets.h"

/* One accept less is posted. Called when its slot is back in the pool, so that a server that
 * stops finds nothing half done once the count is 0. */
static void uncount(engine_t *engine, bool failed, bool pause, int error)
{
    uint64_t now_ns = io_now_ns(engine->io);
    mutex_lock(&engine->lock);
    pool_size_taken(engine, false, now_ns);
    engine->stats.accept_errors += failed;
    if (pause) {
        pool_size_put_off(engine, now_ns, error);
    }
    mutex_unlock(&engine->lock);
    if (pause || engine_is_stopping(engine)) {
        /* It ends the pause in time, and the stop when this was the last. */
        io_wake_manager(engine->io);
    }
}

/* Posts an accept on SLOT; where that fails at once, the slot goes back to the pool. */
static void post(engine_t *engine, slot_t *slot)
{
    mutex_lock(&slot->lock);
    slot_set_state(slot, SLOT_ACCEPTING);
    bool had_sock = slot->sock != IO_SOCK_NONE;
    slot->sock_fresh = !had_sock;
    slot->let_go = false;
    io_op_t *op = slot_arm(slot, OPERATION_ACCEPT);
    int status = (int)(int32_t)NT_CANCELLED;
    op->error = 0;
    if (atomic_u32_load(&engine->deaf) == 0) {
        status = io_accept(engine->io, op, engine->listener, &slot->sock, &slot->accept_buf);
    }
    /* Once it is posted, the socket is the backend's until the completion. */
    bool had_any = false;
    bool created = status >= 0 && slot->sock_fresh && IO_ACCEPT_MAKES_SOCK;
    if (created) {
        slot->sock_fresh = false;
    }
    int error = 0;
    if (status < 0) {
        error = op->error;
        slot->in_flight &= ~FLIGHT_LIFE;
        had_any = slot->sock != IO_SOCK_NONE;
        created = had_any && !had_sock;
        if (had_any) {
            io_sock_close(engine->io, &slot->sock, false);
        }
        slot_clear(slot);
        slot_set_state(slot, SLOT_IDLE);
    }
    mutex_unlock(&slot->lock);
    if (created) {
        sockets_count_made(engine);
    }
    if (status < 0) {
        if (had_any) {
            sockets_count_replaced(engine, CAUSE_ACCEPT_FAILED);
        }
        idle_give(engine, slot);
        /* A recycled socket that is refused says nothing about the next one. */
        uncount(engine, true, !had_sock, error);
    }
}

void pool_refill(engine_t *engine)
{
    for (;;) {
        slot_t *slot = idle_take(engine);
        if (slot == NULL) {
            return;
        }
        post(engine, slot);
    }
}

void engine_open_pool(engine_t *engine)
{
    pool_refill(engine);
}

/* The accept brought no client: its socket is closed, its slot is free again. */
static void give_up(engine_t *engine, slot_t *slot, cause_t cause)
{
    mutex_lock(&slot->lock);
    slot->in_flight &= ~FLIGHT_LIFE;
    bool closed = slot->sock != IO_SOCK_NONE;
    if (closed) {
        io_sock_close(engine->io, &slot->sock, false);
    }
    slot_clear(slot);
    slot_set_state(slot, SLOT_IDLE);
    mutex_unlock(&slot->lock);
    if (closed) {
        sockets_count_replaced(engine, cause);
    }
    idle_give(engine, slot);
}

/* Counts a client in; false where the server takes no more, or no more from its address. */
static bool admit(engine_t *engine, const io_addr_t *peer, uint64_t now_ns)
{
    const engine_options_t *options = &engine->options;
    uint32_t per_ip = options->max_connections_per_ip;
    mutex_lock(&engine->lock);
    bool admitted = !engine_is_stopping(engine) &&
                    engine->stats.connections_active < options->max_connections &&
                    (per_ip == 0 || peers_enter(&engine->peers, peer, per_ip));
    engine->refusing = !admitted;
    if (admitted) {
        pool_size_taken(engine, true, now_ns);
        engine->stats.connections_active++;
        engine->stats.connections_total++;
    }
    mutex_unlock(&engine->lock);
    return admitted;
}

bool pool_accepted(engine_t *engine, slot_t *slot, const io_event_t *event, uint64_t now_ns,
                   comer_t *comer)
{
    int32_t status = (int32_t)io_event_status(event);
    mutex_lock(&slot->lock);
    bool created = slot->sock_fresh && slot->sock != IO_SOCK_NONE;
    bool let_go = slot->let_go;
    if (status >= 0 && atomic_u32_load(&engine->deaf) != 0) {
        status = (int32_t)NT_CANCELLED; /* the server stops, and would only refuse it */
    }
    if (status >= 0) {
        status = io_accept_finish(engine->io, engine->listener, slot->sock, &slot->accept_buf,
                                  &engine->options.listen.accepted, &comer->peer, &comer->local);
    }
    mutex_unlock(&slot->lock);
    if (created) {
        sockets_count_made(engine);
    }
    if (status >= 0 && admit(engine, &comer->peer, now_ns)) {
        return true;
    }
    bool stopping = engine_is_stopping(engine);
    bool failed = status < 0 && !stopping && !let_go;
    cause_t cause = stopping ? CAUSE_STOPPING
                    : failed ? CAUSE_ACCEPT_FAILED
                    : let_go ? CAUSE_SHRUNK
                             : CAUSE_REFUSED;
    give_up(engine, slot, cause);
    uncount(engine, failed,
            failed && ntstatus_classify((uint32_t)status).action == NTSTATUS_BACKOFF,
            io_event_error(event));
    return false;
}

void pool_replenish(engine_t *engine, uint64_t now_ns)
{
    pool_size_grow(engine, now_ns);
    pool_refill(engine);
}

/* Cancels COUNT accepts, the newest slots' first: the old ones' memory is warm. */
static void let_go(engine_t *engine, uint64_t count)
{
    for (uint32_t i = table_count(&engine->table); i > 0 && count > 0; i--) {
        slot_t *slot = table_at(&engine->table, i - 1);
        mutex_lock(&slot->lock);
        if (slot->state == SLOT_ACCEPTING) {
            slot->let_go = true;
            io_cancel(engine->io, engine->listener, &slot->life.io);
            count--;
        }
        mutex_unlock(&slot->lock);
    }
}

/* Closes one spare socket; its slot goes back without it. */
static void close_spare(engine_t *engine)
{
    slot_t *slot = idle_take_spare(engine);
    if (slot == NULL) {
        return;
    }
    mutex_lock(&slot->lock);
    io_sock_close(engine->io, &slot->sock, false);
    mutex_unlock(&slot->lock);
    sockets_count_replaced(engine, CAUSE_SHRUNK);
    idle_give(engine, slot);
}

void pool_shrink(engine_t *engine, uint64_t now_ns)
{
    surplus_t surplus = pool_size_shrink(engine, now_ns);
    let_go(engine, surplus.accepts);
    for (; surplus.sockets > 0; surplus.sockets--) {
        close_spare(engine);
    }
}

void engine_pause(engine_t *engine, bool paused)
{
    mutex_lock(&engine->lock);
    engine->paused = paused;
    mutex_unlock(&engine->lock);
    io_wake_manager(engine->io);
}
