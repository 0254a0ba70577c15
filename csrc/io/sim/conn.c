/* conn.c: connections, and the clients' side of them. */
#include "model.h"

#include <string.h>

void sim_conn_kill(io_t *io, uint32_t index, uint32_t status)
{
    sim_conn_t *conn = &io->conns[index];
    if (conn->death == 0) {
        conn->death = status;
        sim_trace(io, "kill", conn->number, status);
    }
    if (conn->state == CONN_SERVED) {
        sim_look_at(io, conn->sock);
    }
}

static void conn__free_if_over(io_t *io, uint32_t index)
{
    sim_conn_t *conn = &io->conns[index];
    if (conn->state == CONN_PARTED && conn->client_gone && !conn->kept) {
        conn->state = CONN_FREE;
        io->conns_free[io->conns_free_count++] = index;
    }
}

void sim_conn_keep(io_t *io, uint32_t index, bool kept)
{
    io->conns[index].kept = kept;
    conn__free_if_over(io, index);
}

void sim_conn_part(io_t *io, uint32_t index)
{
    io->conns[index].state = CONN_PARTED;
    io->conns[index].sock = IO_SOCK_NONE;
    conn__free_if_over(io, index);
}

void sim_conn_fin(io_t *io, uint32_t index)
{
    io->conns[index].server_fin = true;
}

void sim_conn_die(io_t *io, uint32_t index, uint64_t number)
{
    const sim_conn_t *conn = &io->conns[index];
    if (conn->state != CONN_FREE && conn->number == number && conn->vanished && conn->death == 0) {
        static const uint32_t deaths[] = {0xC00000B5u, 0xC000013Fu, 0xC0000241u};
        sim_count_fault(io, SIM_FAULT_client_died);
        sim_conn_kill(io, index, deaths[rng_below(&io->rng, 3)]);
    }
}

uint32_t sim_connect(io_t *io, uint32_t window)
{
    uint32_t index;
    if (io->listener == IO_SOCK_NONE) {
        return SIM_CONN_NONE;
    }
    if (io->conns_free_count > 0) {
        index = io->conns_free[--io->conns_free_count];
    } else if (io->conns_top < SIM_CONNS_MAX) {
        index = io->conns_top++;
    } else {
        return SIM_CONN_NONE;
    }
    sim_conn_t *conn = &io->conns[index];
    memset(conn, 0, sizeof *conn);
    conn->state = CONN_WAITING;
    conn->number = ++io->conn_numbers;
    conn->since_ns = io->now_ns;
    conn->sock = IO_SOCK_NONE;
    conn->window = window;
    io->backlog[io->backlog_count++] = index;
    sim_trace(io, "connect", conn->number, window);
    sim_look_at_listener(io);
    return index;
}

/* Something has come from the client; the server's operations may go on. */
static void conn__stir(io_t *io, const sim_conn_t *conn)
{
    if (conn->state == CONN_SERVED) {
        sim_look_at(io, conn->sock);
    }
}

uint64_t sim_client_number(const io_t *io, uint32_t conn)
{
    return io->conns[conn].number;
}

void sim_client_write(io_t *io, uint32_t index, uint32_t bytes)
{
    sim_conn_t *conn = &io->conns[index];
    if (conn->death == 0 && !conn->client_fin) {
        conn->written += bytes;
        sim_trace(io, "write", conn->number, bytes);
        conn__stir(io, conn);
    }
}

uint64_t sim_client_written(const io_t *io, uint32_t conn)
{
    return io->conns[conn].written;
}

uint32_t sim_client_read(io_t *io, uint32_t index, uint32_t max)
{
    sim_conn_t *conn = &io->conns[index];
    uint64_t there = conn->taken - conn->read;
    uint32_t bytes = there < max ? (uint32_t)there : max;
    if (bytes > 0) {
        conn->read += bytes;
        conn->read_ns = io->now_ns;
        sim_trace(io, "read", conn->number, bytes);
        conn__stir(io, conn);
    }
    return bytes;
}

uint64_t sim_client_has_read(const io_t *io, uint32_t conn)
{
    return io->conns[conn].read;
}

bool sim_client_is_served(const io_t *io, uint32_t conn)
{
    return io->conns[conn].state != CONN_WAITING;
}

bool sim_client_sees_end(const io_t *io, uint32_t index)
{
    const sim_conn_t *conn = &io->conns[index];
    return conn->server_fin && conn->read == conn->taken;
}

bool sim_client_is_reset(const io_t *io, uint32_t conn)
{
    return io->conns[conn].death != 0;
}

void sim_client_shutdown(io_t *io, uint32_t index)
{
    sim_conn_t *conn = &io->conns[index];
    if (!conn->client_fin) {
        conn->client_fin = true;
        sim_trace(io, "client fin", conn->number, 0);
        conn__stir(io, conn);
    }
}

void sim_client_reset(io_t *io, uint32_t index)
{
    sim_count_fault(io, SIM_FAULT_client_reset);
    io->conns[index].client_left = true;
    sim_conn_kill(io, index, rng_chance(&io->rng, 16384) ? 0xC000013Cu : NT_CONNECTION_RESET);
}

void sim_client_vanish(io_t *io, uint32_t index, uint64_t dies_ns)
{
    sim_conn_t *conn = &io->conns[index];
    conn->vanished = true;
    sim_trace(io, "vanish", conn->number, dies_ns);
    if (dies_ns != UINT64_MAX) {
        sim_timer_add(io, dies_ns, TIMER_CONN, conn->number, index);
    }
}

void sim_client_leave(io_t *io, uint32_t index)
{
    sim_conn_t *conn = &io->conns[index];
    if (!conn->vanished && !conn->client_left) {
        conn->client_left = true;
        if (conn->read < conn->taken) {
            sim_conn_kill(io, index, NT_CONNECTION_RESET);
        }
        sim_client_shutdown(io, index);
    }
    conn->client_gone = true;
    sim_trace(io, "leave", conn->number, 0);
    conn__free_if_over(io, index);
}
