#include "batch.h"

#include <string.h>

void batch_init(batch_t *batch)
{
    memset(batch, 0, sizeof *batch);
    batch->events = batch->room[0];
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
        .data = slot->session.recv_buf,
        .len = slot->session.recv_len,
    };
    return true;
}

event_t *batch_swap(batch_t *batch, uint32_t *count)
{
    event_t *events = batch->events;
    *count = batch->count;
    batch->events = events == batch->room[0] ? batch->room[1] : batch->room[0];
    batch->count = 0;
    return events;
}
