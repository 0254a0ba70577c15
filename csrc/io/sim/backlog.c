/* backlog.c: clients meet accepts. */
#include "model.h"

#include <string.h>

static void backlog__drop_first(io_t *io)
{
    io->backlog_count--;
    memmove(&io->backlog[0], &io->backlog[1], io->backlog_count * sizeof io->backlog[0]);
}

static void backlog__end(io_t *io, uint32_t place, uint32_t status)
{
    sim_op_t *record = &io->ops[io->accepts[place]];
    io->accepts[place] = io->accepts[--io->accepts_count];
    sim_sock_t *sock = sim_sock_find(io, record->sock);
    if (sock != NULL && status != NT_SUCCESS_CODE) {
        sock->state = SOCK_DEAD;
    }
    if (status != NT_SUCCESS_CODE) {
        io->last_trouble_ns = io->now_ns;
    }
    sim_op_end(io, record, status, 0);
}

/* Whether RECORD has a socket for a client now. */
static bool backlog__has_sock(io_t *io, sim_op_t *record)
{
    if (record->sock == IO_SOCK_NONE) {
        record->sock = sim_sock_make(io, SOCK_ACCEPT_POSTED);
        if (record->sock == IO_SOCK_NONE) {
            return false;
        }
        record->sets_sock = true;
        sim_sock_at(io, record->sock)->life = sim_op_index(io, record);
    }
    return true;
}

static void backlog__take(io_t *io, uint32_t place)
{
    sim_op_t *record = &io->ops[io->accepts[place]];
    uint32_t index = io->backlog[0];
    if (!backlog__has_sock(io, record)) {
        backlog__end(io, place, NT_INSUFFICIENT_RESOURCES);
        return;
    }
    backlog__drop_first(io);
    sim_conn_t *conn = &io->conns[index];
    conn->state = CONN_SERVED;
    conn->sock = record->sock;
    record->accept_buf->peer = conn->number;
    sim_sock_t *sock = sim_sock_at(io, record->sock);
    sock->state = SOCK_ACCEPTED;
    sock->conn = index;
    sim_trace(io, "serve", record->sock, conn->number);
    sim_look_at(io, record->sock);
    backlog__end(io, place, NT_SUCCESS_CODE);
}

/* The first client in the backlog has reset its connection. */
static void backlog__take_reset(io_t *io, uint32_t place)
{
    static const uint32_t statuses[] = {NT_INVALID_CONNECTION, NT_CONNECTION_RESET, 0xC00000C9u};
    uint32_t index = io->backlog[0];
    uint32_t kind = rng_below(&io->rng, 4);
    if (kind == 0) {
        sim_count_fault(io, SIM_FAULT_accept_dead);
        backlog__take(io, place);
        return;
    }
    backlog__drop_first(io);
    sim_conn_part(io, index);
    if (kind == 1) {
        sim_count_fault(io, SIM_FAULT_accept_skipped);
    } else {
        sim_count_fault(io, SIM_FAULT_accept_reset);
        backlog__end(io, place,
                     statuses[rng_below(&io->rng, sizeof statuses / sizeof statuses[0])]);
    }
}

/* One client, one accept. */
static void backlog__match(io_t *io, uint32_t place)
{
    uint32_t index = io->backlog[0];
    uint32_t status;
    if (io->conns[index].death != 0) {
        backlog__take_reset(io, place);
    } else if (sim_fault_completion(io, &status)) {
        if (ntstatus_classify(status).action == NTSTATUS_BACKOFF) {
            sim_count_fault(io, SIM_FAULT_accept_short);
        } else {
            sim_count_fault(io, SIM_FAULT_accept_fails);
            backlog__drop_first(io);
            sim_conn_kill(io, index, NT_CONNECTION_RESET);
            sim_conn_part(io, index);
        }
        backlog__end(io, place, status);
    } else {
        backlog__take(io, place);
    }
}

/* An accept that could take a client now, or SIM_INDEX_NONE. */
static uint32_t backlog__choose(io_t *io)
{
    if (io->accepts_count == 0) {
        return SIM_INDEX_NONE;
    }
    uint32_t first = rng_below(&io->rng, io->accepts_count);
    for (uint32_t i = 0; i < io->accepts_count; i++) {
        uint32_t place = (first + i) % io->accepts_count;
        if (!sim_is_held(io, &io->ops[io->accepts[place]])) {
            return place;
        }
    }
    return SIM_INDEX_NONE;
}

static void backlog__end_cancelled(io_t *io)
{
    for (uint32_t place = 0; place < io->accepts_count;) {
        sim_op_t *record = &io->ops[io->accepts[place]];
        bool may_lose = io->backlog_count > 0;
        if (record->cancelled && !sim_is_held(io, record) && (!may_lose || sim_cancel_wins(io))) {
            backlog__end(io, place, NT_CANCELLED);
        } else {
            place++;
        }
    }
}

void sim_listener_look(io_t *io)
{
    backlog__end_cancelled(io);
    while (io->backlog_count > 0) {
        uint32_t place = backlog__choose(io);
        if (place == SIM_INDEX_NONE) {
            break;
        }
        if (rng_chance(&io->rng, io->config.odds_lazy)) {
            sim_look_at_listener(io);
            return;
        }
        backlog__match(io, place);
    }
    bool cancelled = false;
    for (uint32_t place = 0; place < io->accepts_count; place++) {
        const sim_op_t *record = &io->ops[io->accepts[place]];
        cancelled |= record->cancelled && !sim_is_held(io, record);
    }
    if (cancelled) {
        sim_look_at_listener(io); /* its client is gone, so its cancel wins next time */
    }
    /* FD_ACCEPT: a client waits, no accept is posted, and one was since the last signal. */
    if (io->backlog_count > 0 && io->accepts_count == 0 && io->fd_enabled) {
        io->fd_enabled = false;
        if (rng_chance(&io->rng, io->config.odds_fd_lost)) {
            sim_count_fault(io, SIM_FAULT_fd_accept_lost);
        } else {
            io->fd_signalled = true;
        }
    }
}

void sim_listener_close(io_t *io)
{
    while (io->accepts_count > 0) {
        sim_count_fault(io, SIM_FAULT_severed);
        backlog__end(io, 0, NT_CANCELLED);
    }
    while (io->backlog_count > 0) {
        uint32_t waiting = io->backlog[--io->backlog_count];
        sim_conn_kill(io, waiting, NT_CONNECTION_RESET);
        sim_conn_part(io, waiting);
    }
    io->listener = IO_SOCK_NONE;
}
