/* ready.c: the ready list is filled and emptied, and a harvest is filled. */
#include "ready.h"

#include "../../base/check.h"
#include "op.h"
#include "port.h"

void harvest_add(harvest_t *harvest, io_op_t *op)
{
    if (harvest->count == harvest->max) {
        list_push_back(&harvest->overflow, &op->node);
        return;
    }
    io_event_t *event = &harvest->events[harvest->count++];
    event->op = op;
    event->status = op->status;
    event->bytes = op->bytes;
    event->error = op->error;
    harvest->bytes += op->kind == OP_RECV ? op->bytes : 0;
}

void ready_push(io_t *io, io_op_t *op, bool fresh)
{
    mutex_lock(&io->lock);
    list_push_back(&io->ready, &op->node);
    /* A running worker will be back soon and takes a completion along, for nothing. If it
     * is not, then one who sleeps on time finds it. */
    bool kick = (fresh || io->gate.running == 0 || io->timed_sleepers == 0) && port_needs_kick(io);
    mutex_unlock(&io->lock);
    if (kick) {
        port_kick(io);
    }
}

void ready_take(io_t *io, harvest_t *harvest, uint32_t most)
{
    uint32_t max = harvest->max < most ? harvest->max : most;
    while (harvest->count < max && !list_is_empty(&io->ready)) {
        DCHECK(list_is_linked(io->ready.next)); /* an operation is never in it twice */
        list_node_t *node = list_pop_front(&io->ready);
        harvest->events[harvest->count++].op = LIST_ENTRY(node, io_op_t, node);
    }
}
