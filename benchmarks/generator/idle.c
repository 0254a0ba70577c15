/* idle.c: the mode idle: what memory connections take that are silent. */
#include "modes.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "client.h"
#include "clock.h"
#include "fail.h"
#include "measure.h"

/* So many come and go first, and one stays: what the server allocates once is not counted. */
#define FIRST 16u
/* The server has so long to give back what it needs no more. */
#define SETTLE_US       500000
#define ECHO_TIMEOUT_MS 10000

typedef struct {
    const settings_t *settings;
    pattern_t pattern;
    measure_t measure;
    int poll;
    uint8_t *buffer;
} idle_t;

/* One message there and back. */
static void echo(idle_t *idle, client_t *client)
{
    size_t size = idle->settings->size;
    uint64_t begin = now_ns();
    client->unsent += size;
    client_flush(client, &idle->pattern);
    for (size_t received = 0; received < size;) {
        struct pollfd readable = {.fd = client->socket, .events = POLLIN};
        if (poll(&readable, 1, ECHO_TIMEOUT_MS) == 0)
            fail("an echo has not come back in 10 s", 0);
        received += client_receive_checked(client, &idle->pattern, idle->buffer,
                                           &idle->measure.wrong_bytes);
    }
    measure_message(&idle->measure, now_ns() - begin);
    measure_bytes(&idle->measure, size);
}

static client_t *connect_and_echo(idle_t *idle, uint32_t connections)
{
    settings_t settings = *idle->settings;
    settings.connections = connections;
    client_t *clients = clients_connect(&settings, idle->poll, &idle->pattern, 1);
    for (uint32_t i = 0; i < connections; i++)
        echo(idle, &clients[i]);
    return clients;
}

void run_idle(const settings_t *settings)
{
    static idle_t idle;
    idle.settings = settings;
    idle.poll = epoll_create1(EPOLL_CLOEXEC);
    idle.buffer = client_buffer();
    if (idle.poll < 0 || !idle.buffer)
        fail("start", errno);
    pattern_make_bytes(&idle.pattern);
    client_t *first = connect_and_echo(&idle, FIRST);
    for (uint32_t i = 1; i < FIRST; i++)
        close(first[i].socket);
    usleep(SETTLE_US);
    uint64_t before = process_resident(settings);
    client_t *clients = connect_and_echo(&idle, settings->connections);
    usleep(SETTLE_US);
    uint64_t after = process_resident(settings);
    uint64_t wrong_bytes = idle.measure.wrong_bytes;
    measure_start(&idle.measure, settings);
    idle.measure.wrong_bytes = wrong_bytes;
    idle.measure.resident_before = before;
    idle.measure.resident_after = after;
    while (!measure_over(&idle.measure, now_ns()))
        echo(&idle, &clients[0]);
    measure_report(&idle.measure);
}
