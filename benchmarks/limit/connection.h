/* connection.h: a connection of the plain C server, and what it could not send yet. */
#ifndef LIMIT_CONNECTION_H
#define LIMIT_CONNECTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct {
    int socket;
    int poll;        /* the epoll instance that it is in */
    uint32_t member; /* its place among the members of a chat */
    uint8_t *queue;  /* NULL while all was sent */
    size_t first;    /* of the queue's bytes, the first unsent */
    size_t unsent;
    size_t room;
} connection_t;

/* Takes over a connected, non-blocking socket. NULL without memory. */
connection_t *connection_open(int socket, int poll);

/* Sends now what the system takes, and the rest as soon as it takes more. False: it broke. */
bool connection_send(connection_t *connection, const uint8_t *bytes, size_t count);

/* The system takes more. False: it broke. */
bool connection_flush(connection_t *connection);

void connection_close(connection_t *connection);

#endif
