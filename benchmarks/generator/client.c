/* client.c: the generator's connections: opened, written to, and read from. */
#include "client.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "fail.h"

#define ADDRESSES        64u
#define CONNECT_TRIES    100
#define CONNECT_PAUSE_US 20000
#define PAGE_BYTES       4096u

static struct sockaddr_in loopback(uint32_t host, uint16_t port)
{
    return (struct sockaddr_in){.sin_family = AF_INET,
                                .sin_port = htons(port),
                                .sin_addr.s_addr = htonl(INADDR_LOOPBACK + host)};
}

int client_socket(bool spread, bool blocking)
{
    static uint32_t turn;
    const int on = 1;
    int type = SOCK_STREAM | SOCK_CLOEXEC | (blocking ? 0 : SOCK_NONBLOCK);
    int made = socket(AF_INET, type, 0);
    if (made < 0)
        fail("socket", errno);
    setsockopt(made, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (spread) {
        struct sockaddr_in own = loopback(1 + turn++ % ADDRESSES, 0);
        setsockopt(made, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on);
        if (bind(made, (const struct sockaddr *)&own, sizeof own) != 0)
            fail("bind", errno);
    }
    return made;
}

int client_connect(int socket, uint16_t port)
{
    struct sockaddr_in server = loopback(0, port);
    return connect(socket, (const struct sockaddr *)&server, sizeof server) == 0 ? 0 : errno;
}

client_t *clients_connect(const settings_t *settings, int poll, const pattern_t *pattern,
                          size_t unit)
{
    client_t *clients = calloc(settings->connections, sizeof *clients);
    if (!clients)
        fail("the clients", ENOMEM);
    for (uint32_t i = 0; i < settings->connections; i++) {
        client_t *client = &clients[i];
        int error = 0;
        client->poll = poll;
        client->socket = client_socket(settings->connections > 20000, true);
        for (int tries = 0; (error = client_connect(client->socket, settings->port)) != 0;
             tries++) {
            if (error == ECONNREFUSED || tries >= CONNECT_TRIES)
                fail("connect", error);
            usleep(CONNECT_PAUSE_US);
        }
        fcntl(client->socket, F_SETFL, O_NONBLOCK);
        client->send_place = client->awaits_place = pattern_start(pattern, i, unit);
        struct epoll_event event = {.events = EPOLLIN, .data.ptr = client};
        if (epoll_ctl(poll, EPOLL_CTL_ADD, client->socket, &event) != 0)
            fail("epoll_ctl", errno);
    }
    return clients;
}

void client_watch_write(client_t *client, bool wanted)
{
    if (client->wants_write == wanted)
        return;
    client->wants_write = wanted;
    struct epoll_event event = {.events = EPOLLIN | (wanted ? (uint32_t)EPOLLOUT : 0u),
                                .data.ptr = client};
    if (epoll_ctl(client->poll, EPOLL_CTL_MOD, client->socket, &event) != 0)
        fail("epoll_ctl", errno);
}

void client_flush(client_t *client, const pattern_t *pattern)
{
    while (client->unsent > 0) {
        size_t piece = client->unsent < PATTERN_REACH ? client->unsent : PATTERN_REACH;
        ssize_t sent =
            send(client->socket, pattern->bytes + client->send_place, piece, MSG_NOSIGNAL);
        if (sent < 0 && errno == EAGAIN)
            break;
        if (sent < 0)
            fail("send", errno);
        client->unsent -= (size_t)sent;
        client->send_place = pattern_next(pattern, client->send_place, (size_t)sent);
    }
    client_watch_write(client, client->unsent > 0);
}

uint8_t *client_buffer(void)
{
    return aligned_alloc(PAGE_BYTES, RECEIVE_MAX);
}

size_t client_receive(const client_t *client, uint8_t *buffer)
{
    ssize_t got = recv(client->socket, buffer, RECEIVE_MAX, 0);
    if (got < 0 && errno == EAGAIN)
        return 0;
    if (got < 0)
        fail("recv", errno);
    if (got == 0)
        fail("the server closed a connection", 0);
    return (size_t)got;
}

size_t client_receive_checked(client_t *client, const pattern_t *pattern, uint8_t *buffer,
                              uint64_t *wrong)
{
    size_t got = client_receive(client, buffer);
    *wrong += pattern_wrong(pattern, client->awaits_place, buffer, got);
    client->awaits_place = pattern_next(pattern, client->awaits_place, got);
    return got;
}
