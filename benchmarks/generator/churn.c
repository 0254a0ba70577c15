/* churn.c: the mode churn: clients that come, ask once, and go. */
#include "modes.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "client.h"
#include "clock.h"
#include "fail.h"
#include "measure.h"

/* One client after the other, of those that are there at the same time. */
typedef struct {
    int socket;
    uint32_t number; /* of the client */
    uint64_t begin_ns;
    size_t received;
    bool sent;
} visitor_t;

typedef struct {
    const settings_t *settings;
    pattern_t pattern;
    measure_t measure;
    int poll;
    uint32_t clients;
    uint8_t *buffer;
} churn_t;

/* A run that meets so many failed connections has nothing to tell. */
#define ERRORS_MAX 1000

static size_t place_of(const churn_t *churn, const visitor_t *visitor)
{
    return pattern_start(&churn->pattern, visitor->number, 1);
}

/* Sends the message if the connection takes it yet. Whether it failed for good. */
static bool try_send(const churn_t *churn, visitor_t *visitor)
{
    const uint8_t *message = churn->pattern.bytes + place_of(churn, visitor);
    ssize_t sent = send(visitor->socket, message, churn->settings->size, MSG_NOSIGNAL);
    visitor->sent = sent == (ssize_t)churn->settings->size;
    return !visitor->sent && (sent >= 0 || (errno != EAGAIN && errno != ENOTCONN));
}

static void watch(const churn_t *churn, visitor_t *visitor, int operation)
{
    struct epoll_event event = {.events = visitor->sent ? EPOLLIN : EPOLLOUT, .data.ptr = visitor};
    if (epoll_ctl(churn->poll, operation, visitor->socket, &event) != 0)
        fail("epoll_ctl", errno);
}

static void visit(churn_t *churn, visitor_t *visitor)
{
    for (;;) {
        *visitor = (visitor_t){
            .socket = client_socket(true, false), .number = churn->clients++, .begin_ns = now_ns()};
        int error = client_connect(visitor->socket, churn->settings->port);
        if ((error == 0 || error == EINPROGRESS) && !try_send(churn, visitor)) {
            watch(churn, visitor, EPOLL_CTL_ADD);
            return;
        }
        close(visitor->socket);
        if (++churn->measure.errors > ERRORS_MAX)
            fail("connect", error);
    }
}

static void leave(churn_t *churn, visitor_t *visitor, bool failed)
{
    const struct linger reset = {.l_onoff = 1, .l_linger = 0};
    if (failed && ++churn->measure.errors > ERRORS_MAX)
        fail("too many connections failed", 0);
    if (churn->settings->reset)
        setsockopt(visitor->socket, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
    close(visitor->socket);
    visit(churn, visitor);
}

static void receive(churn_t *churn, visitor_t *visitor)
{
    measure_t *measure = &churn->measure;
    size_t size = churn->settings->size;
    ssize_t got = recv(visitor->socket, churn->buffer, size - visitor->received, 0);
    if (got < 0 && errno == EAGAIN)
        return;
    if (got <= 0) {
        leave(churn, visitor, true);
        return;
    }
    size_t place = place_of(churn, visitor) + visitor->received;
    measure->wrong_bytes += pattern_wrong(&churn->pattern, place, churn->buffer, (size_t)got);
    measure_bytes(measure, (size_t)got);
    visitor->received += (size_t)got;
    if (visitor->received == size) {
        measure_message(measure, now_ns() - visitor->begin_ns);
        leave(churn, visitor, false);
    }
}

static void serve(churn_t *churn, visitor_t *visitor)
{
    if (visitor->sent)
        receive(churn, visitor);
    else if (try_send(churn, visitor))
        leave(churn, visitor, true);
    else if (visitor->sent)
        watch(churn, visitor, EPOLL_CTL_MOD);
}

void run_churn(const settings_t *settings)
{
    static struct epoll_event events[EVENTS_MAX];
    static churn_t churn;
    visitor_t *visitors = calloc(settings->connections, sizeof *visitors);
    churn.settings = settings;
    churn.poll = epoll_create1(EPOLL_CLOEXEC);
    churn.buffer = client_buffer();
    if (churn.poll < 0 || !churn.buffer || !visitors)
        fail("start", errno);
    if (settings->size > PATTERN_REACH / 4)
        fail("churn is for messages of up to 64 KiB", 0);
    pattern_make_bytes(&churn.pattern);
    measure_start(&churn.measure, settings);
    for (uint32_t i = 0; i < settings->connections; i++)
        visit(&churn, &visitors[i]);
    while (!measure_over(&churn.measure, now_ns())) {
        int count = epoll_wait(churn.poll, events, EVENTS_MAX, WAIT_MS);
        for (int i = 0; i < count; i++)
            serve(&churn, events[i].data.ptr);
    }
    measure_report(&churn.measure);
}
