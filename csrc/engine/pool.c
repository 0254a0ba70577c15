#include "pool.h"

#include "recycle.h"
#include "session.h"
#include "state.h"

/* After an accept that failed for want of memory, buffers or handles. */
#define RETRY_NS (50 * NS_PER_MS)

void pool_give(engine_t *engine, slot_t *slot)
{
    mutex_lock(&engine->lock);
    if (slot->sock == IO_SOCK_NONE) {
        list_push_back(&engine->idle, &slot->pool_node);
    } else {
        pool_size_note(engine, io_now_ns(engine->io));
        list_push_front(&engine->idle, &slot->pool_node);
        engine->spare++;
    }
    mutex_unlock(&engine->lock);
}

/* Sockets that will be back in a moment, as far as a pool that is not full may wait for them: a
 * quarter of its accepts are posted in any case. The engine's lock is held. */
static uint64_t count_returning(engine_t *engine)
{
    uint64_t cooling = atomic_u64_load(&engine->cooling);
    uint64_t returning = engine->recycling_now > cooling ? engine->recycling_now - cooling : 0;
    uint64_t most = engine->options.accept_pool / 4 * 3;
    return returning < most ? returning : most;
}

/* Whether one more accept is wanted, and there is a socket for it or one is to be made. The
 * engine's lock is held. */
static bool is_wanted(engine_t *engine, uint64_t now_ns)
{
    uint64_t pending = engine->stats.accepts_pending;
    if (engine_is_stopping(engine) || engine->paused || now_ns < engine->retry_at_ns ||
        pending >= engine->pool_target) {
        return false;
    }
    return engine->spare > 0 || engine->recycling != RECYCLING_VERIFIED ||
           pending + count_returning(engine) < engine->options.accept_pool;
}

/* A slot to post an accept on, counted as posted already; NULL when none is wanted or to be had. */
static slot_t *take_idle(engine_t *engine)
{
    uint64_t now_ns = io_now_ns(engine->io);
    mutex_lock(&engine->lock);
    slot_t *slot = NULL;
    if (is_wanted(engine, now_ns)) {
        pool_size_note(engine, now_ns);
        list_node_t *node = list_pop_front(&engine->idle);
        if (node != NULL) {
            slot = LIST_ENTRY(node, slot_t, pool_node);
            engine->spare -= slot->sock != IO_SOCK_NONE;
        } else {
            slot = table_grow(&engine->table);
        }
        if (slot == NULL) {
            engine->retry_at_ns = now_ns + RETRY_NS;
        } else {
            engine->stats.accepts_pending++;
        }
    }
    mutex_unlock(&engine->lock);
    return slot;
}

/* One accept less is posted. Called when its slot is back in the pool, so that a server that
 * stops finds nothing half done once the count is 0. */
static void uncount(engine_t *engine, bool failed, bool pause)
{
    uint64_t now_ns = io_now_ns(engine->io);
    mutex_lock(&engine->lock);
    pool_size_taken(engine, false, now_ns);
    engine->stats.accept_errors += failed;
    if (pause) {
        engine->retry_at_ns = now_ns + RETRY_NS;
    }
    mutex_unlock(&engine->lock);
    if (pause || engine_is_stopping(engine)) {
        /* It ends the pause in time, and the stop when this was the last. */
        io_wake_manager(engine->io);
    }
}

static void count_created(engine_t *engine)
{
    mutex_lock(&engine->lock);
    engine->stats.sockets_created++;
    mutex_unlock(&engine->lock);
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
    int status = io_accept(engine->io, op, engine->listener, &slot->sock, &slot->accept_buf);
    /* Once it is posted, the socket is the backend's until the completion. */
    bool had_any = false;
    bool created = status >= 0 && slot->sock_fresh && IO_ACCEPT_MAKES_SOCK;
    if (created) {
        slot->sock_fresh = false;
    }
    if (status < 0) {
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
        count_created(engine);
    }
    if (status < 0) {
        if (had_any) {
            recycle_count(engine, CAUSE_ACCEPT_FAILED);
        }
        pool_give(engine, slot);
        /* A recycled socket that is refused says nothing about the next one. */
        uncount(engine, true, !had_sock);
    }
}

void pool_refill(engine_t *engine)
{
    for (;;) {
        slot_t *slot = take_idle(engine);
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
        recycle_count(engine, cause);
    }
    pool_give(engine, slot);
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

void pool_accepted(engine_t *engine, slot_t *slot, const io_event_t *event, batch_t *batch)
{
    batch->took_accept = true;
    int32_t status = (int32_t)io_event_status(event);
    io_addr_t peer = {0};
    io_addr_t local = {0};
    mutex_lock(&slot->lock);
    bool created = slot->sock_fresh && slot->sock != IO_SOCK_NONE;
    if (status >= 0) {
        status = io_accept_finish(engine->io, engine->listener, slot->sock, &slot->accept_buf,
                                  &engine->options.listen.accepted, &peer, &local);
    }
    mutex_unlock(&slot->lock);
    if (created) {
        count_created(engine);
    }
    if (status >= 0 && admit(engine, &peer, batch->now_ns)) {
        session_begin(engine, slot, &peer, &local, batch);
        return;
    }
    bool stopping = engine_is_stopping(engine);
    bool failed = status < 0 && !stopping && !slot->let_go;
    cause_t cause = stopping       ? CAUSE_STOPPING
                    : failed       ? CAUSE_ACCEPT_FAILED
                    : slot->let_go ? CAUSE_SHRUNK
                                   : CAUSE_REFUSED;
    give_up(engine, slot, cause);
    uncount(engine, failed,
            failed && ntstatus_classify((uint32_t)status).action == NTSTATUS_BACKOFF);
}
