/* listener.h: a listening socket, the accepts that wait on it, and what the manager hears. */
#ifndef IOCPREUSE_IO_EPOLL_LISTENER_H
#define IOCPREUSE_IO_EPOLL_LISTENER_H

#include "../io.h"
#include "ready.h"

struct epoll_sock;

/* An edge: a connection has arrived. SOCK is locked. */
void listener_event(io_t *io, struct epoll_sock *sock, harvest_t *harvest);

/* What OP, an accept in state OP_TRYING, waits for. */
void listener_try_accept(io_t *io, io_op_t *op, harvest_t *harvest);

/* OP no longer waits; its result is the caller's to give. SOCK is locked. */
void listener_forget(io_t *io, struct epoll_sock *sock, io_op_t *op);

/* No accept may be outstanding. SOCK is locked. */
void listener_destroy(struct epoll_sock *sock);

#endif
