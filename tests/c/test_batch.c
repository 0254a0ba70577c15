/* test_batch.c: slots are flushed in the order in which they were sent to; and which callbacks are
 * held to be slow. */
#include <stdio.h>
#include <stdlib.h>

#include "../../csrc/engine/work/batch.h"
#include "tally.h"

#define SLOTS 5u

static bool take(batch_t *batch, const slot_t *slots, uint32_t count)
{
    const slot_t *slot = batch_take_dirty(batch);
    for (uint32_t i = 0; i < count; i++) {
        if (slot != &slots[i]) {
            return false;
        }
        slot = slot->dirty_next;
    }
    return slot == NULL;
}

static void test_order(tally_t *tally, batch_t *batch, slot_t *slots)
{
    tally_check(tally, take(batch, slots, 0), "nothing to flush");
    for (int turn = 0; turn < 2; turn++) {
        for (uint32_t i = 0; i < SLOTS; i++) {
            batch_add_dirty(batch, &slots[i]);
            tally_check(tally, slots[i].dirty == batch, "it knows who flushes it");
        }
        tally_check(tally, take(batch, slots, SLOTS), "the first is first");
    }
    tally_check(tally, take(batch, slots, 0), "once");
}

/* Two callbacks that take LONG_NS each are not slow; with a nanosecond more they are. */
static void test_slow(tally_t *tally, batch_t *batch, slot_t *slots)
{
    const uint64_t long_ns = 1000;
    const uint64_t send_ns = 10;
    tally_check(tally, batch_add(batch, EVENT_DATA, &slots[0]), "an event");
    tally_check(tally, batch_add(batch, EVENT_DATA, &slots[1]), "and another");
    batch_begin(batch, 1);
    tally_check(tally, batch_is_running(batch), "they run, or wait to");
    batch_attach(batch, 500001); /* the wait for the interpreter is not theirs */
    (void)batch_take(batch);
    (void)batch_take(batch);
    uint64_t end_ns = 500001 + 2 * long_ns;
    tally_check(tally, !batch_was_slow(batch, end_ns, long_ns, send_ns), "in time");
    tally_check(tally, batch_was_slow(batch, end_ns + 1, long_ns, send_ns), "slow");
    tally_check(tally, batch_is_slow(batch, end_ns, 1, long_ns, send_ns), "the one that has run");
    tally_check(tally, !batch_is_slow(batch, end_ns, 2, long_ns, send_ns), "and it is one");
    atomic_u64_store(&batch->sends, 3);
    end_ns += 3 * send_ns;
    tally_check(tally, !batch_was_slow(batch, end_ns, long_ns, send_ns), "it sent meanwhile");
    tally_check(tally, batch_was_slow(batch, end_ns + 1, long_ns, send_ns), "but not for so long");
    tally_check(tally, batch_take(batch) == NULL, "there are two");
    tally_check(tally, !batch_is_running(batch), "and they have run");
}

int main(void)
{
    tally_t tally = {0};
    slot_t *slots = calloc(SLOTS, sizeof *slots);
    batch_t *batch = malloc(sizeof *batch);
    if (slots == NULL || batch == NULL) {
        return 2;
    }
    batch_init(batch);
    test_order(&tally, batch, slots);
    test_slow(&tally, batch, slots);
    batch_destroy(batch);
    free(batch);
    free(slots);
    return tally_close(&tally);
}
