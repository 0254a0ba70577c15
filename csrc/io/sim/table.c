/* table.c: the places of sockets and timers, and the list of what the kernel must look at. */
#include "model.h"

#include <string.h>

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
