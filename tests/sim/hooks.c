/* hooks.c: the linker (--wrap) leads the engine's locks, allocations and changes of state through
 * here. Its sources stay as they are.
 *
 * Such a function has no argument that names its world, so the world that runs stands in a
 * variable: the only mutable one of the whole simulator. */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

#include "toy_filter.h"
#include "toying.h"

static world_t *hooks__world;

void *__real_malloc(size_t size);
int __real_posix_memalign(void **out, size_t alignment, size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *memory, size_t size);
void __real_free(void *memory);
_Noreturn void __real_abort(void);
void __real_slot_set_state(slot_t *slot, slot_state_t to);
int __real_io_accept(io_t *io, io_op_t *op, io_sock_t listener, io_sock_t *inout,
                     io_accept_buf_t *buf);
void __real_io_cancel(io_t *io, io_sock_t sock, io_op_t *op);
void __real_io_sock_sever(io_t *io, io_sock_t *inout, bool reset);
bool __real_batch_add(batch_t *batch, event_kind_t kind, slot_t *slot);
void __real_shared_put(shared_t *message, sendq_t *to, slab_t *pages);
bool __real_sendq_put(sendq_t *to, const void *data, size_t len, slab_t *pages);
call_t __real_send_admit(engine_t *engine, slot_t *slot, size_t len, batch_t *batch);
call_t __real_send_queue(engine_t *engine, slot_t *slot, sendq_t *chain, batch_t *batch);
call_t __real_engine_end(engine_t *engine, token_t token, reason_t reason, batch_t *batch);
void __real_session_settle(engine_t *engine, const event_t *event, batch_t *batch);
void __real_session_release(engine_t *engine, slot_t *slot, batch_t *batch);
void __real_session_flush(engine_t *engine, slot_t *slot, const ending_t *ending);
void __real_filtering_turn(engine_t *engine, slot_t *slot);
void __real_session_part(engine_t *engine, slot_t *slot, const ending_t *ending);
bool __real_session_may_linger(engine_t *engine, slot_t *slot, uint64_t now_ns);

void *__wrap_malloc(size_t size);
int __wrap_posix_memalign(void **out, size_t alignment, size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *memory, size_t size);
void __wrap_free(void *memory);
_Noreturn void __wrap_abort(void);
void __wrap_slot_set_state(slot_t *slot, slot_state_t to);
int __wrap_pthread_mutex_lock(pthread_mutex_t *lock);
int __wrap_pthread_mutex_unlock(pthread_mutex_t *lock);
bool __wrap_io_probe_recycling(uint32_t timeout_ms);
int __wrap_io_accept(io_t *io, io_op_t *op, io_sock_t listener, io_sock_t *inout,
                     io_accept_buf_t *buf);
void __wrap_io_cancel(io_t *io, io_sock_t sock, io_op_t *op);
void __wrap_io_sock_sever(io_t *io, io_sock_t *inout, bool reset);
bool __wrap_batch_add(batch_t *batch, event_kind_t kind, slot_t *slot);
void __wrap_shared_put(shared_t *message, sendq_t *to, slab_t *pages);
bool __wrap_sendq_put(sendq_t *to, const void *data, size_t len, slab_t *pages);
call_t __wrap_send_admit(engine_t *engine, slot_t *slot, size_t len, batch_t *batch);
call_t __wrap_send_queue(engine_t *engine, slot_t *slot, sendq_t *chain, batch_t *batch);
call_t __wrap_engine_end(engine_t *engine, token_t token, reason_t reason, batch_t *batch);
void __wrap_session_settle(engine_t *engine, const event_t *event, batch_t *batch);
void __wrap_session_release(engine_t *engine, slot_t *slot, batch_t *batch);
void __wrap_session_flush(engine_t *engine, slot_t *slot, const ending_t *ending);
void __wrap_filtering_turn(engine_t *engine, slot_t *slot);
void __wrap_session_part(engine_t *engine, slot_t *slot, const ending_t *ending);
bool __wrap_session_may_linger(engine_t *engine, slot_t *slot, uint64_t now_ns);

void hooks_enter(world_t *world)
{
    hooks__world = world;
}

const world_t *hooks_world(void)
{
    return hooks__world;
}

/* Memory is taken or given back: not under the lock of the requests. */
static void hooks__check_memory(void)
{
    world_t *world = hooks__world;
    for (uint32_t i = 0; world != NULL && i < world->locks_count; i++) {
        if (world->locks[i] == &world->engine->requests_lock ||
            world->locks[i] == &world->engine->names.lock) {
            world_fail(world, "memory is taken or given back under the lock of requests or names");
        }
    }
}

/* Whether this allocation is one that fails. */
static bool hooks__starves(void)
{
    world_t *world = hooks__world;
    hooks__check_memory();
    if (world == NULL) {
        return false;
    }
    world->allocs++;
    bool starves = world->allocs == world->plan.fail_alloc ||
                   (world->running && rng_chance(&world->rng, world->config.odds_alloc));
    world->totals->allocs_failed += starves;
    if (starves && world->io != NULL) {
        world->starved_ns = io_now_ns(world->io);
    }
    return starves;
}

void *__wrap_malloc(size_t size)
{
    void *memory = hooks__starves() ? NULL : __real_malloc(size);
    if (hooks__world != NULL) {
        hooks__world->allocs_live += memory != NULL;
    }
    return memory;
}

int __wrap_posix_memalign(void **out, size_t alignment, size_t size)
{
    int error = hooks__starves() ? ENOMEM : __real_posix_memalign(out, alignment, size);
    if (hooks__world != NULL) {
        hooks__world->allocs_live += error == 0;
    }
    return error;
}

void *__wrap_calloc(size_t count, size_t size)
{
    void *memory = hooks__starves() ? NULL : __real_calloc(count, size);
    if (hooks__world != NULL) {
        hooks__world->allocs_live += memory != NULL;
    }
    return memory;
}

void *__wrap_realloc(void *memory, size_t size)
{
    void *grown = hooks__starves() ? NULL : __real_realloc(memory, size);
    if (hooks__world != NULL) {
        hooks__world->allocs_live += memory == NULL && grown != NULL;
    }
    return grown;
}

void __wrap_free(void *memory)
{
    hooks__check_memory();
    if (hooks__world != NULL) {
        hooks__world->allocs_live -= memory != NULL;
    }
    __real_free(memory);
}

/* A CHECK that does not hold: it has said where, this says how to see it again. */
void __wrap_abort(void)
{
    if (hooks__world != NULL) {
        world_print_replay(hooks__world);
    }
    exit(1);
}

void __wrap_slot_set_state(slot_t *slot, slot_state_t to)
{
    slot_state_t from = slot->state;
    if (hooks__world != NULL && to == SLOT_RECYCLING &&
        !toying_check_recycled(hooks__world, slot)) {
        app_check_recycled(hooks__world, slot);
    }
    __real_slot_set_state(slot, to);
    if (hooks__world != NULL && from == SLOT_ACCEPTING && to == SLOT_IDLE && slot->let_go) {
        thrift_lets_go(hooks__world, true);
    }
    if (hooks__world != NULL && to == SLOT_OPEN) {
        thrift_came(hooks__world);
    }
    if (hooks__world != NULL && to == SLOT_REPLACING) {
        patience_forget(hooks__world, slot);
    }
    if (hooks__world != NULL && to == SLOT_DRAINING) {
        patience_note_drain(hooks__world, slot);
    }
    if (hooks__world != NULL) {
        hooks__world->totals->rows[from][to]++;
        sim_trace(hooks__world->io, slot_state_name(to), slot->index, from);
    }
}

/* The locks that may be taken under a slot's. */
static bool hooks__is_leaf(const world_t *world, const void *lock)
{
    bool leaf = lock == &world->engine->slab.lock || lock == &world->engine->large.lock ||
                lock == &world->engine->pages.lock || lock == &world->engine->wheel.lock ||
                lock == &world->engine->requests_lock || lock == &world->engine->chunks.lock ||
                lock == &world->engine->turns.lock || lock == &world->engine->names.lock;
    for (uint32_t i = 0; i < WORKERS_MAX; i++) {
        leaf |= world->workers[i].batch != NULL && lock == &world->workers[i].batch->lock;
    }
    return leaf;
}

/* There is one thread: a lock that is taken when it is held would never be released. */
int __wrap_pthread_mutex_lock(pthread_mutex_t *lock)
{
    world_t *world = hooks__world;
    if (world == NULL || world->engine == NULL) {
        return 0;
    }
    if (world->locks_count > 0 && (world->locks_count > 1 || !hooks__is_leaf(world, lock))) {
        world_fail(world, "a lock is taken under another one");
    }
    for (uint32_t i = 0; i < world->locks_count; i++) {
        if (world->locks[i] == lock) {
            world_fail(world, "a lock is taken twice");
        }
    }
    world->locks[world->locks_count++] = lock;
    check_touch(world, lock);
    return 0;
}

void hooks_rest(void)
{
    world_t *world = hooks__world;
    if (world->locks_count == 0 && world->running && world->nest < NEST_MAX &&
        rng_chance(&world->rng, world->config.odds_preempt)) {
        world->totals->preemptions++;
        world->nest++;
        for (uint32_t left = 1 + rng_below(&world->rng, 6); left > 0; left--) {
            world_step(world);
        }
        world->nest--;
    }
}

int __wrap_pthread_mutex_unlock(pthread_mutex_t *lock)
{
    world_t *world = hooks__world;
    if (world == NULL || world->engine == NULL) {
        return 0;
    }
    if (world->locks_count == 0 || world->locks[world->locks_count - 1] != lock) {
        world_fail(world, "a lock is released that is not held, or not the last one");
    }
    world->locks_count--;
    if (lock == &world->engine->lock && world->io != NULL) {
        thrift_note(world);
    }
    hooks_rest();
    return 0;
}

int __wrap_io_accept(io_t *io, io_op_t *op, io_sock_t listener, io_sock_t *inout,
                     io_accept_buf_t *buf)
{
    bool makes = *inout == IO_SOCK_NONE;
    int status = __real_io_accept(io, op, listener, inout, buf);
    if (makes && status >= 0) {
        thrift_made(hooks__world);
    }
    return status;
}

void __wrap_io_cancel(io_t *io, io_sock_t sock, io_op_t *op)
{
    operation_t *operation = (operation_t *)(void *)op;
    if (operation->kind == OPERATION_ACCEPT && slot_of(operation)->let_go) {
        thrift_lets_go(hooks__world, false);
    }
    if (operation->kind == OPERATION_DISCONNECT) {
        patience_check_cancel(hooks__world, slot_of(operation));
    }
    __real_io_cancel(io, sock, op);
}

void __wrap_io_sock_sever(io_t *io, io_sock_t *inout, bool reset)
{
    if (inout == &hooks__world->engine->listener) {
        patience_check_accepts(hooks__world);
    } else {
        patience_note_sever(hooks__world, LIST_ENTRY(inout, slot_t, sock));
    }
    __real_io_sock_sever(io, inout, reset);
}

/* From here to its settling an event is in somebody's hand. */
bool __wrap_batch_add(batch_t *batch, event_kind_t kind, slot_t *slot)
{
    world_t *world = hooks__world;
    if (world->held[slot->index]) {
        world_fail(world, "two events of slot %u are in hand at once", slot->index);
    }
    bool receives = kind == EVENT_DATA || kind == EVENT_EOF;
    if (receives && slot->session.read_paused && slot->state == SLOT_OPEN) {
        world_fail(world, "slot %u is paused, and hears of what it has received", slot->index);
    }
    world->held[slot->index] = __real_batch_add(batch, kind, slot);
    return world->held[slot->index];
}

static void hooks__settled(world_t *world, const slot_t *slot)
{
    uintptr_t user = (uintptr_t)slot->session.user;
    if (!world->held[slot->index] || (user != 0 && world->recs[user - 1].in_call)) {
        world_fail(world, "slot %u: an event is settled twice, or while its callback runs",
                   slot->index);
    }
    world->held[slot->index] = false;
    world->settled_ns[slot->index] = io_now_ns(world->io);
}

void __wrap_session_settle(engine_t *engine, const event_t *event, batch_t *batch)
{
    hooks__settled(hooks__world, event->slot);
    __real_session_settle(engine, event, batch);
}

/* The last event of a session. */
void __wrap_session_release(engine_t *engine, slot_t *slot, batch_t *batch)
{
    hooks__settled(hooks__world, slot);
    __real_session_release(engine, slot, batch);
}

/* Where the timeouts, in a file of their own, end a session. */
void __wrap_session_flush(engine_t *engine, slot_t *slot, const ending_t *ending)
{
    silence_check(hooks__world, slot, ending->reason);
    __real_session_flush(engine, slot, ending);
}

/* A handshake may go on, one step. */
void __wrap_filtering_turn(engine_t *engine, slot_t *slot)
{
    __real_filtering_turn(engine, slot);
    const filter_t *filter = slot->state == SLOT_OPEN ? slot->session.filter : NULL;
    if (filter != NULL && filter->turn) {
        toy_call(filter->self);
    }
}

/* Where all is through. */
void __wrap_session_part(engine_t *engine, slot_t *slot, const ending_t *ending)
{
    const filter_t *filter = slot->session.filter;
    if (filter != NULL && filter->phase == FILTER_OPEN) {
        world_fail(hooks__world, "slot %u parts from its client without a goodbye", slot->index);
    }
    __real_session_part(engine, slot, ending);
}

/* Where an orderly end is given up, or not yet. */
bool __wrap_session_may_linger(engine_t *engine, slot_t *slot, uint64_t now_ns)
{
    bool may = __real_session_may_linger(engine, slot, now_ns);
    if (!may) {
        patience_check_end(hooks__world, slot, now_ns);
    }
    return may;
}

/* Whose queue it is for, the lock that is held tells: it is the first thing in a slot. */
void __wrap_shared_put(shared_t *message, sendq_t *to, slab_t *pages)
{
    world_t *world = hooks__world;
    if (world->locks_count != 1) {
        world_fail(world, "a message is taken for a queue that is not locked");
    }
    broadcasting_taken(world, message, world->locks[0]);
    __real_shared_put(message, to, pages);
}

bool __wrap_sendq_put(sendq_t *to, const void *data, size_t len, slab_t *pages)
{
    bool put = __real_sendq_put(to, data, len, pages);
    if (!put) {
        sending_lacked(hooks__world, hooks__world->locks[0], len);
    }
    return put;
}

/* Of answers only: the engine's own sends call them within their file. */
call_t __wrap_send_admit(engine_t *engine, slot_t *slot, size_t len, batch_t *batch)
{
    call_t result = __real_send_admit(engine, slot, len, batch);
    requesting_admitted(hooks__world, slot, result);
    return result;
}

call_t __wrap_send_queue(engine_t *engine, slot_t *slot, sendq_t *chain, batch_t *batch)
{
    requesting_taken(hooks__world, slot, chain);
    call_t result = __real_send_queue(engine, slot, chain, batch);
    requesting_queued(hooks__world, slot, result);
    return result;
}

/* A take-over's, or the application's own. */
call_t __wrap_engine_end(engine_t *engine, token_t token, reason_t reason, batch_t *batch)
{
    if (reason == REASON_REPLACED) {
        naming_replaced(hooks__world, token);
    }
    return __real_engine_end(engine, token, reason, batch);
}

bool __wrap_io_probe_recycling(uint32_t timeout_ms)
{
    (void)timeout_ms;
    return hooks__world->config.recycling == RECYCLING_VERIFIED;
}

/* AddressSanitizer calls this before it prints what it found. */
void __asan_on_error(void);
void __asan_on_error(void)
{
    if (hooks__world != NULL) {
        world_print_replay(hooks__world);
    }
}
