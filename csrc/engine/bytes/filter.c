/* filter.c: what a filter holds of a session's bytes. */
#include "filter.h"

#include <stdlib.h>

filter_t *filter_new(const filter_type_t *type, struct slot *slot)
{
    filter_t *filter = calloc(1, sizeof *filter);
    if (filter != NULL) {
        filter->type = type;
        filter->slot = slot;
    }
    return filter;
}

bool filter_put(step_t *step, const void *data, size_t len)
{
    return outbox_put(&step->out, step->chunks, step->pockets, data, len);
}

void filter_take_in(filter_t *filter, void *buf, slab_t *slab, uint32_t len)
{
    filter->in_buf = buf;
    filter->in_slab = slab;
    filter->in = buf;
    filter->in_len = len;
}

void filter_drop_in(filter_t *filter, pockets_t *pockets)
{
    if (filter->in_buf != NULL) {
        pockets_give(pockets, filter->in_slab, filter->in_buf);
    }
    filter->in_buf = NULL;
    filter->in = NULL;
    filter->in_len = 0;
}

uint64_t filter_sent(filter_t *filter, slab_t *chunks, pockets_t *pockets, uint64_t sent)
{
    uint64_t behind;
    uint64_t plain = outbox_consume(&filter->out, chunks, pockets, sent, &behind);
    filter->sent += sent;
    if (plain > 0) {
        filter->plain_end = filter->sent - behind;
    }
    return plain;
}

uint64_t filter_unacked(const filter_t *filter, uint64_t acked, uint64_t plain_sent)
{
    uint64_t lacking = acked < filter->plain_end ? filter->plain_end - acked : 0;
    return lacking < plain_sent ? lacking : plain_sent;
}

void filter_release(filter_t *filter, slab_t *chunks, pockets_t *pockets)
{
    filter_drop_in(filter, pockets);
    outbox_clear(&filter->out, chunks, pockets);
    free(filter);
}
