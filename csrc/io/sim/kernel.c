/* kernel.c: what becomes of operations, a step at a time. */
#include "model.h"

/* The bytes reach the connection: each of them must be its next one. */
static void kernel__take(io_t *io, sim_conn_t *conn, const io_buf_t *bufs, uint32_t bytes)
{
    for (uint32_t i = 0; bytes > 0; i++) {
        uint32_t part = bufs[i].len < bytes ? bufs[i].len : bytes;
        size_t good = io->hooks.match(io->hooks.context, (uint32_t)(conn - io->conns), conn->taken,
                                      bufs[i].data, part);
        if (good != part) {
            sim_fail(io, "client %u was sent a byte that is not its own, at position %u",
                     (unsigned)conn->number, (unsigned)(conn->taken + good));
        }
        conn->taken += part;
        bytes -= part;
    }
}

static uint32_t kernel__room(const sim_conn_t *conn)
{
    return conn->window - (uint32_t)(conn->taken - conn->read);
}

uint32_t sim_send_now(io_t *io, const sim_sock_t *sock, const io_buf_t *bufs, uint32_t len)
{
    sim_conn_t *conn = sock->conn == SIM_INDEX_NONE ? NULL : &io->conns[sock->conn];
    if (conn == NULL || conn->death != 0 || conn->client_left) {
        return 0;
    }
    uint32_t room = kernel__room(conn);
    uint32_t bytes = len < room ? len : room;
    if (bytes > 1 && rng_chance(&io->rng, io->config.odds_short)) {
        bytes = 1 + rng_below(&io->rng, bytes - 1);
    }
    kernel__take(io, conn, bufs, bytes);
    conn->reported += bytes;
    conn->heard_ns = bytes > 0 ? io->now_ns : conn->heard_ns;
    conn->went_ns = bytes > 0 ? io->now_ns : conn->went_ns;
    io->bytes_sent += bytes;
    return bytes;
}

/* What failed may have reached the client in part; nobody is told how much. */
static void kernel__lose_tail(io_t *io, sim_conn_t *conn, const sim_op_t *record, uint32_t room)
{
    uint32_t bytes = rng_below(&io->rng, (record->len < room ? record->len : room) + 1);
    if (bytes > 0) {
        sim_count_fault(io, SIM_FAULT_send_lost_tail);
        kernel__take(io, conn, record->bufs, bytes);
    }
}

static void kernel__look_recv(io_t *io, const sim_sock_t *sock)
{
    sim_op_t *record = &io->ops[sock->recv];
    if (record->ready || sim_is_held(io, record)) {
        return;
    }
    sim_conn_t *conn = sock->conn == SIM_INDEX_NONE ? NULL : &io->conns[sock->conn];
    uint64_t there = conn == NULL ? 0 : conn->written - conn->received;
    bool can = conn != NULL && (conn->death != 0 || there > 0 || conn->client_fin);
    uint32_t status = NT_SUCCESS_CODE;
    uint32_t bytes = 0;
    if (record->cancelled && (!can || sim_cancel_wins(io))) {
        status = NT_CANCELLED;
    } else if (!can) {
        return;
    } else if (conn->death != 0) {
        status = conn->death;
    } else if (sim_fault_completion(io, &status)) {
        sim_count_fault(io, SIM_FAULT_recv_fails);
    } else if (there > 0 && record->len > 0) {
        sim_op_check(io, record);
        bytes = there < record->len ? (uint32_t)there : record->len;
        if (bytes > 1 && rng_chance(&io->rng, io->config.odds_short)) {
            sim_count_fault(io, SIM_FAULT_recv_short);
            bytes = 1 + rng_below(&io->rng, bytes - 1);
        }
        record->number = conn->number;
        record->received = conn->received;
        if (record->data != NULL) {
            io->hooks.fill(io->hooks.context, conn->number, conn->received, record->data, bytes);
        }
        conn->received += bytes;
    }
    sim_op_end(io, record, status, bytes);
}

/* A client that has closed its socket answers with RST; the send may be through by then. */
static void kernel__send_to_nobody(io_t *io, uint32_t index, sim_op_t *record)
{
    sim_conn_t *conn = &io->conns[index];
    bool through = rng_chance(&io->rng, 32768);
    if (through) {
        kernel__take(io, conn, record->bufs, record->len);
        conn->read = conn->taken;
    }
    sim_conn_kill(io, index, NT_CONNECTION_RESET);
    sim_op_end(io, record, through ? NT_SUCCESS_CODE : NT_CONNECTION_RESET,
               through ? record->len : 0);
}

static void kernel__look_send(io_t *io, const sim_sock_t *sock)
{
    sim_op_t *record = &io->ops[sock->send];
    if (record->ready || sim_is_held(io, record)) {
        return;
    }
    sim_op_check(io, record);
    sim_conn_t *conn = sock->conn == SIM_INDEX_NONE ? NULL : &io->conns[sock->conn];
    uint32_t room = conn == NULL ? 0 : kernel__room(conn);
    uint32_t status = NT_SUCCESS_CODE;
    if (conn == NULL || conn->death != 0) {
        if (conn != NULL || record->cancelled) {
            sim_op_end(io, record, conn != NULL ? conn->death : NT_CANCELLED, 0);
        }
        return;
    }
    if (record->cancelled && (room == 0 || sim_cancel_wins(io))) {
        kernel__lose_tail(io, conn, record, room);
        sim_op_end(io, record, NT_CANCELLED, 0);
    } else if (conn->client_left) {
        kernel__send_to_nobody(io, sock->conn, record);
    } else if (sim_fault_completion(io, &status)) {
        sim_count_fault(io, SIM_FAULT_send_fails);
        kernel__lose_tail(io, conn, record, room);
        sim_op_end(io, record, status, 0);
    } else if (rng_chance(&io->rng, io->config.odds_short / 8)) {
        sim_count_fault(io, SIM_FAULT_send_empty);
        sim_op_end(io, record, NT_SUCCESS_CODE, 0);
    } else if (room > 0) {
        uint32_t bytes = record->len < room ? record->len : room;
        if (bytes > 1 && rng_chance(&io->rng, io->config.odds_short)) {
            bytes = 1 + rng_below(&io->rng, bytes - 1);
        }
        if (bytes < record->len) {
            sim_count_fault(io, SIM_FAULT_send_partial);
        }
        kernel__take(io, conn, record->bufs, bytes);
        sim_op_end(io, record, NT_SUCCESS_CODE, bytes);
    }
}

void sim_kernel_sever(io_t *io, const sim_sock_t *sock)
{
    const uint32_t owned[] = {sock->recv, sock->send, sock->life};
    for (size_t i = 0; i < sizeof owned / sizeof owned[0]; i++) {
        sim_op_t *record = owned[i] == SIM_INDEX_NONE ? NULL : &io->ops[owned[i]];
        if (record == NULL) {
            continue;
        }
        record->frees_sock = false; /* there is none any more */
        if (record->ready) {
            continue;
        }
        sim_count_fault(io, SIM_FAULT_severed);
        if (record->kind == SIM_SEND) {
            sim_op_check(io, record);
            kernel__lose_tail(io, &io->conns[sock->conn], record,
                              kernel__room(&io->conns[sock->conn]));
        }
        sim_op_end(io, record, NT_LOCAL_DISCONNECT, 0);
    }
}

/* The socket is free for its next client. */
static void kernel__disconnected(io_t *io, io_sock_t handle, sim_op_t *record)
{
    sim_sock_t *sock = sim_sock_at(io, handle);
    sim_conn_part(io, sock->conn);
    sock->conn = SIM_INDEX_NONE;
    sock->fin_sent = false;
    sock->time_wait = false;
    sock->state = SOCK_REUSABLE;
    record->frees_sock = !io->config.reuse;
}

static void kernel__look_disconnect(io_t *io, io_sock_t handle)
{
    sim_sock_t *sock = sim_sock_at(io, handle);
    sim_op_t *record = &io->ops[sock->life];
    if (record->ready || sim_is_held(io, record)) {
        return;
    }
    uint32_t status = NT_SUCCESS_CODE;
    bool done = io->now_ns >= record->due_ns;
    if (record->cancelled && (!done || sim_cancel_wins(io))) {
        status = NT_CANCELLED;
    } else if (!done) {
        return;
    } else if (io->conns[sock->conn].death != 0 && rng_chance(&io->rng, 32768)) {
        /* The client reset while we said good-bye. */
        status = NT_INVALID_CONNECTION;
    } else if (sim_fault_completion(io, &status)) {
        sim_count_fault(io, SIM_FAULT_disconnect_fails);
    }
    if (status != NT_SUCCESS_CODE) {
        sock->state = SOCK_DEAD;
    } else {
        kernel__disconnected(io, handle, record);
    }
    sim_op_end(io, record, status, 0);
}

void sim_kernel_look(io_t *io, io_sock_t handle)
{
    const sim_sock_t *sock = sim_sock_find(io, handle);
    if (sock == NULL) {
        return;
    }
    if (sock->recv != SIM_INDEX_NONE) {
        kernel__look_recv(io, sock);
    }
    if (sock->send != SIM_INDEX_NONE) {
        kernel__look_send(io, sock);
    }
    if (sock->state == SOCK_DISCONNECTING) {
        kernel__look_disconnect(io, handle);
    }
}

static void kernel__fire_timers(io_t *io)
{
    uint64_t next_ns = UINT64_MAX;
    for (uint32_t i = 0; i < io->timers_count;) {
        sim_timer_t timer = io->timers[i];
        if (timer.due_ns > io->now_ns) {
            next_ns = timer.due_ns < next_ns ? timer.due_ns : next_ns;
            i++;
            continue;
        }
        io->timers[i] = io->timers[--io->timers_count];
        switch (timer.kind) {
        case TIMER_SOCK:
            sim_look_at(io, (io_sock_t)timer.what);
            break;
        case TIMER_CONN:
            sim_conn_die(io, timer.conn, timer.what);
            break;
        case TIMER_LISTENER:
            sim_look_at_listener(io);
            break;
        }
    }
    io->timers_next_ns = next_ns;
}

bool sim_kernel_is_busy(const io_t *io)
{
    return io->work_count > 0 || io->listener_queued || io->timers_next_ns <= io->now_ns;
}

void sim_kernel_step(io_t *io)
{
    if (io->timers_next_ns <= io->now_ns) {
        kernel__fire_timers(io);
        return;
    }
    uint32_t choices = io->work_count + io->listener_queued;
    if (choices == 0) {
        return;
    }
    uint32_t choice = rng_below(&io->rng, choices);
    if (choice == io->work_count) {
        io->listener_queued = false;
        sim_listener_look(io);
        return;
    }
    io_sock_t handle = io->work[choice];
    io->work[choice] = io->work[--io->work_count];
    sim_sock_t *sock = sim_sock_find(io, handle);
    if (sock != NULL) {
        sock->queued = false;
        sim_kernel_look(io, handle);
    }
}
