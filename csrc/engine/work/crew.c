/* crew.c: the workers' batches, known to each other. */
#include "crew.h"

#include <stdlib.h>

#include "../state.h"

/* A callback that takes longer than this is held to block. More than the manager sleeps while
 * callbacks run: it tells whether they come on. */
#define STUCK_NS (25 * NS_PER_MS)

/* Callbacks that take longer than this each, so many of a worker one after another, are held to
 * block as a habit, until none has for BLOCKING_NS: then nobody waits to see whether they do. One
 * means nothing: the system may have given the processor to somebody else. */
#define BLOCKS_NS    (1 * NS_PER_MS)
#define BLOCKS_CALLS 8u
#define BLOCKING_NS  (1 * NS_PER_S)

/* What one send may take of that: a callback that sends to thousands works, and does not block. */
#define BLOCKS_SEND_NS (4 * NS_PER_US)

/* Values of engine->watch. */
#define WATCH_ASLEEP 0u /* the manager sleeps long: wake it */
#define WATCH_AWAKE  1u /* it looks again soon, and nothing has begun since its last look */
#define WATCH_BUSY   2u /* and something has */

batch_t *engine_join(engine_t *engine)
{
    batch_t *batch = malloc(sizeof *batch);
    if (batch == NULL) {
        return NULL;
    }
    batch_init(batch);
    void *head = atomic_ptr_load(&engine->crew);
    do {
        batch->crew_next = head;
    } while (!atomic_ptr_cas(&engine->crew, &head, batch));
    return batch;
}

void crew_destroy(engine_t *engine)
{
    batch_t *batch = atomic_ptr_exchange(&engine->crew, NULL);
    while (batch != NULL) {
        batch_t *next = batch->crew_next;
        batch_destroy(batch);
        free(batch);
        batch = next;
    }
}

void crew_disown(engine_t *engine)
{
    batch_t *batch = atomic_ptr_load(&engine->crew);
    for (; batch != NULL; batch = batch->crew_next) {
        batch_disown(batch);
    }
}

void crew_count(engine_t *engine, engine_stats_t *stats)
{
    batch_t *batch = atomic_ptr_load(&engine->crew);
    for (; batch != NULL; batch = batch->crew_next) {
        stats->completions += atomic_u64_load(&batch->completions);
        stats->batches += atomic_u64_load(&batch->polls);
        stats->bytes_received += atomic_u64_load(&batch->bytes_received);
        stats->bytes_sent += atomic_u64_load(&batch->bytes_sent);
    }
}

bool crew_is_blocking(engine_t *engine, const batch_t *batch)
{
    return batch->now_ns < atomic_u64_load(&engine->blocking_until_ns);
}

/* How many workers there are beside BATCH's. */
static uint32_t count_others(engine_t *engine, const batch_t *batch)
{
    uint32_t others = 0;
    batch_t *other = atomic_ptr_load(&engine->crew);
    for (; other != NULL; other = other->crew_next) {
        others += other != batch;
    }
    return others;
}

/* Has the other workers share what BATCH is about to run, and what comes to the port meanwhile. */
static void share(engine_t *engine, const batch_t *batch, uint32_t behind)
{
    uint32_t others = count_others(engine, batch);
    if (others > 0) {
        io_yield(engine->io);
        io_wake(engine->io, behind < others ? behind : others);
    }
}

void crew_begin(engine_t *engine, batch_t *batch, uint32_t count, uint64_t now_ns)
{
    if (now_ns < atomic_u64_load(&engine->blocking_until_ns) && count > 0) {
        share(engine, batch, count - 1);
    }
    if (atomic_u32_load(&engine->watch) != WATCH_BUSY &&
        atomic_u32_exchange(&engine->watch, WATCH_BUSY) == WATCH_ASLEEP) {
        io_wake_manager(engine->io);
    }
}

void crew_end(engine_t *engine, batch_t *batch, uint64_t now_ns)
{
    if (batch->running_next == 0) {
        return; /* nothing has run: it is about memory that sends have left */
    }
    bool slow = batch_was_slow(batch, now_ns, BLOCKS_NS, BLOCKS_SEND_NS);
    batch->slow = slow ? batch->slow + batch->running_next : 0;
    if (batch->slow >= BLOCKS_CALLS) {
        atomic_u64_store(&engine->blocking_until_ns, now_ns + BLOCKING_NS);
    }
}

bool crew_is_busy(engine_t *engine)
{
    /* Two quiet looks in a row end the watch. */
    uint32_t seen = atomic_u32_load(&engine->watch);
    uint32_t next = seen == WATCH_BUSY ? WATCH_AWAKE : WATCH_ASLEEP;
    return atomic_u32_exchange(&engine->watch, next) != WATCH_ASLEEP;
}

static uint64_t stuck_since(uint64_t now_ns)
{
    return now_ns > STUCK_NS ? now_ns - STUCK_NS : 0;
}

void crew_watch(engine_t *engine, uint64_t now_ns)
{
    batch_t *batch = atomic_ptr_load(&engine->crew);
    for (; batch != NULL; batch = batch->crew_next) {
        if (batch_watch(batch, now_ns)) {
            /* It may get stuck yet: something else may have woken the manager this early. */
            atomic_u32_store(&engine->watch, WATCH_BUSY);
        }
        if (batch_is_stuck(batch, stuck_since(now_ns))) {
            io_wake(engine->io, 1);
        }
        /* A long batch of such callbacks is not waited for. */
        if (batch_is_slow(batch, now_ns, BLOCKS_CALLS, BLOCKS_NS, BLOCKS_SEND_NS)) {
            atomic_u64_store(&engine->blocking_until_ns, now_ns + BLOCKING_NS);
            io_wake(engine->io, count_others(engine, batch));
        }
    }
}

batch_t *crew_next_stuck(engine_t *engine, const batch_t *batch, batch_t *last)
{
    uint64_t now_ns = batch->now_ns;
    uint64_t since_ns = crew_is_blocking(engine, batch) ? now_ns : stuck_since(now_ns);
    batch_t *other = last == NULL ? atomic_ptr_load(&engine->crew) : last->crew_next;
    for (; other != NULL; other = other->crew_next) {
        if (other != batch && batch_is_stuck(other, since_ns)) {
            return other;
        }
    }
    return NULL;
}
