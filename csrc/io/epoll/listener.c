/* listener.c: connections meet accepts, and the manager hears where there are none of these. */
#include "listener.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../../base/check.h"
#include "address.h"
#include "clock.h"
#include "errno_map.h"
#include "op.h"
#include "port.h"
#include "sock.h"
#include "sockopt.h"

/* All but the last two under the lock of the socket. */
struct listener {
    list_t accepts;       /* in state OP_WAITING, the oldest first */
    uint32_t outstanding; /* those, and the ones in the ready list in state OP_TRYING */
    io_addr_t local;
    bool wildcard;
    io_sock_options_t accepted; /* which the listening socket has, so accepted ones inherit them */
    bool starved;               /* a connection came while nothing was outstanding */
    bool armed; /* that may be told: an accept has been posted since the last time */
};

static void listener__starve(io_t *io, struct listener *listener)
{
    mutex_lock(&io->manager_lock);
    if (listener->armed) {
        listener->armed = false;
        listener->starved = true;
        cond_signal(&io->manager_turn);
    }
    mutex_unlock(&io->manager_lock);
}

/* The last accept is gone: what is left in the backlog made its edge before. Locked. */
static void listener__check_backlog(io_t *io, struct epoll_sock *sock)
{
    if (sock->listener->outstanding > 0 || !sock->readable) {
        return;
    }
    struct pollfd poll_fd = {.fd = sock->fd, .events = POLLIN};
    sock->readable = poll(&poll_fd, 1, 0) == 1;
    if (sock->readable) {
        listener__starve(io, sock->listener);
    }
}

/* OP brings no connection: its socket is not needed. */
static void listener__put_back(io_t *io, io_op_t *op)
{
    sock_table_put(&io->socks, *op->u.accept.out);
    *op->u.accept.out = IO_SOCK_NONE;
}

/* Gives OP its result, without a connection. */
static void listener__fail(io_t *io, io_op_t *op, uint32_t status, int error)
{
    listener__put_back(io, op);
    op_done(op, 0, status, error);
}

static void listener__succeed(io_op_t *op, int fd, const struct sockaddr_storage *peer)
{
    struct epoll_sock *made = *op->u.accept.out;
    mutex_lock(&made->lock); /* a late event for its last descriptor may be looking */
    made->fd = fd;
    mutex_unlock(&made->lock);
    address_from_native(peer, &op->u.accept.buf->peer);
    op_done(op, 0, NT_SUCCESS_CODE, 0);
}

/* Takes connections while accepts and connections last. Locked. */
static void listener__serve(io_t *io, struct epoll_sock *sock, harvest_t *harvest)
{
    struct listener *listener = sock->listener;
    bool took = false;
    while (sock->readable && !list_is_empty(&listener->accepts)) {
        struct sockaddr_storage peer;
        socklen_t len = sizeof peer;
        int fd =
            accept4(sock->fd, (struct sockaddr *)(void *)&peer, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);
        int error = fd < 0 ? errno : 0;
        if (error == EINTR) {
            continue;
        }
        if (error == EAGAIN) {
            sock->readable = false;
            break;
        }
        io_op_t *op = LIST_ENTRY(list_pop_front(&listener->accepts), io_op_t, node);
        listener->outstanding--;
        if (error == 0) {
            took = true;
            listener__succeed(op, fd, &peer);
        } else {
            listener__fail(io, op, errno_to_status(error), error);
        }
        harvest_add(harvest, op);
        if (error != 0 && errno_is_shortage(error)) {
            /* The connection stays in the backlog. `readable` stays too, so the accept that
             * is posted when things are better finds it, without a new edge. */
            break;
        }
    }
    if (took) {
        listener__check_backlog(io, sock);
    }
}

void listener_event(io_t *io, struct epoll_sock *sock, harvest_t *harvest)
{
    sock->readable = true;
    if (sock->listener->outstanding == 0) {
        listener__starve(io, sock->listener);
    } else {
        listener__serve(io, sock, harvest);
    }
}

void listener_try_accept(io_t *io, io_op_t *op, harvest_t *harvest)
{
    struct epoll_sock *sock = op->sock;
    mutex_lock(&sock->lock);
    if (op->cancelled) {
        sock->listener->outstanding--;
        listener__fail(io, op, NT_CANCELLED, ECANCELED);
        harvest_add(harvest, op);
        listener__check_backlog(io, sock);
    } else {
        op->state = OP_WAITING;
        list_push_back(&sock->listener->accepts, &op->node);
        listener__serve(io, sock, harvest);
    }
    mutex_unlock(&sock->lock);
}

void listener_forget(io_t *io, struct epoll_sock *sock, io_op_t *op)
{
    list_remove(&op->node);
    sock->listener->outstanding--;
    listener__put_back(io, op);
}

void listener_destroy(struct epoll_sock *sock)
{
    CHECK(sock->listener->outstanding == 0);
    free(sock->listener);
    sock->listener = NULL;
}

int io_accept(io_t *io, io_op_t *op, io_sock_t listener, io_sock_t *inout, io_accept_buf_t *buf)
{
    /* The object is made here and not when a connection comes: so it is the submit that fails
     * where memory is short, and the connection stays in the backlog. */
    struct epoll_sock *made = *inout == IO_SOCK_NONE ? sock_table_take(&io->socks) : NULL;
    if (made == NULL) {
        op->error = *inout == IO_SOCK_NONE ? ENOMEM : EINVAL;
        return (int)errno_to_status(op->error);
    }
    mutex_lock(&listener->lock);
    op_begin(op, listener, OP_ACCEPT);
    *inout = made;
    op->u.accept.out = inout;
    op->u.accept.buf = buf;
    listener->listener->outstanding++;
    mutex_lock(&io->manager_lock);
    listener->listener->armed = true;
    mutex_unlock(&io->manager_lock);
    if (listener->readable) {
        op->state = OP_TRYING;
        ready_push(io, op, true);
    } else {
        op->state = OP_WAITING;
        list_push_back(&listener->listener->accepts, &op->node);
    }
    mutex_unlock(&listener->lock);
    return 0;
}

int io_accept_finish(io_t *io, io_sock_t listener, io_sock_t sock, const io_accept_buf_t *buf,
                     const io_sock_options_t *options, io_addr_t *peer, io_addr_t *local)
{
    (void)io;
    const struct listener *from = listener->listener;
    *peer = buf->peer;
    *local = from->local;
    int result = from->wildcard ? address_of(sock->fd, local) : 0;
    if (result != 0) {
        return (int)errno_to_status(-result);
    }
    /* Linux lets an accepted socket inherit these from the listening one (the contract suite
     * holds it to that), so that in the common case there is nothing to set. */
    int error = sockopt_change(sock->fd, &from->accepted, options);
    return error == 0 ? 0 : (int)errno_to_status(error);
}

/* Makes the object for FD, a listening socket with everything set, and watches it. */
static int listener__make(io_t *io, int fd, const io_listen_options_t *options, io_sock_t *out)
{
    struct listener *listener = calloc(1, sizeof *listener);
    if (listener == NULL) {
        return -ENOMEM;
    }
    struct epoll_sock *sock = sock_table_take(&io->socks);
    if (sock == NULL) {
        free(listener);
        return -ENOMEM;
    }
    mutex_lock(&sock->lock);
    sock->fd = fd;
    sock->listener = listener;
    list_init(&listener->accepts);
    listener->accepted = options->accepted;
    listener->armed = true;
    int result = address_of(fd, &listener->local);
    listener->wildcard = address_is_wildcard(&listener->local);
    if (result == 0) {
        result = -port_watch(io, sock);
    }
    if (result != 0) {
        sock->fd = -1;
        sock->listener = NULL;
    }
    mutex_unlock(&sock->lock);
    if (result != 0) {
        free(listener);
        sock_table_put(&io->socks, sock);
        return result;
    }
    *out = sock;
    return 0;
}

int io_listen(io_t *io, const io_addr_t *addr, const io_listen_options_t *options, io_sock_t *out)
{
    int fd = sockopt_bind(addr, options->dual_stack);
    if (fd < 0) {
        return fd;
    }
    int result = -sockopt_apply(fd, &options->accepted);
    /* The kernel lowers a backlog to its maximum. With SO_REUSEADDR it is here, and not at
     * bind, that a port which another socket has just bound is refused. */
    if (result == 0 && listen(fd, options->backlog > 0 ? options->backlog : INT32_MAX) != 0) {
        result = -errno;
    }
    if (result == 0) {
        result = listener__make(io, fd, options, out);
    }
    if (result != 0) {
        (void)close(fd);
    }
    return result;
}

int io_listen_adopt(io_t *io, uintptr_t handle, const io_listen_options_t *options, io_sock_t *out)
{
    int fd = (int)handle;
    int result = -sockopt_check_listening(fd);
    if (result == 0) {
        result = -sockopt_apply(fd, &options->accepted);
    }
    return result == 0 ? listener__make(io, fd, options, out) : result;
}

int io_wait_starved(io_t *io, io_sock_t listener, uint32_t timeout_ms)
{
    uint64_t deadline_ns = clock_deadline_ns(timeout_ms);
    struct listener *watched = listener->listener;
    mutex_lock(&io->manager_lock);
    while (!watched->starved && !io->manager_woken && clock_now_ns() < deadline_ns) {
        cond_wait(&io->manager_turn, &io->manager_lock, deadline_ns);
    }
    int result = watched->starved ? 1 : 0;
    if (result == 1) {
        watched->starved = false;
    } else {
        io->manager_woken = false;
    }
    mutex_unlock(&io->manager_lock);
    return result;
}

void io_wake_manager(io_t *io)
{
    mutex_lock(&io->manager_lock);
    io->manager_woken = true;
    cond_signal(&io->manager_turn);
    mutex_unlock(&io->manager_lock);
}
