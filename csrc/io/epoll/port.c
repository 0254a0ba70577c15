/* port.c: the port begins and ends; its workers are woken, and its sockets watched. */
#include "port.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "../../base/check.h"
#include "clock.h"
#include "sock.h"

static int port__open_descriptors(io_t *io)
{
    io->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (io->epoll_fd < 0) {
        return -errno;
    }
    io->kick_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (io->kick_fd < 0) {
        int error = errno;
        (void)close(io->epoll_fd);
        return -error;
    }
    /* Edge-triggered: each write is one event for one worker, and nobody need read it. */
    struct epoll_event event = {.events = EPOLLIN | EPOLLET, .data.u64 = PORT_KICK};
    if (epoll_ctl(io->epoll_fd, EPOLL_CTL_ADD, io->kick_fd, &event) != 0) {
        int error = errno;
        (void)close(io->kick_fd);
        (void)close(io->epoll_fd);
        return -error;
    }
    return 0;
}

int io_open(io_t **out, const io_options_t *options)
{
    io_t *io = calloc(1, sizeof *io);
    if (io == NULL) {
        return -ENOMEM;
    }
    int result = gate_init(&io->gate, options->concurrency);
    if (result != 0) {
        free(io);
        return result;
    }
    result = port__open_descriptors(io);
    if (result != 0) {
        gate_destroy(&io->gate);
        free(io);
        return result;
    }
    mutex_init(&io->lock);
    mutex_init(&io->manager_lock);
    cond_init(&io->manager_turn);
    list_init(&io->ready);
    sock_table_init(&io->socks);
    *out = io;
    return 0;
}

void io_close(io_t *io)
{
    CHECK(list_is_empty(&io->ready));
    CHECK(io->sleepers == 0 && io->gate.followers == 0);
    (void)close(io->kick_fd);
    (void)close(io->epoll_fd);
    sock_table_destroy(&io->socks);
    mutex_destroy(&io->manager_lock);
    mutex_destroy(&io->lock);
    gate_destroy(&io->gate);
    free(io);
}

void io_disown(io_t *io)
{
    /* Another thread may have been in any of these when the process was forked: the locks and
     * the conditions are made anew, as nobody is there to leave them. */
    sock_table_disown(&io->socks);
    mutex_init(&io->lock);
    mutex_init(&io->manager_lock);
    cond_init(&io->manager_turn);
    cond_init(&io->gate.turn);
    list_init(&io->ready);
    io->sleepers = 0;
    io->gate.followers = 0;
    /* A copy less: the instance itself, and what is registered in it, are the parent's. */
    (void)close(io->kick_fd);
    (void)close(io->epoll_fd);
    io->kick_fd = -1;
    io->epoll_fd = -1;
}

bool port_needs_kick(io_t *io)
{
    if (io->sleepers == 0 || io->kicked) {
        return false;
    }
    io->kicked = true;
    return true;
}

void port_kick(io_t *io)
{
    uint64_t one = 1;
    /* Its counter would have to reach 2^64 for this to fail. */
    ssize_t written = write(io->kick_fd, &one, sizeof one);
    CHECK(written == (ssize_t)sizeof one);
}

int port_watch(io_t *io, struct epoll_sock *sock)
{
    if (sock->watched) {
        return 0;
    }
    /* Once, for everything: what is ready already comes as the first edge. EPOLLPRI is there
     * because a read stops at the urgent mark, and data behind it makes no new edge. */
    struct epoll_event event = {
        .events = EPOLLIN | EPOLLOUT | EPOLLPRI | EPOLLRDHUP | EPOLLET,
        .data.u64 = (uint64_t)sock->generation << 32 | sock->index,
    };
    if (epoll_ctl(io->epoll_fd, EPOLL_CTL_ADD, sock->fd, &event) != 0) {
        return errno;
    }
    sock->watched = true;
    return 0;
}

void io_wake(io_t *io, uint32_t workers)
{
    mutex_lock(&io->lock);
    gate_wake(&io->gate, workers);
    bool kick = port_needs_kick(io);
    mutex_unlock(&io->lock);
    if (kick) {
        port_kick(io);
    }
}

uint64_t io_now_ns(io_t *io)
{
    (void)io;
    return clock_now_ns();
}

bool io_probe_recycling(uint32_t timeout_ms)
{
    (void)timeout_ms;
    return false; /* a Linux socket cannot be connected a second time */
}
