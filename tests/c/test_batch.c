/* test_batch.c: slots are flushed in the order in which they were sent to. */
#include <stdio.h>
#include <stdlib.h>

#include "../../csrc/engine/batch.h"
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

int main(void)
{
    tally_t tally = {0};
    slot_t *slots = calloc(SLOTS, sizeof *slots);
    batch_t *batch = malloc(sizeof *batch);
    if (slots == NULL || batch == NULL) {
        return 2;
    }
    batch_init(batch);
    tally_check(&tally, take(batch, slots, 0), "nothing to flush");
    for (int turn = 0; turn < 2; turn++) {
        for (uint32_t i = 0; i < SLOTS; i++) {
            batch_add_dirty(batch, &slots[i]);
            tally_check(&tally, slots[i].dirty == batch, "it knows who flushes it");
        }
        tally_check(&tally, take(batch, slots, SLOTS), "the first is first");
    }
    tally_check(&tally, take(batch, slots, 0), "once");
    batch_destroy(batch);
    free(batch);
    free(slots);
    return tally_close(&tally);
}
