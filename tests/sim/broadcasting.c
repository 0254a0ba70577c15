/* broadcasting.c: the application's broadcasts: one message in the streams of many clients. Where
 * it stands in each of them is noted at the moment when the engine takes it for that queue. */
#include <stdlib.h>

#include "../../csrc/engine/bytes/shared.h"
#include "../../csrc/io/sim/stream.h"
#include "world.h"

#define RECEIVERS_MAX 48u

/* One that is under way. A thread that preempts it may begin another. */
struct broadcast {
    broadcast_t *below;
    const shared_t *message;
    rec_t *recs[RECEIVERS_MAX];
    uint32_t count;
    uint32_t next;   /* those before it have had their turn */
    uint32_t may;    /* so many take it, as things stand */
    uint32_t unsure; /* and so many more, if their peers take what is ahead of it */
    uint32_t taken;
    uint64_t mark; /* its bytes are the first of this stream */
    uint32_t len;
};

/* The part of a broadcast's bytes, or of the client's own stream, that begins at POSITION: where,
 * and how far it goes. */
static uint64_t broadcasting__part(world_t *world, rec_t *rec, uint64_t *position, size_t *len)
{
    while (rec->cast_first != 0) {
        const cast_t *cast = &world->casts[rec->cast_first - 1];
        if (*position < cast->position) {
            uint64_t before = cast->position - *position;
            *len = *len < before ? *len : (size_t)before;
            break;
        }
        if (*position < cast->position + cast->len) {
            uint64_t left = cast->position + cast->len - *position;
            *len = *len < left ? *len : (size_t)left;
            *position -= cast->position;
            return cast->mark;
        }
        rec->cast_first = cast->next; /* the client has all of it */
    }
    return stream_of_server(rec->number);
}

size_t broadcasting_match(void *context, uint32_t conn, uint64_t position, const char *bytes,
                          size_t len)
{
    world_t *world = context;
    if (world->rec_of_conn[conn] == 0) {
        return 0; /* nobody has met this client */
    }
    rec_t *rec = &world->recs[world->rec_of_conn[conn] - 1];
    size_t matched = 0;
    while (matched < len) {
        uint64_t at = position + matched;
        size_t part = len - matched;
        uint64_t mark = broadcasting__part(world, rec, &at, &part);
        size_t good = stream_match(mark, at, bytes + matched, part);
        matched += good;
        if (good < part) {
            break;
        }
    }
    return matched;
}

static bool broadcasting__may_take(const world_t *world, const slot_t *slot, uint32_t len)
{
    const session_t *session = &slot->session;
    return slot->state == SLOT_OPEN && !session->fin_wanted && !session->write_full &&
           session->out.bytes + len <= world->config.engine.write_limit;
}

void broadcasting_note(world_t *world, rec_t *rec, uint64_t mark, uint32_t len)
{
    cast_t *cast = &world->casts[world->casts_count++];
    *cast = (cast_t){.mark = mark, .position = rec->accepted, .len = len};
    if (rec->cast_first == 0) {
        rec->cast_first = world->casts_count;
    } else {
        world->casts[rec->cast_last - 1].next = world->casts_count;
    }
    rec->cast_last = world->casts_count;
    rec->accepted += len;
}

void broadcasting_taken(world_t *world, const shared_t *message, const slot_t *slot)
{
    broadcast_t *broadcast = world->broadcasts;
    while (broadcast != NULL && broadcast->message != message) {
        broadcast = broadcast->below;
    }
    if (broadcast == NULL) {
        world_fail(world, "a message is queued after its broadcast");
    }
    uint32_t at = broadcast->next;
    while (at < broadcast->count && broadcast->recs[at]->token != slot->token) {
        at++;
    }
    if (at == broadcast->count) {
        world_fail(world, "a broadcast goes to a stranger, out of order, or twice");
    }
    broadcast->next = at + 1;
    broadcast->taken++;
    if (!broadcasting__may_take(world, slot, broadcast->len)) {
        world_fail(world, "a broadcast goes to client %u, which is full or ends",
                   (unsigned)broadcast->recs[at]->number);
    }
    rec_t *rec = broadcast->recs[at];
    rec->fulls += slot->session.out.bytes + broadcast->len > world->config.engine.write_high;
    broadcasting_note(world, rec, broadcast->mark, broadcast->len);
}

/* Whether what SLOT has queued leaves first, as BATCH has only held it back: whether there is room
 * then, its peer decides. */
static bool broadcasting__leaves_first(const world_t *world, const slot_t *slot, uint32_t len,
                                       const batch_t *batch)
{
    const session_t *session = &slot->session;
    return slot->state == SLOT_OPEN && !session->fin_wanted && batch != NULL &&
           slot->dirty == batch && session->out.bytes + len > world->config.engine.write_limit;
}

/* Some of the latest clients, and how many of them would take the message now. */
static void broadcasting__choose(world_t *world, broadcast_t *broadcast, const batch_t *batch)
{
    uint32_t last = rng_below(&world->rng, 3) == 0 ? RECEIVERS_MAX : 12;
    last = last < world->recs_count ? last : world->recs_count;
    uint32_t turn = rng_below(&world->rng, last);
    for (uint32_t i = 0; i < last; i++) {
        rec_t *rec = &world->recs[world->recs_count - 1 - (i + turn) % last];
        if (rec->sending || rng_below(&world->rng, 4) == 0) {
            continue;
        }
        const slot_t *slot = table_find(&world->engine->table, rec->token);
        if (slot->token == rec->token) {
            broadcast->may += broadcasting__may_take(world, slot, broadcast->len);
            broadcast->unsure += broadcasting__leaves_first(world, slot, broadcast->len, batch);
        }
        /* A limit that is too near owes a drain event, too. */
        rec->fulls += world->config.engine.write_limit != UINT64_MAX;
        rec->sending = true;
        broadcast->recs[broadcast->count++] = rec;
    }
}

static shared_t *broadcasting__make(world_t *world, const broadcast_t *broadcast)
{
    char *bytes = world->scratch;
    void *owner = NULL;
    if (rng_below(&world->rng, 2) == 0) {
        owner = sending_own(world, broadcast->len, &bytes);
        if (owner == NULL) {
            return NULL;
        }
    }
    stream_fill(broadcast->mark, 0, bytes, broadcast->len);
    shared_t *message = shared_new(bytes, broadcast->len, owner, broadcast->count);
    if (message == NULL && owner != NULL) {
        sending_disown(world, owner, bytes);
    }
    return message;
}

/* Sends gone by: what is certain of the engine's count, and what may be either. */
static void broadcasting__count_stale(world_t *world, const broadcast_t *broadcast,
                                      const bool *live)
{
    for (uint32_t i = 0; i < broadcast->count; i++) {
        const rec_t *rec = broadcast->recs[i];
        const slot_t *slot = table_find(&world->engine->table, rec->token);
        world->stale_sends += !live[i];
        world->stale_unsure += live[i] && slot->token != rec->token;
    }
}

static void broadcasting__send(world_t *world, broadcast_t *broadcast, shared_t *message,
                               batch_t *batch)
{
    token_t to[RECEIVERS_MAX];
    bool live[RECEIVERS_MAX];
    for (uint32_t i = 0; i < broadcast->count; i++) {
        to[i] = broadcast->recs[i]->token;
        live[i] = table_find(&world->engine->table, to[i])->token == to[i];
    }
    broadcast->message = message;
    broadcast->below = world->broadcasts;
    world->broadcasts = broadcast;
    uint64_t preemptions = world->totals->preemptions;
    size_t queued = engine_broadcast(world->engine, message, to, broadcast->count, batch);
    world->broadcasts = broadcast->below;
    world->totals->broadcasts++;
    if (queued != broadcast->taken) {
        world_fail(world, "a broadcast says that %u have it, and %u do", (unsigned)queued,
                   broadcast->taken);
    }
    bool right = queued >= broadcast->may && queued <= broadcast->may + broadcast->unsure;
    if (!right && preemptions == world->totals->preemptions) {
        world_fail(world, "a broadcast was queued to %u clients instead of %u to %u",
                   (unsigned)queued, broadcast->may, broadcast->may + broadcast->unsure);
    }
    broadcasting__count_stale(world, broadcast, live);
}

bool broadcasting_try(world_t *world, batch_t *batch)
{
    uint32_t odds = world->config.odds_broadcast;
    bool room =
        world->casts_count + RECEIVERS_MAX + ANSWERS_MAX <= CASTS_MAX && world->recs_count > 0;
    if (odds == 0 || rng_below(&world->rng, 1024) >= odds || !room) {
        return false;
    }
    broadcast_t broadcast = {.mark = BROADCAST_MARK + world->casts_count};
    broadcast.len = 1 + rng_below(&world->rng, 64);
    sim_trace(world->io, "broadcast", broadcast.len, batch != NULL);
    broadcasting__choose(world, &broadcast, batch);
    shared_t *message = broadcast.count == 0 ? NULL : broadcasting__make(world, &broadcast);
    if (message != NULL) {
        sendq_t done;
        sendq_init(&done);
        broadcasting__send(world, &broadcast, message, batch);
        shared_close(message, &done);
        sending_release(world, &done);
    }
    for (uint32_t i = 0; i < broadcast.count; i++) {
        broadcast.recs[i]->sending = false;
    }
    return true;
}
