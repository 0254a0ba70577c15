/* slot.c: one entry of the slot table, and the states that it goes through. */
#include "slot.h"

#include <string.h>

#include "../../base/check.h"

/* The life of a slot. docs/architecture.md has the same table; a test compares the two. */
static const struct {
    slot_state_t from;
    slot_state_t to;
} slot_transitions[] = {
    {SLOT_IDLE, SLOT_ACCEPTING},     /* the pool is below its target */
    {SLOT_IDLE, SLOT_RETIRED},       /* the server has stopped */
    {SLOT_ACCEPTING, SLOT_OPEN},     /* a client is there */
    {SLOT_ACCEPTING, SLOT_IDLE},     /* the accept failed, was cancelled, or the client refused */
    {SLOT_OPEN, SLOT_FLUSHING},      /* the peer's FIN, or close() */
    {SLOT_OPEN, SLOT_DRAINING},      /* error, abort, limit, stop */
    {SLOT_FLUSHING, SLOT_DRAINING},  /* flushed and both FINs, or error, abort, deadline */
    {SLOT_DRAINING, SLOT_RECYCLING}, /* nothing in flight, and the socket is good for reuse */
    {SLOT_DRAINING, SLOT_REPLACING}, /* nothing in flight, and it is not */
    {SLOT_RECYCLING, SLOT_IDLE},     /* disconnected, or that failed */
    {SLOT_RECYCLING, SLOT_COOLING},  /* the disconnect takes long */
    {SLOT_COOLING, SLOT_IDLE},       /* disconnected at last, or given up */
    {SLOT_REPLACING, SLOT_IDLE},     /* closed */
};

bool slot_may_change(slot_state_t from, slot_state_t to)
{
    for (size_t i = 0; i < sizeof slot_transitions / sizeof slot_transitions[0]; i++) {
        if (slot_transitions[i].from == from && slot_transitions[i].to == to) {
            return true;
        }
    }
    return false;
}

const char *slot_state_name(slot_state_t state)
{
    static const char *const names[SLOT_STATE_COUNT] = {
        [SLOT_IDLE] = "IDLE",         [SLOT_ACCEPTING] = "ACCEPTING",
        [SLOT_OPEN] = "OPEN",         [SLOT_FLUSHING] = "FLUSHING",
        [SLOT_DRAINING] = "DRAINING", [SLOT_RECYCLING] = "RECYCLING",
        [SLOT_COOLING] = "COOLING",   [SLOT_REPLACING] = "REPLACING",
        [SLOT_RETIRED] = "RETIRED",
    };
    return names[state];
}

void slot_set_state(slot_t *slot, slot_state_t to)
{
    CHECK(slot_may_change((slot_state_t)slot->state, to));
    slot->state = (uint8_t)to;
}

void slot_init(slot_t *slot, uint32_t index)
{
    memset(slot, 0, sizeof *slot); /* SLOT_IDLE is 0 */
    mutex_init(&slot->lock);
    slot->index = index;
    slot->sock = IO_SOCK_NONE;
    slot->cause = CAUSE_NONE;
    slot->session.broken = CAUSE_NONE;
    list_node_init(&slot->pool_node);
    wheel_timer_init(&slot->timer);
}

void slot_destroy(slot_t *slot)
{
    CHECK(slot->in_flight == 0);
    mutex_destroy(&slot->lock);
}

void slot_land(slot_t *slot, const operation_t *operation)
{
    uint32_t flight = flight_of((operation_kind_t)operation->kind);
    CHECK(operation->client == token_client(slot->token) && (slot->in_flight & flight) != 0);
    slot->in_flight &= ~flight;
}

void slot_clear(slot_t *slot)
{
    memset(&slot->session, 0, sizeof slot->session);
    slot->session.broken = CAUSE_NONE;
}

void slot_begin(slot_t *slot, token_t token)
{
    slot_clear(slot);
    slot->token = token;
}

void slot_wipe(slot_t *slot)
{
    CHECK(slot->in_flight == 0);
    CHECK(sendq_is_empty(&slot->session.out) && slot->session.recv_buf == NULL);
    CHECK(slot->session.cutter.kept == NULL && slot->session.cutter.replay == NULL);
    CHECK(slot->session.requests.first == NULL && slot->session.name == NULL);
    CHECK(slot->session.filter == NULL);
    slot->token = TOKEN_NONE;
    slot->pending = 0;
    slot->deadline_ns = 0;
    slot_clear(slot);
}
