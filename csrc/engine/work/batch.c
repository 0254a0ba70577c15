/* batch.c: what one worker has in hand. */
#include "batch.h"

#include <string.h>

void batch_init(batch_t *batch)
{
    memset(batch, 0, sizeof *batch);
    batch->events = batch->room[0];
    mutex_init(&batch->lock);
}

void batch_destroy(batch_t *batch)
{
    mutex_destroy(&batch->lock);
    pockets_empty(&batch->pockets);
}

void batch_disown(batch_t *batch)
{
    mutex_init(&batch->lock); /* another thread may have held it */
    batch->count = 0;
    batch->running_count = 0;
    batch->running_next = 0;
    batch->running_settled = 0;
    atomic_u64_store(&batch->running_since_ns, 0);
    batch->dirty = NULL;
    batch->dirty_count = 0;
    batch->pockets = (pockets_t){0}; /* leaks: its worker may have been about to change it */
}

bool batch_add(batch_t *batch, event_kind_t kind, slot_t *slot)
{
    if (batch->count == BATCH_EVENTS_MAX) {
        return false;
    }
    batch->events[batch->count++] = (event_t){
        .kind = kind,
        .slot = slot,
        .token = slot->token,
        .user = &slot->session.user,
    };
    return true;
}

void batch_begin(batch_t *batch, uint64_t now_ns)
{
    event_t *events = batch->events;
    mutex_lock(&batch->lock);
    batch->running = events;
    batch->running_count = batch->count;
    batch->running_next = 0;
    batch->running_settled = 0;
    batch->watched_next = 1; /* it begins with the first */
    atomic_u64_store(&batch->running_since_ns, now_ns);
    batch->begun_ns = now_ns;
    atomic_u64_store(&batch->sends, 0);
    mutex_unlock(&batch->lock);
    batch->events = events == batch->room[0] ? batch->room[1] : batch->room[0];
    batch->count = 0;
}

void batch_attach(batch_t *batch, uint64_t now_ns)
{
    mutex_lock(&batch->lock);
    batch->begun_ns = now_ns;
    mutex_unlock(&batch->lock);
}

event_t *batch_take(batch_t *batch)
{
    mutex_lock(&batch->lock);
    bool left = batch->running_next < batch->running_count;
    event_t *event = left ? &batch->running[batch->running_next++] : NULL;
    if (!left) {
        atomic_u64_store(&batch->running_since_ns, 0);
        batch->sent_to = batch->dirty_count;
    }
    mutex_unlock(&batch->lock);
    return event;
}

/* How many have surely run. The batch's lock is held. */
static uint32_t run_so_far(const batch_t *batch)
{
    return batch->running_next > 0 ? batch->running_next - 1 : 0;
}

bool batch_take_done(batch_t *batch, event_t *out)
{
    mutex_lock(&batch->lock);
    bool found = batch->running_settled < run_so_far(batch);
    if (found) {
        *out = batch->running[batch->running_settled++];
    }
    mutex_unlock(&batch->lock);
    return found;
}

/* The batch's lock is held. */
static slot_t *take_dirty(batch_t *batch)
{
    slot_t *dirty = batch->dirty;
    batch->dirty = NULL;
    batch->dirty_count = 0;
    return dirty;
}

slot_t *batch_take_dirty(batch_t *batch)
{
    mutex_lock(&batch->lock);
    slot_t *dirty = take_dirty(batch);
    mutex_unlock(&batch->lock);
    return dirty;
}

event_t *batch_take_rest(batch_t *batch, uint32_t *count, slot_t **dirty)
{
    mutex_lock(&batch->lock);
    event_t *rest = &batch->running[batch->running_settled];
    *count = batch->running_next - batch->running_settled;
    batch->running_settled = batch->running_next;
    if (dirty != NULL) {
        *dirty = take_dirty(batch);
    }
    mutex_unlock(&batch->lock);
    return rest;
}

void batch_add_dirty(batch_t *batch, slot_t *slot)
{
    slot->dirty = batch;
    slot->dirty_next = NULL;
    mutex_lock(&batch->lock);
    if (batch->dirty == NULL) {
        batch->dirty = slot;
    } else {
        batch->dirty_last->dirty_next = slot;
    }
    batch->dirty_last = slot;
    batch->dirty_count++;
    mutex_unlock(&batch->lock);
}

static bool took_longer(batch_t *batch, uint64_t now_ns, uint32_t ran, uint64_t long_ns,
                        uint64_t send_ns)
{
    return now_ns > batch->begun_ns + ran * long_ns + atomic_u64_load(&batch->sends) * send_ns;
}

bool batch_was_slow(batch_t *batch, uint64_t now_ns, uint64_t long_ns, uint64_t send_ns)
{
    /* Nobody else writes these. */
    return took_longer(batch, now_ns, batch->running_next, long_ns, send_ns);
}

void batch_steal(batch_t *from, batch_t *to, uint32_t most)
{
    uint32_t room = BATCH_EVENTS_MAX - to->count;
    room = room < most ? room : most;
    mutex_lock(&from->lock);
    uint32_t left = from->running_count - from->running_next;
    uint32_t count = left < room ? left : room;
    from->running_count -= count;
    if (count > 0) {
        memcpy(to->events + to->count, from->running + from->running_count,
               count * sizeof *to->events);
    }
    mutex_unlock(&from->lock);
    to->count += count;
}

bool batch_is_running(batch_t *batch)
{
    return atomic_u64_load(&batch->running_since_ns) != 0;
}

bool batch_watch(batch_t *batch, uint64_t now_ns)
{
    if (atomic_u64_load(&batch->running_since_ns) == 0) {
        return false;
    }
    mutex_lock(&batch->lock);
    bool running = atomic_u64_load(&batch->running_since_ns) != 0;
    if (running && batch->watched_next != batch->running_next) {
        batch->watched_next = batch->running_next;
        atomic_u64_store(&batch->running_since_ns, now_ns);
    }
    mutex_unlock(&batch->lock);
    return running;
}

bool batch_is_slow(batch_t *batch, uint64_t now_ns, uint32_t calls, uint64_t long_ns,
                   uint64_t send_ns)
{
    if (atomic_u64_load(&batch->running_since_ns) == 0) {
        return false;
    }
    mutex_lock(&batch->lock);
    uint32_t ran = run_so_far(batch);
    bool running = atomic_u64_load(&batch->running_since_ns) != 0;
    bool slow = running && ran >= calls && took_longer(batch, now_ns, ran, long_ns, send_ns);
    mutex_unlock(&batch->lock);
    return slow;
}

bool batch_is_stuck(batch_t *batch, uint64_t since_ns)
{
    uint64_t running_since_ns = atomic_u64_load(&batch->running_since_ns);
    if (running_since_ns == 0 || running_since_ns > since_ns) {
        return false; /* as it mostly is; what begins at this moment is not stuck either */
    }
    mutex_lock(&batch->lock);
    running_since_ns = atomic_u64_load(&batch->running_since_ns);
    bool stuck = running_since_ns != 0 && running_since_ns <= since_ns &&
                 (batch->running_next < batch->running_count ||
                  batch->running_settled < run_so_far(batch) || batch->dirty != NULL);
    mutex_unlock(&batch->lock);
    return stuck;
}
