/* port.h: the port, that is, an epoll instance with its ready list, gate and sockets. */
#ifndef IOCPREUSE_IO_EPOLL_PORT_H
#define IOCPREUSE_IO_EPOLL_PORT_H

#include <stdbool.h>
#include <stdint.h>

#include "../../base/list.h"
#include "../../base/mutex.h"
#include "cond.h"
#include "../io.h"
#include "gate.h"
#include "sock_table.h"

struct io {
    int epoll_fd;
    int kick_fd; /* an eventfd: ends the sleep of a worker in epoll_wait */

    mutex_t lock; /* of all up to the next blank line; held for a few instructions */
    list_t ready;
    gate_t gate;
    uint32_t sleepers;       /* workers in, or about to enter, an epoll_wait that blocks */
    uint32_t timed_sleepers; /* those of them that look again after GATE_WATCH_MS */
    bool kicked;             /* a kick is under way: no worker has seen it yet */

    mutex_t manager_lock; /* of the next two, and of every listener's `starved` and `armed` */
    cond_t manager_turn;
    bool manager_woken;

    sock_table_t socks;
};

/* What epoll gives back for the kick; a socket's index is never that large. */
#define PORT_KICK UINT64_MAX

/* Notes that a kick is needed, if somebody sleeps and none is under way. The caller holds the
 * lock, and calls port_kick after it has released it if this returned true. */
bool port_needs_kick(io_t *io);
void port_kick(io_t *io);

/* Registers SOCK's descriptor, if that is not done. SOCK is locked. Returns 0 or an errno. */
int port_watch(io_t *io, struct epoll_sock *sock);

#endif
