/* wait.c: io_wait: the gate, the ready list, epoll, and the calls that an edge makes due. */
#include <errno.h>
#include <sys/epoll.h>

#include "../../base/check.h"
#include "clock.h"
#include "listener.h"
#include "op.h"
#include "port.h"
#include "ready.h"
#include "sock.h"

#define EVENTS_MAX 128
#define EVENTS_MIN 16u /* also when the ready list has filled the caller's array: fairness */

/* For how long epoll_wait may block. */
static int wait__timeout_ms(uint64_t deadline_ns, bool timed)
{
    uint64_t limit_ms = timed ? GATE_WATCH_MS : (uint64_t)INT32_MAX;
    if (deadline_ns == CLOCK_NEVER) {
        return timed ? (int)limit_ms : -1;
    }
    uint64_t now_ns = clock_now_ns();
    if (deadline_ns <= now_ns) {
        return 0;
    }
    /* Rounded up: else the last part of a millisecond would be spent spinning. */
    uint64_t rest_ms = (deadline_ns - now_ns + 999999u) / 1000000u;
    return (int)(rest_ms < limit_ms ? rest_ms : limit_ms);
}

/* Asks epoll, and makes the calls that its events allow. Returns whether a kick was among them. */
static bool wait__poll(io_t *io, harvest_t *harvest, int timeout_ms)
{
    struct epoll_event events[EVENTS_MAX];
    uint32_t room = harvest->max - harvest->count;
    room = room < EVENTS_MIN ? EVENTS_MIN : room;
    int max = room < EVENTS_MAX ? (int)room : EVENTS_MAX;
    int count = epoll_wait(io->epoll_fd, events, max, timeout_ms);
    CHECK(count >= 0 || errno == EINTR);
    bool kicked = false;
    for (int i = 0; i < count; i++) {
        uint64_t data = events[i].data.u64;
        if (data == PORT_KICK) {
            kicked = true;
            continue;
        }
        sock_event(io, (uint32_t)data, (uint32_t)(data >> 32), events[i].events, harvest);
    }
    return kicked;
}

/* How many ready operations the next call takes: those beyond what it may receive would only lose
 * their place in the list. */
static void wait__fit_take(gate_place_t *place, const harvest_t *harvest)
{
    if (harvest_is_heavy(harvest)) {
        place->take = harvest->count;
    } else if (place->take < harvest->max) {
        place->take *= 2;
    }
}

/* Makes the calls of what was taken from the ready list and is not done. */
static void wait__try(io_t *io, harvest_t *harvest)
{
    /* What comes of entry i is stored at or before it, so it cannot run into those to come. */
    uint32_t taken = harvest->count;
    uint32_t max = harvest->max;
    harvest->count = 0;
    for (uint32_t i = 0; i < taken; i++) {
        io_op_t *op = harvest->events[i].op;
        harvest->max = i + 1;
        if (op->kind == OP_RECV && op->state == OP_TRYING) {
            sock_try_recv(op, harvest);
        } else if (op->kind == OP_ACCEPT && op->state == OP_TRYING) {
            listener_try_accept(io, op, harvest);
        } else {
            harvest_add(harvest, op);
        }
    }
    harvest->max = max;
}

/* One look at the ready list and at epoll; the port's lock is held on entry and on return.
 * Returns whether io_wait is to return. */
static bool wait__round(io_t *io, gate_place_t *place, harvest_t *harvest, uint64_t deadline_ns)
{
    ready_take(io, harvest, place->take);
    bool taken = harvest->count > 0;
    bool sleeps = !taken && io->gate.wakes == 0 && deadline_ns != 0;
    /* While another worker runs, one sleeper looks now and then whether the list fills
     * and nobody comes for it. */
    bool timed = sleeps && io->gate.running > 0 && io->timed_sleepers == 0;
    io->sleepers += sleeps;
    io->timed_sleepers += timed;
    mutex_unlock(&io->lock);

    if (taken) {
        wait__try(io, harvest);
    }
    wait__fit_take(place, harvest);
    /* With completions in hand, epoll is asked at every other call only. A lone connection
     * then costs one epoll_wait a message and not two, and nothing waits for more than a
     * batch of completions. */
    bool polls = harvest->count == 0 || !place->polled;
    bool kicked = false;
    if (polls) {
        kicked = wait__poll(io, harvest, sleeps ? wait__timeout_ms(deadline_ns, timed) : 0);
    }
    bool late = harvest->count == 0 && deadline_ns != CLOCK_NEVER && clock_now_ns() >= deadline_ns;

    mutex_lock(&io->lock);
    io->sleepers -= sleeps;
    io->timed_sleepers -= timed;
    if (kicked) {
        io->kicked = false;
    }
    place->polled = polls;
    list_node_t *node;
    while ((node = list_pop_front(&harvest->overflow)) != NULL) {
        list_push_back(&io->ready, node);
    }
    return harvest->count > 0 || io->gate.wakes > 0 || late;
}

void io_yield(io_t *io)
{
    mutex_lock(&io->lock);
    gate_yield(&io->gate);
    mutex_unlock(&io->lock);
}

uint32_t io_wait(io_t *io, io_event_t *events, uint32_t max, uint32_t timeout_ms, void *borrower)
{
    DCHECK(max > 0);
    harvest_t harvest = {.events = events, .max = max, .borrower = borrower};
    list_init(&harvest.overflow);
    uint64_t deadline_ns = clock_deadline_ns(timeout_ms);

    mutex_lock(&io->lock);
    gate_place_t *place = gate_enter(&io->gate, &io->lock, deadline_ns);
    if (place == NULL) {
        mutex_unlock(&io->lock);
        return 0;
    }
    while (!wait__round(io, place, &harvest, deadline_ns)) {
    }
    /* One who only had a look has other things to do, and keeps its place meanwhile. */
    if (harvest.count > 0 || timeout_ms == 0) {
        gate_run(&io->gate, place);
    } else {
        gate_release(&io->gate, place);
    }
    if (harvest.count == 0 && io->gate.wakes > 0) {
        io->gate.wakes--;
    }
    /* What this worker leaves behind is for one who sleeps. */
    bool kick = (!list_is_empty(&io->ready) || io->gate.wakes > 0) && port_needs_kick(io);
    mutex_unlock(&io->lock);
    if (kick) {
        port_kick(io);
    }
    return harvest.count;
}
