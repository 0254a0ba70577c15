/* sim.c: what the test asks of the model as a whole: its settings and figures. */
#include "sim.h"

#include "model.h"

void sim_configure(io_t *io, const sim_config_t *config, const sim_hooks_t *hooks)
{
    io->config = *config;
    io->hooks = *hooks;
    io->rng.state = config->seed;
    io->cancels.state = rng_mix(config->seed ^ 0xCA9Cu);
}

void sim_advance(io_t *io, uint64_t to_ns)
{
    if (to_ns > io->now_ns) {
        io->now_ns = to_ns;
    }
}

uint64_t sim_next_timer_ns(const io_t *io)
{
    return io->timers_next_ns;
}

uint64_t sim_number_of(const io_addr_t *peer)
{
    return (uint64_t)peer->flow << 16 | peer->port;
}

uint32_t sim_host_of(const io_addr_t *peer)
{
    return peer->version == 4 ? peer->ip[3] : peer->ip[15];
}

bool sim_is_ending(const io_t *io, const io_op_t *op)
{
    if (op->record == 0) {
        return true; /* it has ended, and a worker has its completion in hand */
    }
    const sim_op_t *record = &io->ops[op->record - 1];
    return record->cancelled || record->ignores || record->ready;
}

bool sim_is_ready(const io_t *io, const io_op_t *op)
{
    return io->ops[op->record - 1].ready;
}

bool sim_is_open(const io_t *io, io_sock_t sock)
{
    return sim_sock_find((io_t *)(uintptr_t)io, sock) != NULL;
}

uint32_t sim_open_socks(const io_t *io)
{
    return io->socks_open;
}

uint32_t sim_outstanding(const io_t *io)
{
    return io->ops_out;
}

uint32_t sim_accepts(const io_t *io)
{
    return io->accepts_count;
}

uint64_t sim_last_accept_ns(const io_t *io)
{
    return io->last_accept_ns;
}

uint64_t sim_last_trouble_ns(const io_t *io)
{
    return io->last_trouble_ns;
}

uint64_t sim_oldest_waiting_ns(const io_t *io)
{
    return io->backlog_count == 0 ? UINT64_MAX : io->conns[io->backlog[0]].since_ns;
}

uint64_t sim_socks_made(const io_t *io)
{
    return io->socks_made;
}

uint64_t sim_submits(const io_t *io)
{
    return io->submits;
}

void sim_bytes(const io_t *io, uint64_t *received, uint64_t *sent)
{
    *received = io->bytes_received;
    *sent = io->bytes_sent;
}

uint32_t sim_conn_of(io_t *io, io_sock_t sock)
{
    return sim_sock_at(io, sock)->conn;
}

uint64_t sim_conn_taken(const io_t *io, uint32_t conn)
{
    return io->conns[conn].taken;
}

uint64_t sim_conn_heard(const io_t *io, uint32_t conn)
{
    return io->conns[conn].heard;
}

uint64_t sim_conn_since_ns(const io_t *io, uint32_t conn)
{
    return io->conns[conn].since_ns;
}

uint64_t sim_conn_heard_ns(const io_t *io, uint32_t conn)
{
    return io->conns[conn].heard_ns;
}

uint64_t sim_conn_went_ns(const io_t *io, uint32_t conn)
{
    return io->conns[conn].went_ns;
}

uint64_t sim_conn_read_ns(const io_t *io, uint32_t conn)
{
    return io->conns[conn].read_ns;
}

bool sim_conn_is_unread(const io_t *io, uint32_t conn)
{
    return io->conns[conn].written > io->conns[conn].received;
}

uint64_t sim_conn_reported(const io_t *io, uint32_t conn)
{
    return io->conns[conn].reported;
}

bool sim_conn_has_fin(const io_t *io, uint32_t conn)
{
    return io->conns[conn].client_fin || io->conns[conn].death != 0;
}

bool sim_set_foreign(io_t *io, bool foreign)
{
    bool before = io->foreign;
    io->foreign = foreign;
    return before;
}
