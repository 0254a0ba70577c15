/* echo.c: the modes echo and framed: messages that come back. */
#include "modes.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>

#include "client.h"
#include "clock.h"
#include "fail.h"
#include "measure.h"

#define PREFIX 4u

/* The messages of one connection that are on their way. */
typedef struct {
    uint64_t *sent_ns; /* a ring of `depth` */
    uint32_t oldest;
    uint32_t done;  /* came back, and not sent anew yet */
    size_t partial; /* bytes of the next message that came back already */
} flight_t;

typedef struct {
    const settings_t *settings;
    pattern_t pattern;
    size_t unit;    /* bytes of a message with its prefix */
    uint32_t batch; /* messages that go out together */
    measure_t measure;
    client_t *clients;
    flight_t *flights; /* of each client */
    uint8_t *buffer;
} echo_t;

static void send_more(echo_t *echo, client_t *client, uint32_t messages)
{
    client->unsent += messages * echo->unit;
    client_flush(client, &echo->pattern);
}

static void start(echo_t *echo)
{
    uint32_t count = echo->settings->connections;
    echo->flights = calloc(count, sizeof *echo->flights);
    if (!echo->flights)
        fail("the connections", ENOMEM);
    for (uint32_t i = 0; i < count; i++) {
        flight_t *flight = &echo->flights[i];
        flight->sent_ns = calloc(echo->settings->depth, sizeof *flight->sent_ns);
        if (!flight->sent_ns)
            fail("the connections", ENOMEM);
        uint64_t now = now_ns();
        for (uint32_t k = 0; k < echo->settings->depth; k++)
            flight->sent_ns[k] = now;
        send_more(echo, &echo->clients[i], echo->settings->depth);
    }
}

static void receive(echo_t *echo, client_t *client)
{
    flight_t *flight = &echo->flights[client - echo->clients];
    size_t got =
        client_receive_checked(client, &echo->pattern, echo->buffer, &echo->measure.wrong_bytes);
    measure_bytes(&echo->measure, got);
    size_t bytes = flight->partial + got;
    uint32_t complete = (uint32_t)(bytes / echo->unit);
    flight->partial = bytes % echo->unit;
    if (!complete)
        return;
    uint64_t now = now_ns();
    for (uint32_t i = 0; i < complete; i++) {
        measure_message(&echo->measure, now - flight->sent_ns[flight->oldest]);
        /* Where they go out later than now, that is the server's doing as well. */
        flight->sent_ns[flight->oldest] = now;
        flight->oldest = (flight->oldest + 1) % echo->settings->depth;
    }
    flight->done += complete;
    if (flight->done >= echo->batch) {
        uint32_t due = flight->done / echo->batch * echo->batch;
        flight->done -= due;
        send_more(echo, client, due);
    }
}

/* Each client begins at a multiple of START_UNIT bytes of the pattern. */
static void run(echo_t *echo, size_t start_unit)
{
    static struct epoll_event events[EVENTS_MAX];
    int poll = epoll_create1(EPOLL_CLOEXEC);
    echo->buffer = client_buffer();
    if (poll < 0 || !echo->buffer)
        fail("start", errno);
    echo->clients = clients_connect(echo->settings, poll, &echo->pattern, start_unit);
    measure_start(&echo->measure, echo->settings);
    start(echo);
    while (!measure_over(&echo->measure, now_ns())) {
        int count = epoll_wait(poll, events, EVENTS_MAX, WAIT_MS);
        for (int i = 0; i < count; i++) {
            client_t *client = events[i].data.ptr;
            if (events[i].events & EPOLLOUT)
                client_flush(client, &echo->pattern);
            if (events[i].events & (EPOLLIN | EPOLLERR | EPOLLHUP))
                receive(echo, client);
        }
    }
    measure_report(&echo->measure);
}

void run_echo(const settings_t *settings)
{
    static echo_t echo;
    echo.settings = settings;
    echo.unit = settings->size;
    echo.batch = 1;
    pattern_make_bytes(&echo.pattern);
    run(&echo, 1);
}

void run_framed(const settings_t *settings)
{
    static echo_t echo;
    echo.settings = settings;
    echo.unit = settings->size + PREFIX;
    echo.batch = settings->depth;
    pattern_make_frames(&echo.pattern, settings->size, PREFIX);
    run(&echo, echo.unit);
}
