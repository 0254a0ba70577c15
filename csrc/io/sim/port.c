/* port.c: the port, the clock, and the two waits. */
#include "model.h"

#include <stdlib.h>
#include <string.h>

#include "stream.h"

int io_open(io_t **out, const io_options_t *options)
{
    (void)options; /* the test decides which worker runs */
    io_t *io = calloc(1, sizeof *io);
    if (io == NULL) {
        return -SIM_WSAENOBUFS;
    }
    io->listener = IO_SOCK_NONE;
    io->now_ns = NS_PER_S;
    io->config.reuse = true;
    io->timers_next_ns = UINT64_MAX;
    io->fd_enabled = true;
    *out = io;
    return 0;
}

void io_close(io_t *io)
{
    if (io->socks_open != 0 || io->ops_out != 0) {
        sim_fail(io, "the port is closed with %u sockets and %u operations", io->socks_open,
                 io->ops_out);
    }
    free(io);
}

static void port__dequeue(io_t *io, uint32_t place, io_event_t *event)
{
    sim_op_t *record = &io->ops[io->ready[place]];
    if (place != 0) {
        sim_count_fault(io, SIM_FAULT_reordered);
    }
    io->ready_count--;
    memmove(&io->ready[place], &io->ready[place + 1],
            (io->ready_count - place) * sizeof io->ready[0]);
    sim_op_check(io, record);
    bool borrows = record->kind == SIM_RECV && record->bytes > 0;
    record->op->loan.lender = borrows ? record->lender : NULL;
    record->op->loan.number = record->number;
    record->op->loan.received = record->received;
    event->op = record->op;
    event->status = record->status;
    event->bytes = record->bytes;
    event->error = (int32_t)record->status < 0 ? (int)ntstatus_classify(record->status).wsa : 0;
    if (record->sets_sock) {
        *record->inout = record->sock;
    }
    sim_sock_t *sock = sim_sock_find(io, record->sock);
    if (sock != NULL) {
        uint32_t index = sim_op_index(io, record);
        uint32_t *const owners[] = {&sock->recv, &sock->send, &sock->life};
        for (size_t i = 0; i < sizeof owners / sizeof owners[0]; i++) {
            if (*owners[i] == index) {
                *owners[i] = SIM_INDEX_NONE;
            }
        }
    }
    if (record->frees_sock) {
        sim_sock_free(io, record->sock);
        *record->inout = IO_SOCK_NONE;
    }
    bool moved = event->bytes > 0 && (record->kind == SIM_RECV || record->kind == SIM_SEND);
    if (moved && sock != NULL && sock->conn != SIM_INDEX_NONE) {
        io->conns[sock->conn].heard_ns = io->now_ns;
        io->conns[sock->conn].heard += record->kind == SIM_RECV ? event->bytes : 0;
    }
    if (record->kind == SIM_RECV) {
        io->bytes_received += event->bytes;
    } else if (record->kind == SIM_SEND && (int32_t)event->status >= 0) {
        io->bytes_sent += event->bytes;
        if (sock != NULL && sock->conn != SIM_INDEX_NONE) {
            uint64_t went_ns = io->conns[sock->conn].went_ns;
            io->conns[sock->conn].reported += event->bytes;
            io->conns[sock->conn].went_ns = event->bytes > 0 ? io->now_ns : went_ns;
        }
    }
    sim_trace(io, "dequeue", (uint64_t)record->kind << 32 | record->status, record->bytes);
    sim_op_free(io, record);
}

#if IO_RECV_BORROWS
/* The model's lenders always lend what they said that they would. */
static void port__fill(io_t *io, const io_op_t *op, const io_buf_t *bufs, uint32_t bytes)
{
    uint64_t position = op->loan.received;
    for (uint32_t i = 0; bytes > 0; i++) {
        uint32_t len = bufs[i].len < bytes ? bufs[i].len : bytes;
        io->hooks.fill(io->hooks.context, op->loan.number, position,
                       (char *)(uintptr_t)bufs[i].data, len);
        position += len;
        bytes -= len;
    }
}

/* What a receive brings gets its buffer when a worker has taken it. Other threads may run while the
 * lender takes its lock, so nothing of the model is touched here. */
static void port__borrow(io_t *io, io_event_t *event, void *borrower)
{
    io_op_t *op = event->op;
    io_lender_t *lender = op->loan.lender;
    if (lender == NULL) {
        return;
    }
    io_buf_t bufs[IO_LOAN_BUFS_MAX];
    uint32_t count = lender->lend(lender, borrower, bufs, &op->loan.name);
    op->loan.is_passed_on = count == 0 && lender->next != NULL;
    if (op->loan.is_passed_on) {
        lender = lender->next;
        count = lender->lend(lender, borrower, bufs, &op->loan.name);
    }
    if (count == 0) {
        event->status = NT_INSUFFICIENT_RESOURCES;
        event->bytes = 0;
        return;
    }
    port__fill(io, op, bufs, event->bytes);
    if (count > 1) {
        lender->take_back(lender, borrower, op->loan.name, event->bytes);
    }
}
#endif

void io_yield(io_t *io)
{
    (void)io; /* every worker may run */
}

uint32_t io_wait(io_t *io, io_event_t *events, uint32_t max, uint32_t timeout_ms, void *borrower)
{
    if (!sim_has_work(io) && timeout_ms == IO_INFINITE) {
        sim_fail(io, "a worker waits for ever, which the test has to see coming");
    }
    uint32_t count = 0;
    uint32_t limit = io->ready_count < max ? io->ready_count : max;
    if (limit > 0) {
        count = 1 + rng_below(&io->rng, limit < 4 || rng_chance(&io->rng, 4096) ? limit : 4);
        for (uint32_t i = 0; i < count; i++) {
            port__dequeue(io, rng_below(&io->rng, io->ready_count), &events[i]);
        }
    }
    if (io->wakes > 0 && (count == 0 || rng_chance(&io->rng, 32768))) {
        io->wakes--;
    }
#if IO_RECV_BORROWS
    for (uint32_t i = 0; i < count; i++) {
        port__borrow(io, &events[i], borrower);
    }
#else
    (void)borrower;
#endif
    return count;
}

void io_wake(io_t *io, uint32_t workers)
{
    io->wakes += workers;
}

void sim_take_wake(io_t *io)
{
    io->wakes -= io->wakes > 0;
}

bool sim_has_work(const io_t *io)
{
    return io->ready_count > 0 || io->wakes > 0;
}

uint32_t sim_wakes(const io_t *io)
{
    return io->wakes;
}

int io_wait_starved(io_t *io, io_sock_t listener, uint32_t timeout_ms)
{
    if (io->hooks.manager_sleeps != NULL) {
        io->manager_due_ns =
            timeout_ms == IO_INFINITE ? UINT64_MAX : io->now_ns + (uint64_t)timeout_ms * NS_PER_MS;
        io->hooks.manager_sleeps(io->hooks.context);
    }
    if (io->manager_woken) {
        io->manager_woken = false;
        return 0;
    }
    if (io->fd_signalled && listener != IO_SOCK_NONE) {
        io->fd_signalled = false;
        return 1;
    }
    return 0;
}

void io_wake_manager(io_t *io)
{
    io->manager_woken = true;
}

uint64_t sim_manager_due_ns(const io_t *io)
{
    bool now = io->manager_woken || (io->fd_signalled && io->listener != IO_SOCK_NONE);
    return now ? 0 : io->manager_due_ns;
}

bool sim_manager_is_due(const io_t *io)
{
    return sim_manager_due_ns(io) <= io->now_ns;
}

uint64_t io_now_ns(io_t *io)
{
    return io->now_ns;
}

/* A model of the system has nothing to prove; the test decides what it was found to be. */
void io_disown(io_t *io)
{
    (void)io; /* there is no other process in this world */
}

bool io_probe_recycling(uint32_t timeout_ms)
{
    (void)timeout_ms;
    return true;
}
