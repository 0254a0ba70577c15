/* sock_table.c: socket objects are made a chunk at a time, taken, and put back. */
#include "sock_table.h"

#include <stdlib.h>
#include <unistd.h>

#include "../../base/check.h"
#include "sock.h"

void sock_table_init(sock_table_t *table)
{
    mutex_init(&table->lock);
    table->free = NULL;
    table->used = 0;
}

void sock_table_destroy(sock_table_t *table)
{
    for (uint32_t i = 0; i < table->used; i++) {
        mutex_destroy(&sock_table_at(table, i)->lock);
    }
    for (uint32_t i = 0; i < SOCK_CHUNKS && i * SOCK_CHUNK < table->used; i++) {
        free(atomic_ptr_load(&table->chunks[i]));
    }
    mutex_destroy(&table->lock);
}

void sock_table_disown(sock_table_t *table)
{
    mutex_init(&table->lock);
    for (uint32_t i = 0; i < table->used; i++) {
        struct epoll_sock *sock = sock_table_at(table, i);
        mutex_init(&sock->lock);
        /* A descriptor is taken out of its object before it is closed, and put in after it is
         * made: one that stands here is open, and this one. */
        if (sock->fd >= 0) {
            (void)close(sock->fd);
            sock->fd = -1;
        }
    }
}

struct epoll_sock *sock_table_at(sock_table_t *table, uint32_t index)
{
    struct epoll_sock *chunk = atomic_ptr_load(&table->chunks[index / SOCK_CHUNK]);
    DCHECK(chunk != NULL);
    return &chunk[index % SOCK_CHUNK];
}

static struct epoll_sock *sock_table_grow(sock_table_t *table)
{
    uint32_t chunk = table->used / SOCK_CHUNK;
    if (chunk == SOCK_CHUNKS) {
        return NULL;
    }
    if (table->used % SOCK_CHUNK == 0) {
        void *memory = calloc(SOCK_CHUNK, sizeof(struct epoll_sock));
        if (memory == NULL) {
            return NULL;
        }
        (void)atomic_ptr_exchange(&table->chunks[chunk], memory);
    }
    struct epoll_sock *sock = sock_table_at(table, table->used);
    mutex_init(&sock->lock);
    sock->index = table->used++;
    return sock;
}

struct epoll_sock *sock_table_take(sock_table_t *table)
{
    mutex_lock(&table->lock);
    struct epoll_sock *sock = table->free;
    if (sock != NULL) {
        table->free = sock->free_next;
    } else {
        sock = sock_table_grow(table);
    }
    mutex_unlock(&table->lock);
    if (sock == NULL) {
        return NULL;
    }
    /* A worker with a late event reads some of these under the lock. */
    mutex_lock(&sock->lock);
    sock->fd = -1;
    sock->error = 0;
    sock->watched = false;
    sock->readable = false; /* the first event tells */
    sock->writable = true;  /* a new connection's buffer is empty */
    sock->ended = false;
    sock->urgent = false;
    sock->fin_sent = false;
    sock->recv = NULL;
    sock->send = NULL;
    sock->listener = NULL;
    mutex_unlock(&sock->lock);
    return sock;
}

void sock_table_put(sock_table_t *table, struct epoll_sock *sock)
{
    mutex_lock(&table->lock);
    sock->free_next = table->free;
    table->free = sock;
    mutex_unlock(&table->lock);
}
