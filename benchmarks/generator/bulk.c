/* bulk.c: the mode bulk: as many bytes as go through, there and back. */
#include "modes.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>

#include "client.h"
#include "clock.h"
#include "fail.h"
#include "measure.h"

/* Small enough that other connections have their turn. */
#define PIECE_MAX ((size_t)1 << 17)

typedef struct {
    const settings_t *settings;
    pattern_t pattern;
    measure_t measure;
    client_t *clients;
    size_t *away; /* of each client: bytes that have not come back */
    uint8_t *buffer;
} bulk_t;

/* Fills the client's window, as far as the system takes it. */
static void fill(bulk_t *bulk, client_t *client)
{
    size_t *away = &bulk->away[client - bulk->clients];
    size_t room = bulk->settings->window - *away - client->unsent;
    client->unsent += room < PIECE_MAX ? room : PIECE_MAX;
    size_t due = client->unsent;
    client_flush(client, &bulk->pattern);
    *away += due - client->unsent;
    client_watch_write(client, *away < bulk->settings->window);
}

static void receive(bulk_t *bulk, client_t *client)
{
    size_t got =
        client_receive_checked(client, &bulk->pattern, bulk->buffer, &bulk->measure.wrong_bytes);
    measure_bytes(&bulk->measure, got);
    bulk->away[client - bulk->clients] -= got;
    client_watch_write(client, true);
}

void run_bulk(const settings_t *settings)
{
    static struct epoll_event events[EVENTS_MAX];
    static bulk_t bulk;
    int poll = epoll_create1(EPOLL_CLOEXEC);
    bulk.settings = settings;
    bulk.buffer = client_buffer();
    bulk.away = calloc(settings->connections, sizeof *bulk.away);
    if (poll < 0 || !bulk.buffer || !bulk.away)
        fail("start", errno);
    pattern_make_bytes(&bulk.pattern);
    bulk.clients = clients_connect(settings, poll, &bulk.pattern, 1);
    measure_start(&bulk.measure, settings);
    for (uint32_t i = 0; i < settings->connections; i++)
        client_watch_write(&bulk.clients[i], true);
    while (!measure_over(&bulk.measure, now_ns())) {
        int count = epoll_wait(poll, events, EVENTS_MAX, WAIT_MS);
        for (int i = 0; i < count; i++) {
            client_t *client = events[i].data.ptr;
            if (events[i].events & (EPOLLIN | EPOLLERR | EPOLLHUP))
                receive(&bulk, client);
            if (events[i].events & EPOLLOUT)
                fill(&bulk, client);
        }
    }
    measure_report(&bulk.measure);
}
