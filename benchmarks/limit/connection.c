/* connection.c: a connection of the plain C server: its queue, and its end. */
#include "connection.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

connection_t *connection_open(int socket, int poll)
{
    connection_t *connection = calloc(1, sizeof *connection);
    if (!connection)
        return NULL;
    connection->socket = socket;
    connection->poll = poll;
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = connection};
    epoll_ctl(poll, EPOLL_CTL_ADD, socket, &event);
    return connection;
}

static void watch_write(connection_t *connection, bool wanted)
{
    struct epoll_event event = {.events = EPOLLIN | (wanted ? (uint32_t)EPOLLOUT : 0u),
                                .data.ptr = connection};
    epoll_ctl(connection->poll, EPOLL_CTL_MOD, connection->socket, &event);
}

static bool queue(connection_t *connection, const uint8_t *bytes, size_t count)
{
    size_t end = connection->first + connection->unsent;
    if (end + count > connection->room) {
        size_t room = (end + count) * 2;
        uint8_t *larger = realloc(connection->queue, room);
        if (!larger)
            return false;
        connection->queue = larger;
        connection->room = room;
    }
    memcpy(connection->queue + end, bytes, count);
    if (connection->unsent == 0)
        watch_write(connection, true);
    connection->unsent += count;
    return true;
}

bool connection_send(connection_t *connection, const uint8_t *bytes, size_t count)
{
    ssize_t sent = 0;
    if (connection->unsent == 0)
        sent = send(connection->socket, bytes, count, MSG_NOSIGNAL);
    if (sent < 0 && errno != EAGAIN)
        return false;
    size_t done = sent < 0 ? 0 : (size_t)sent;
    return done == count || queue(connection, bytes + done, count - done);
}

bool connection_flush(connection_t *connection)
{
    ssize_t sent = send(connection->socket, connection->queue + connection->first,
                        connection->unsent, MSG_NOSIGNAL);
    if (sent < 0)
        return errno == EAGAIN;
    connection->first += (size_t)sent;
    connection->unsent -= (size_t)sent;
    if (connection->unsent == 0) {
        free(connection->queue);
        connection->queue = NULL;
        connection->first = connection->room = 0;
        watch_write(connection, false);
    }
    return true;
}

void connection_close(connection_t *connection)
{
    close(connection->socket);
    free(connection->queue);
    free(connection);
}
