/* sock_table.h: every socket object of a port, by index. They are reused, and freed only
 * with the table; see sock.h for why. */
#ifndef IOCPREUSE_IO_EPOLL_SOCK_TABLE_H
#define IOCPREUSE_IO_EPOLL_SOCK_TABLE_H

#include <stdint.h>

#include "../../base/atomics.h"
#include "../../base/mutex.h"

#define SOCK_CHUNK  512u  /* objects that are allocated together */
#define SOCK_CHUNKS 8192u /* so four million sockets */

struct epoll_sock;

typedef struct {
    mutex_t lock;
    struct epoll_sock *free;
    uint32_t used;                    /* objects ever handed out; the others are untouched memory */
    atomic_ptr_t chunks[SOCK_CHUNKS]; /* grows under the lock, is read without it */
} sock_table_t;

void sock_table_init(sock_table_t *table);
void sock_table_destroy(sock_table_t *table);

/* An object without a descriptor, in its initial state; NULL when memory is short. */
struct epoll_sock *sock_table_take(sock_table_t *table);

/* SOCK has no descriptor any more. Its generation must have moved on if it ever was watched. */
void sock_table_put(sock_table_t *table, struct epoll_sock *sock);

/* Closes every descriptor, in a forked child; whoever had a socket has it no more. */
void sock_table_disown(sock_table_t *table);

/* INDEX is one that the table has handed out. */
struct epoll_sock *sock_table_at(sock_table_t *table, uint32_t index);

#endif
