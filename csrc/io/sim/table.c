/* table.c: the places of sockets, operations and timers. */
#include "model.h"

#include <string.h>

#include "stream.h"

#define HANDLE_BITS 10u /* SIM_SOCKS_MAX is 1 << 10 */
#define HANDLE_MASK (SIM_SOCKS_MAX - 1)

static io_sock_t table__handle(uint32_t index, uint32_t generation)
{
    return generation << HANDLE_BITS | index;
}

io_sock_t sim_sock_make(io_t *io, sock_state_t state)
{
    uint32_t index;
    if (io->socks_free_count > 0) {
        index = io->socks_free[--io->socks_free_count];
    } else if (io->socks_top < SIM_SOCKS_MAX) {
        index = io->socks_top++;
    } else {
        return IO_SOCK_NONE;
    }
    sim_sock_t *sock = &io->socks[index];
    uint32_t generation = sock->generation + 1;
    memset(sock, 0, sizeof *sock);
    sock->state = state;
    sock->generation = generation;
    sock->conn = SIM_INDEX_NONE;
    sock->recv = SIM_INDEX_NONE;
    sock->send = SIM_INDEX_NONE;
    sock->life = SIM_INDEX_NONE;
    io->socks_open++;
    io->socks_made += state != SOCK_LISTENING;
    return table__handle(index, generation);
}

sim_sock_t *sim_sock_find(io_t *io, io_sock_t handle)
{
    sim_sock_t *sock = &io->socks[handle & HANDLE_MASK];
    bool open = handle != IO_SOCK_NONE && sock->state != SOCK_FREE &&
                table__handle(handle & HANDLE_MASK, sock->generation) == handle;
    return open ? sock : NULL;
}

sim_sock_t *sim_sock_at(io_t *io, io_sock_t handle)
{
    sim_sock_t *sock = sim_sock_find(io, handle);
    if (sock == NULL) {
        sim_fail(io, "a call on socket %x, which is not open", handle);
    }
    return sock;
}

void sim_sock_free(io_t *io, io_sock_t handle)
{
    sim_sock_at(io, handle)->state = SOCK_FREE;
    io->socks_free[io->socks_free_count++] = handle & HANDLE_MASK;
    io->socks_open--;
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

static uint64_t table__sum_of_recv(const sim_op_t *record)
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
        sum = table__sum_of_recv(record);
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
        record->sum = table__sum_of_recv(record);
    }
    if (record->cancelled) {
        sim_count_fault(io, status == NT_CANCELLED ? SIM_FAULT_cancel_won : SIM_FAULT_cancel_lost);
    }
    io->ready[io->ready_count++] = sim_op_index(io, record);
    sim_trace(io, "complete", (uint64_t)record->kind << 32 | status, bytes);
}

void sim_timer_add(io_t *io, uint64_t due_ns, sim_timer_kind_t kind, uint64_t what, uint32_t conn)
{
    if (io->timers_count == SIM_TIMERS_MAX) {
        sim_fail(io, "the model has too many timers");
    }
    sim_timer_t timer = {due_ns, kind, what, conn};
    io->timers[io->timers_count++] = timer;
    if (due_ns < io->timers_next_ns) {
        io->timers_next_ns = due_ns;
    }
}

void sim_look_at(io_t *io, io_sock_t handle)
{
    sim_sock_t *sock = sim_sock_find(io, handle);
    if (sock != NULL && !sock->queued) {
        sock->queued = true;
        io->work[io->work_count++] = handle;
    }
}

void sim_look_at_listener(io_t *io)
{
    io->listener_queued = true;
}
