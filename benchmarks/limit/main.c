/* main.c: the limit: what a plain epoll server in C does with the same loads.

   It has one thread, and makes one send for each message. limit ROLE: echo, or chat, which sends
   everything to everybody. It prints {"port": N} when it listens, and serves until it is killed. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <errno.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "connection.h"

#define BACKLOG        4096
#define EVENTS_MAX     1024
#define RECEIVE_MAX    ((size_t)1 << 18)
#define PAGE_BYTES     4096u
#define MEMBERS_MAX    65536u
#define ACCEPTS_A_TURN 64

typedef struct {
    int listener;
    int poll;
    bool chat;
    uint8_t *buffer;
    connection_t *members[MEMBERS_MAX];
    uint32_t member_count;
} server_t;

static _Noreturn void fail(const char *what)
{
    perror(what);
    exit(1);
}

static void start_listening(server_t *server)
{
    const int on = 1;
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    server->listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (server->listener < 0)
        fail("socket");
    setsockopt(server->listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(server->listener, (const struct sockaddr *)&address, size) != 0 ||
        listen(server->listener, BACKLOG) != 0 ||
        getsockname(server->listener, (struct sockaddr *)&address, &size) != 0)
        fail("listen");
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = NULL};
    epoll_ctl(server->poll, EPOLL_CTL_ADD, server->listener, &event);
    printf("{\"port\": %d}\n", ntohs(address.sin_port));
    fflush(stdout);
}

static void join(server_t *server, connection_t *connection)
{
    if (server->member_count == MEMBERS_MAX)
        fail("too many members");
    connection->member = server->member_count;
    server->members[server->member_count++] = connection;
    connection_send(connection, (const uint8_t *)"+", 1);
}

static void leave(server_t *server, connection_t *connection)
{
    if (server->chat) {
        connection_t *last = server->members[--server->member_count];
        last->member = connection->member;
        server->members[last->member] = last;
    }
    connection_close(connection);
}

static void accept_some(server_t *server)
{
    const int on = 1;
    for (int i = 0; i < ACCEPTS_A_TURN; i++) {
        int made = accept4(server->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (made < 0)
            return;
        setsockopt(made, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        connection_t *connection = connection_open(made, server->poll);
        if (!connection)
            fail("a connection");
        if (server->chat)
            join(server, connection);
    }
}

static void receive(server_t *server, connection_t *connection)
{
    ssize_t got = recv(connection->socket, server->buffer, RECEIVE_MAX, 0);
    if (got < 0 && errno == EAGAIN)
        return;
    if (got <= 0) {
        leave(server, connection);
        return;
    }
    if (!server->chat) {
        if (!connection_send(connection, server->buffer, (size_t)got))
            leave(server, connection);
        return;
    }
    /* One whose connection broke is told of by its own event. */
    for (uint32_t i = 0; i < server->member_count; i++)
        connection_send(server->members[i], server->buffer, (size_t)got);
}

static void serve(server_t *server, const struct epoll_event *event)
{
    connection_t *connection = event->data.ptr;
    if (!connection)
        accept_some(server);
    else if ((event->events & EPOLLOUT) && !connection_flush(connection))
        leave(server, connection);
    else if (event->events & (EPOLLIN | EPOLLERR | EPOLLHUP))
        receive(server, connection);
}

int main(int argc, char **argv)
{
    static server_t server;
    static struct epoll_event events[EVENTS_MAX];
    server.chat = argc == 2 && strcmp(argv[1], "chat") == 0;
    if (argc != 2 || (!server.chat && strcmp(argv[1], "echo") != 0)) {
        fputs("usage: limit echo|chat\n", stderr);
        return 2;
    }
    signal(SIGPIPE, SIG_IGN);
    server.poll = epoll_create1(EPOLL_CLOEXEC);
    server.buffer = aligned_alloc(PAGE_BYTES, RECEIVE_MAX); /* where the kernel copies fastest */
    if (server.poll < 0 || !server.buffer)
        fail("start");
    start_listening(&server);
    for (;;) {
        int count = epoll_wait(server.poll, events, EVENTS_MAX, -1);
        for (int i = 0; i < count; i++)
            serve(&server, &events[i]);
    }
}
