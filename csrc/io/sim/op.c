/* op.c: the record of an outstanding operation: begun, held back, looked after, ended. */
#include "model.h"

#include <stddef.h>
#include <string.h>

#include "stream.h"

bool sim_is_outstanding(const io_t *io, const io_op_t *op)
{
    /* What stands in OP is not trusted: it may have been wiped, or copied from another. */
    return op->record != 0 && op->record <= io->ops_top && io->ops[op->record - 1].op == op;
}

uint32_t sim_op_index(const io_t *io, const sim_op_t *record)
{
    return (uint32_t)(record - io->ops);
}

sim_op_t *sim_op_begin(io_t *io, io_op_t *op, sim_kind_t kind, io_sock_t sock)
{
    uint32_t index;
    if (sim_is_outstanding(io, op)) {
        sim_fail(io, "an operation was submitted again before its completion");
    }
    if (io->ops_free_count > 0) {
        index = io->ops_free[--io->ops_free_count];
    } else if (io->ops_top < SIM_OPS_MAX) {
        index = io->ops_top++;
    } else {
        return NULL;
    }
    sim_op_t *record = &io->ops[index];
    memset(record, 0, offsetof(sim_op_t, bufs));
    record->op = op;
    record->kind = kind;
    record->sock = sock;
    record->ticket = ++io->tickets;
    op->record = index + 1;
    op->ticket = record->ticket;
    io->ops_out++;
    return record;
}

void sim_op_free(io_t *io, sim_op_t *record)
{
    record->op->record = 0;
    record->op = NULL;
    io->ops_free[io->ops_free_count++] = sim_op_index(io, record);
    io->ops_out--;
}

void sim_hold(io_t *io, sim_op_t *record, uint64_t max_ns)
{
    record->held = true;
    record->due_ns = io->now_ns + 1 + rng_next(&io->rng) % max_ns;
    sim_timer_add(io, record->due_ns, record->kind == SIM_ACCEPT ? TIMER_LISTENER : TIMER_SOCK,
                  record->sock, 0);
}

bool sim_is_held(io_t *io, const sim_op_t *record)
{
    return record->held && io->now_ns < record->due_ns;
}

bool sim_cancel_wins(io_t *io)
{
    return rng_chance(&io->rng, 40000);
}

static uint64_t op__sum_of_recv(const sim_op_t *record)
{
    return stream_sum(0, record->data, record->data == NULL ? 0 : record->len);
}

void sim_op_check(io_t *io, const sim_op_t *record)
{
    if (record->op->ticket != record->ticket ||
        record->op->record != sim_op_index(io, record) + 1) {
        sim_fail(io, "an outstanding operation was overwritten");
    }
    uint64_t sum = 0;
    if (record->kind == SIM_RECV) {
        sum = op__sum_of_recv(record);
    } else if (record->kind == SIM_SEND) {
        for (uint32_t i = 0; i < record->bufs_count; i++) {
            sum = stream_sum(sum, record->bufs[i].data, record->bufs[i].len);
        }
    }
    if (sum != record->sum) {
        sim_fail(io, "the buffer of an outstanding %s was touched",
                 record->kind == SIM_RECV ? "receive" : "send");
    }
}

void sim_op_end(io_t *io, sim_op_t *record, uint32_t status, uint32_t bytes)
{
    record->ready = true;
    record->status = status;
    record->bytes = bytes;
    if (record->kind == SIM_RECV) {
        record->sum = op__sum_of_recv(record);
    }
    if (record->cancelled) {
        sim_count_fault(io, status == NT_CANCELLED ? SIM_FAULT_cancel_won : SIM_FAULT_cancel_lost);
    }
    io->ready[io->ready_count++] = sim_op_index(io, record);
    sim_trace(io, "complete", (uint64_t)record->kind << 32 | status, bytes);
}
