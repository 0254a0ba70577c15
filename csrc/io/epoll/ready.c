#include "ready.h"

#include "../../base/check.h"
#include "listener.h"
#include "port.h"
#include "sock.h"

static void harvest__store(harvest_t *harvest, io_op_t *op)
{
    io_event_t *event = &harvest->events[harvest->count++];
    event->op = op;
    event->status = op->status;
    event->bytes = op->bytes;
    event->error = op->error;
    harvest->bytes += op->kind == OP_RECV ? op->bytes : 0;
}

void harvest_add(harvest_t *harvest, io_op_t *op)
{
    if (harvest->count < harvest->max) {
        harvest__store(harvest, op);
    } else {
        list_push_back(&harvest->overflow, &op->node);
    }
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

void ready_try(io_t *io, harvest_t *harvest)
{
    /* What comes of entry i is stored at or before it, so it cannot run into those to come. */
    uint32_t taken = harvest->count;
    uint32_t max = harvest->max;
    harvest->count = 0;
    for (uint32_t i = 0; i < taken; i++) {
        io_op_t *op = harvest->events[i].op;
        harvest->max = i + 1;
        if (op->kind == OP_RECV && op->state == OP_TRYING) {
            sock_try_recv(op, harvest);
        } else if (op->kind == OP_ACCEPT && op->state == OP_TRYING) {
            listener_try_accept(io, op, harvest);
        } else {
            harvest__store(harvest, op);
        }
    }
    harvest->max = max;
}
