/* buffers.c: the buffers that sessions and workers have are those that the slabs and the lender
 * have given. */
#include "world.h"

typedef struct {
    uint64_t bufs;
    uint64_t large; /* of the other slab */
    uint64_t loans; /* of the layer above */
} buffers_t;

/* Whether a receive of SLOT's, which waits for the end of a callback, has brought a loan. */
static bool buffers__holds_loan(const slot_t *slot)
{
    const session_t *session = &slot->session;
    return IO_RECV_BORROWS && session->held && io_event_bytes(&session->recv_event) > 0;
}

static bool buffers__holds_direct(const engine_t *engine, const slot_t *slot)
{
#if IO_RECV_BORROWS
    return slot->session.recv_full && engine->options.direct != NULL &&
           !io_op_is_passed_on(&slot->recv.io);
#else
    (void)engine;
    (void)slot;
    return false;
#endif
}

/* The buffer, or loan, that SLOT's session has. */
static void buffers__count(const engine_t *engine, const slot_t *slot, buffers_t *count)
{
    if (slot->token == TOKEN_NONE) {
        return;
    }
    const session_t *session = &slot->session;
    bool held = buffers__holds_loan(slot);
    if (held || session->recv_buf != NULL) {
        bool direct = held ? buffers__holds_direct(engine, slot) : session->recv_direct;
        count->loans += direct;
        count->large += !direct && session->recv_slab == &engine->large;
        count->bufs += !direct && session->recv_slab == &engine->slab;
    }
    const filter_t *filter = session->filter;
    if (filter != NULL && filter->in_buf != NULL) {
        count->large += filter->in_slab == &engine->large;
        count->bufs += filter->in_slab == &engine->slab;
    }
}

void buffers_check(world_t *world)
{
    engine_t *engine = world->engine;
    buffers_t count = {0};
    for (uint32_t i = 0; i < table_count(&engine->table); i++) {
        buffers__count(engine, table_at(&engine->table, i), &count);
    }
    count.large += counts_pockets(world, &engine->large);
    count.bufs += counts_pockets(world, &engine->slab);
    CHECK_THAT(world, atomic_u64_load(&engine->large.taken) == count.large,
               "the slab counts %u large buffers, not %u",
               (unsigned)atomic_u64_load(&engine->large.taken), (unsigned)count.large);
    CHECK_THAT(world, atomic_u64_load(&engine->slab.taken) == count.bufs,
               "the slab counts %u buffers, not %u", (unsigned)atomic_u64_load(&engine->slab.taken),
               (unsigned)count.bufs);
    CHECK_THAT(world, world->lending.loans == count.loans, "%u loans are out, not %u",
               (unsigned)world->lending.loans, (unsigned)count.loans);
}
