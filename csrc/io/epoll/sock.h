/* sock.h: a descriptor, what is known of its readiness, and the operations that wait on it.
 *
 * Lock order: a socket's lock, then the port's (port.h) or the manager's. No lock is held
 * while io_wait sleeps. */
#ifndef IOCPREUSE_IO_EPOLL_SOCK_H
#define IOCPREUSE_IO_EPOLL_SOCK_H

#include <stdbool.h>
#include <stdint.h>

#include "../../base/mutex.h"
#include "../io.h"
#include "ready.h"

struct listener;

/* An object is never freed before io_close. A worker may hold an event that epoll_wait gave
 * it for a descriptor which another worker has closed since; it finds the object, and under
 * its lock another generation than the event carries. */
struct epoll_sock {
    mutex_t lock;
    uint32_t index; /* in the table; with the generation it is what epoll gives back */
    uint32_t generation;
    int fd;    /* -1 while the object is free or an accept holds it */
    int error; /* the first errno that broke the connection; 0 */
    bool watched;
    bool readable; /* a call is likely to succeed; else an edge will come */
    bool writable;
    bool ended;  /* a FIN or an error is to be read: then a short read has not drained it */
    bool urgent; /* out-of-band data was seen: reads stop short at its mark */
    bool fin_sent;
    io_op_t *recv;
    io_op_t *send;
    struct listener *listener;    /* of a listening socket */
    struct epoll_sock *free_next; /* in the table's free list */
};

/* What epoll has told of the socket INDEX with GENERATION, if it is still that one. */
void sock_event(io_t *io, uint32_t index, uint32_t generation, uint32_t mask, harvest_t *harvest);

/* Makes the call that a receive in state OP_TRYING waits for, and takes the result. */
void sock_try_recv(io_op_t *op, harvest_t *harvest);

#endif
