/* sock.c: the calls of the seam on a connected socket, and the end of any. */
#include "sock.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/epoll.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../../base/check.h"
#include "address.h"
#include "errno_map.h"
#include "listener.h"
#include "op.h"
#include "port.h"

/* A call failed with ERROR. The kernel tells of a reset once, to whichever call comes first,
 * and the other direction would then see an orderly end: so what ends the connection as a
 * whole is kept for both. */
static void sock__note_error(struct epoll_sock *sock, int error)
{
    if (errno_ends_connection(error)) {
        sock->ended = true;
        sock->error = error;
    }
}

/* Nothing was there to read: the next edge will tell. */
static void sock__drained(struct epoll_sock *sock, io_op_t *op)
{
    sock->readable = false;
    sock->ended = false;
    op->state = OP_WAITING;
}

/* For a receive of length 0. Locked. */
static bool sock__recv_probe(struct epoll_sock *sock, io_op_t *op)
{
    /* Not MSG_PEEK: it would take a pending error away from the receive that follows. */
    struct pollfd poll_fd = {.fd = sock->fd, .events = POLLIN | POLLRDHUP};
    if (poll(&poll_fd, 1, 0) == 0) {
        sock__drained(sock, op);
        return false;
    }
    sock->recv = NULL;
    op_done(op, 0, NT_SUCCESS_CODE, 0);
    return true;
}

/* Returns what was received, or a negated errno. */
static ssize_t sock__call_recv(int fd, void *buf, uint32_t len)
{
    ssize_t got;
    do {
        got = recv(fd, buf, len, 0);
    } while (got < 0 && errno == EINTR);
    return got < 0 ? -errno : got;
}

/* The same into the COUNT buffers of a loan, with TOTAL bytes. */
static ssize_t sock__call_readv(int fd, const io_buf_t *bufs, uint32_t count, uint32_t total)
{
    if (count == 1) {
        return sock__call_recv(fd, bufs->iov_base, total);
    }
    ssize_t got;
    do {
        got = readv(fd, bufs, (int)count);
    } while (got < 0 && errno == EINTR);
    return got < 0 ? -errno : got;
}

/* The same into a loan that OP has only if something was received. */
static ssize_t sock__call_recv_borrow(int fd, io_op_t *op, void *borrower)
{
    io_buf_t bufs[IO_LOAN_BUFS_MAX];
    void *name;
    op_loan_t loan = LOAN_MADE;
    io_lender_t *lender = op->u.recv.lender;
    uint32_t count = lender->lend(lender, borrower, bufs, &name);
    if (count == 0 && lender->next != NULL) {
        loan = LOAN_PASSED_ON;
        lender = lender->next;
        count = lender->lend(lender, borrower, bufs, &name);
    }
    if (count == 0) {
        return -ENOMEM;
    }
    op->u.recv.len = 0;
    for (uint32_t i = 0; i < count; i++) {
        op->u.recv.len += (uint32_t)bufs[i].iov_len;
    }
    ssize_t got = sock__call_readv(fd, bufs, count, op->u.recv.len);
    if (got <= 0 || count > 1) {
        lender->take_back(lender, borrower, name, got > 0 ? (uint32_t)got : 0);
    }
    if (got > 0) {
        op->u.recv.buf = name;
        op->loan = (uint8_t)loan;
    }
    return got;
}

/* Makes the call; returns whether OP is done. Locked. */
static bool sock__recv_now(struct epoll_sock *sock, io_op_t *op, void *borrower)
{
    if (op->u.recv.len == 0) {
        return sock__recv_probe(sock, op);
    }
    ssize_t got = op->loan == LOAN_ASKED
                      ? sock__call_recv_borrow(sock->fd, op, borrower)
                      : sock__call_recv(sock->fd, op->u.recv.buf, op->u.recv.len);
    if (got == -EAGAIN) {
        sock__drained(sock, op);
        return false;
    }
    sock->recv = NULL;
    if (got > 0) {
        bool is_short = (size_t)got < op->u.recv.len;
        sock->readable = !is_short || sock->ended || sock->urgent;
        op_done(op, (uint32_t)got, NT_SUCCESS_CODE, 0);
    } else if (got < 0) {
        int error = (int)-got;
        sock__note_error(sock, error);
        op_failed(op, error);
    } else if (sock->error != 0) {
        op_failed(op, sock->error);
    } else {
        sock->readable = true;
        sock->ended = true; /* and it stays so: every further receive gives 0 */
        op_done(op, 0, NT_SUCCESS_CODE, 0);
    }
    return true;
}

/* The next io_wait makes the call. Locked. */
static void sock__postpone(io_op_t *op, harvest_t *harvest)
{
    op->state = OP_TRYING;
    list_push_back(&harvest->overflow, &op->node);
}

void sock_try_recv(io_op_t *op, harvest_t *harvest)
{
    struct epoll_sock *sock = op->sock;
    mutex_lock(&sock->lock);
    bool done = true;
    if (op->cancelled) {
        sock->recv = NULL;
        op_cancelled(op);
    } else if (harvest_is_heavy(harvest)) {
        sock__postpone(op, harvest);
        done = false;
    } else {
        done = sock__recv_now(sock, op, harvest->borrower);
    }
    mutex_unlock(&sock->lock);
    if (done) {
        harvest_add(harvest, op);
    }
}

static void sock__event(struct epoll_sock *sock, uint32_t mask, harvest_t *harvest)
{
    if (mask & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) {
        sock->ended = true;
    }
    if (mask & EPOLLPRI) {
        sock->urgent = true;
    }
    if (mask & (EPOLLIN | EPOLLPRI | EPOLLRDHUP | EPOLLHUP | EPOLLERR)) {
        sock->readable = true;
        io_op_t *op = sock->recv;
        bool waits = op != NULL && op->state == OP_WAITING;
        if (waits && harvest_is_heavy(harvest)) {
            sock__postpone(op, harvest);
        } else if (waits && sock__recv_now(sock, op, harvest->borrower)) {
            harvest_add(harvest, op);
        }
    }
    if (mask & (EPOLLOUT | EPOLLHUP | EPOLLERR)) {
        sock->writable = true;
        io_op_t *op = sock->send;
        if (op != NULL) {
            sock->send = NULL;
            op_done(op, 0, NT_SUCCESS_CODE, 0); /* the caller tries again */
            harvest_add(harvest, op);
        }
    }
}

void sock_event(io_t *io, uint32_t index, uint32_t generation, uint32_t mask, harvest_t *harvest)
{
    struct epoll_sock *sock = sock_table_at(&io->socks, index);
    mutex_lock(&sock->lock);
    if (sock->generation == generation) {
        if (sock->listener != NULL) {
            listener_event(io, sock, harvest);
        } else {
            sock__event(sock, mask, harvest);
        }
    }
    mutex_unlock(&sock->lock);
}

static int sock__recv(io_t *io, io_op_t *op, io_sock_t sock)
{
    mutex_lock(&sock->lock);
    DCHECK(sock->recv == NULL);
    op_begin(op, sock, OP_RECV);
    if (sock->readable || sock->ended) {
        op->state = OP_TRYING;
        sock->recv = op;
        ready_push(io, op, true);
    } else {
        op->state = OP_WAITING;
        sock->recv = op;
        int error = port_watch(io, sock);
        if (error != 0) {
            sock->recv = NULL;
            mutex_unlock(&sock->lock);
            return op_refuse(op, error);
        }
    }
    mutex_unlock(&sock->lock);
    return 0;
}

int io_recv(io_t *io, io_op_t *op, io_sock_t sock, void *buf, uint32_t len)
{
    op->u.recv.buf = buf;
    op->u.recv.len = len;
    op->loan = LOAN_NONE;
    return sock__recv(io, op, sock);
}

int io_recv_borrow(io_t *io, io_op_t *op, io_sock_t sock, io_lender_t *lender)
{
    op->u.recv.lender = lender;
    op->u.recv.len = lender->size;
    op->loan = LOAN_ASKED;
    return sock__recv(io, op, sock);
}

/* Returns what was sent, or a negated errno. */
static ssize_t sock__send_now(int fd, const io_buf_t *bufs, uint32_t count)
{
    ssize_t sent;
    do {
        if (count == 1) { /* without a msghdr for the kernel to copy */
            sent = send(fd, bufs->iov_base, bufs->iov_len, MSG_NOSIGNAL);
        } else {
            struct msghdr message = {.msg_iov = (io_buf_t *)(uintptr_t)bufs, .msg_iovlen = count};
            sent = sendmsg(fd, &message, MSG_NOSIGNAL);
        }
    } while (sent < 0 && errno == EINTR);
    return sent < 0 ? -errno : sent;
}

/* The part of io_send under the lock. Returns 0, IO_DONE or a negated errno. */
static int sock__send(io_t *io, struct epoll_sock *sock, io_op_t *op, const io_buf_t *bufs,
                      uint32_t count, uint32_t *done)
{
    if (sock->error != 0) {
        return -sock->error;
    }
    if (sock->writable) {
        ssize_t sent = sock__send_now(sock->fd, bufs, count);
        if (sent >= 0) {
            size_t total = 0;
            for (uint32_t i = 0; i < count; i++) {
                total += bufs[i].iov_len;
            }
            sock->writable = (size_t)sent == total;
            if (done != NULL && sent > 0) {
                *done = (uint32_t)sent;
                return IO_DONE;
            }
            op_done(op, (uint32_t)sent, NT_SUCCESS_CODE, 0);
            ready_push(io, op, false);
            return 0;
        }
        if (sent != -EAGAIN) {
            sock__note_error(sock, (int)-sent);
            return (int)sent;
        }
        sock->writable = false;
    }
    op->state = OP_WAITING;
    sock->send = op;
    int error = port_watch(io, sock);
    if (error != 0) {
        sock->send = NULL;
    }
    return -error;
}

int io_send(io_t *io, io_op_t *op, io_sock_t sock, const io_buf_t *bufs, uint32_t count,
            uint32_t *sent)
{
    if (count == 0 || count > IO_SEND_BUFS_MAX) {
        return op_refuse(op, EINVAL);
    }
    mutex_lock(&sock->lock);
    DCHECK(sock->send == NULL);
    op_begin(op, sock, OP_SEND);
    int status = sock__send(io, sock, op, bufs, count, sent);
    mutex_unlock(&sock->lock);
    return status >= 0 ? status : op_refuse(op, -status);
}

/* What broke the connection; OTHERWISE, where nothing tells any more. */
static int sock__cause(struct epoll_sock *sock, int otherwise)
{
    int error = 0;
    socklen_t len = sizeof error;
    mutex_lock(&sock->lock);
    /* Asking takes it away from the kernel, so it is kept for the other direction. */
    if (getsockopt(sock->fd, SOL_SOCKET, SO_ERROR, &error, &len) == 0 && error != 0) {
        sock__note_error(sock, error);
    }
    error = error == 0 ? sock->error : error;
    mutex_unlock(&sock->lock);
    return error == 0 ? otherwise : error;
}

int io_shutdown(io_t *io, io_sock_t sock, int *error)
{
    (void)io;
    if (shutdown(sock->fd, SHUT_WR) == 0) {
        sock->fin_sent = true;
        return 0;
    }
    *error = sock__cause(sock, errno);
    return (int)errno_to_status(*error);
}

bool io_unacked(io_t *io, io_sock_t sock, uint64_t taken, uint64_t *bytes)
{
    (void)io;
    int queued = 0;
    if (ioctl(sock->fd, SIOCOUTQ, &queued) != 0 || queued < 0) {
        return false;
    }
    /* A FIN has a number in the stream like a byte, and is its last. */
    if (sock->fin_sent && queued > 0) {
        queued--;
    }
    *bytes = (uint64_t)queued < taken ? (uint64_t)queued : taken;
    return true;
}

void io_cancel(io_t *io, io_sock_t sock, io_op_t *op)
{
    if (sock == IO_SOCK_NONE) {
        return; /* a disconnect: it was done at once */
    }
    mutex_lock(&sock->lock);
    if (op->state == OP_TRYING) {
        op->cancelled = true; /* a worker may have it in hand by now */
    } else if (op->state == OP_WAITING) {
        if (op->kind == OP_ACCEPT) {
            listener_forget(io, sock, op);
        } else if (op->kind == OP_RECV) {
            sock->recv = NULL;
        } else {
            sock->send = NULL;
        }
        op_cancelled(op);
        ready_push(io, op, false);
    }
    mutex_unlock(&sock->lock);
}

/* Ends SOCK and gives the object back. */
static void sock__close(io_t *io, struct epoll_sock *sock, bool reset)
{
    mutex_lock(&sock->lock);
    CHECK(sock->recv == NULL && sock->send == NULL);
    int fd = sock->fd;
    if (sock->listener != NULL) {
        /* One that was adopted may have duplicates, which would keep it in the epoll set. */
        (void)epoll_ctl(io->epoll_fd, EPOLL_CTL_DEL, fd, NULL);
        listener_destroy(sock);
    }
    sock->generation++; /* makes stale what another worker has fetched */
    sock->fd = -1;
    mutex_unlock(&sock->lock);
    if (fd >= 0) {
        if (reset) {
            struct linger linger = {.l_onoff = 1, .l_linger = 0};
            (void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger);
        }
        (void)close(fd);
    }
    sock_table_put(&io->socks, sock);
}

int io_disconnect(io_t *io, io_op_t *op, io_sock_t *inout)
{
    struct epoll_sock *sock = *inout;
    op_begin(op, NULL, OP_DISCONNECT);
    /* close() alone: it sends the FIN that a shutdown before it would send. */
    sock__close(io, sock, false);
    *inout = IO_SOCK_NONE;
    op_done(op, 0, NT_SUCCESS_CODE, 0);
    ready_push(io, op, false);
    return 0;
}

void io_sock_close(io_t *io, io_sock_t *inout, bool reset)
{
    struct epoll_sock *sock = *inout;
    if (sock != IO_SOCK_NONE) {
        *inout = IO_SOCK_NONE;
        sock__close(io, sock, reset);
    }
}

void io_sock_sever(io_t *io, io_sock_t *inout, bool reset)
{
    (void)io;
    (void)inout;
    (void)reset; /* a cancel is this backend's own affair, and always ends what waits */
}

int io_sock_name(io_t *io, io_sock_t sock, io_addr_t *out)
{
    (void)io;
    return address_of(sock->fd, out);
}

uintptr_t io_sock_handle(io_t *io, io_sock_t sock)
{
    (void)io;
    return (uintptr_t)sock->fd;
}

bool io_is_due(io_t *io, io_sock_t sock, io_op_t *op)
{
    (void)io;
    mutex_lock(&sock->lock);
    bool due = op->state != OP_WAITING;
    if (!due) {
        /* The edge may have come, and nobody has been to epoll for it yet. */
        struct pollfd poll_fd = {.fd = sock->fd, .events = op->kind == OP_RECV ? POLLIN : POLLOUT};
        due = poll(&poll_fd, 1, 0) == 1;
    }
    mutex_unlock(&sock->lock);
    return due;
}

uint32_t io_rtt_us(io_t *io, io_sock_t sock)
{
    (void)io;
    struct tcp_info info = {0};
    socklen_t len = sizeof info;
    int status = getsockopt(sock->fd, IPPROTO_TCP, TCP_INFO, &info, &len);
    return status == 0 ? info.tcpi_rtt : 0;
}
