/* toying.c: the clients of worlds with a filter, and what the application hears of those that it
 * does not get to know. */
#include "toying.h"

#include <stdlib.h>

#include "../../csrc/io/sim/stream.h"
#include "toy.h"
#include "toy_filter.h"

void *__real_realloc(void *memory, size_t size);
void __real_free(void *memory);

/* How a client shakes hands. */
typedef enum {
    MANNER_PATIENT, /* waits for our part, and so on */
    MANNER_EAGER,   /* says all at once */
    MANNER_MUTE,    /* nothing */
    MANNER_HALF,    /* stops in the middle */
    MANNER_NOISE,   /* says something else */
    MANNER_BAD      /* as the patient; and later what is no record */
} manner_t;

/* A record of data on its way to a client: it ends behind so many bytes, and has brought it so many
 * plain ones in all. */
typedef struct {
    uint64_t wire;
    uint64_t plain;
} mark_t;

typedef struct toy_client {
    manner_t manner;
    char *wire; /* all that it says */
    uint32_t wire_len;
    uint32_t wire_room;
    uint32_t told; /* of these, written */
    uint64_t plain;
    uint64_t bye_at; /* its goodbye is whole with so many; 0 = none */
    bool hello;
    bool done;
    bool bad;
    toy_way_t way;

    toy_way_t from; /* what comes from the server: */
    uint64_t got;
    uint64_t plain_got;
    uint64_t welcome_at; /* it is whole with so many; 0 = it has not come */
    bool bidden;
    bool alerted;
    mark_t *marks;
    uint32_t marks_count;
    uint32_t marks_room;
} toy_client_t;

static const char *const toying__names[] = {
#define TOY_NAME(name) #name,
    TOY_COUNTS(TOY_NAME)
#undef TOY_NAME
};

const char *toying_name(toy_count_t what)
{
    return toying__names[what];
}

static void *toying__grow(void *memory, size_t size)
{
    void *grown = __real_realloc(memory, size);
    if (grown == NULL) {
        (void)fputs("sim: no memory for the world itself\n", stderr);
        exit(2);
    }
    return grown;
}

bool toying_is_on(const world_t *world)
{
    return world->config.engine.filter != NULL;
}

void toying_begin(world_t *world)
{
    rng_t *rng = &world->toying.rng;
    rng->state = rng_mix(world->plan.seed ^ 0x70AEu);
    world->toying.failed = toying__grow(NULL, SLOTS_MAX * sizeof(token_t));
    memset(world->toying.failed, 0, SLOTS_MAX * sizeof(token_t));
    world->config.engine.handshakes_max = 1 + rng_below(rng, 4);
    world->config.engine.handshake_timeout_ns = 20 * NS_PER_MS << rng_below(rng, 12);
    if (rng_below(rng, 4) == 0) {
        world->config.engine.filter = &toy_types[rng_below(rng, TOY_TYPES)];
    }
}

void toying_end(world_t *world)
{
    toying_t *toying = &world->toying;
    for (uint64_t i = 0; i < toying->count; i++) {
        if (toying->clients[i] != NULL) {
            __real_free(toying->clients[i]->wire);
            __real_free(toying->clients[i]->marks);
            __real_free(toying->clients[i]);
        }
    }
    __real_free(toying->clients);
    __real_free(toying->failed);
}

static toy_client_t *toying__make(world_t *world, uint64_t number)
{
    static const manner_t manners[] = {
        MANNER_PATIENT, MANNER_PATIENT, MANNER_PATIENT, MANNER_PATIENT, MANNER_PATIENT,
        MANNER_EAGER,   MANNER_EAGER,   MANNER_EAGER,   MANNER_EAGER,   MANNER_MUTE,
        MANNER_HALF,    MANNER_NOISE,   MANNER_BAD};
    toy_client_t *client = toying__grow(NULL, sizeof *client);
    *client = (toy_client_t){.way = {.number = number}, .from = {.number = number}};
    client->manner = manners[rng_below(&world->toying.rng, sizeof manners / sizeof manners[0])];
    return client;
}

static toy_client_t *toying__at(world_t *world, uint64_t number)
{
    toying_t *toying = &world->toying;
    while (toying->count <= number) {
        if (toying->count == toying->room) {
            toying->room = toying->room == 0 ? 64 : toying->room * 2;
            toying->clients =
                toying__grow(toying->clients, (size_t)toying->room * sizeof(toy_client_t *));
        }
        toying->clients[toying->count++] = NULL;
    }
    if (toying->clients[number] == NULL) {
        toying->clients[number] = toying__make(world, number);
    }
    return toying->clients[number];
}

static toy_client_t *toying__of(const world_t *world, uint32_t conn)
{
    return toying__at((world_t *)(uintptr_t)world, sim_client_number(world->io, conn));
}

/* What CLIENT says next, all or in part. */
static void toying__tell(world_t *world, toy_client_t *client, uint32_t conn)
{
    uint32_t left = client->wire_len - client->told;
    uint32_t part =
        rng_below(&world->toying.rng, 4) == 0 ? rng_below(&world->toying.rng, left + 1) : left;
    if (part > 0) {
        client->told += part;
        sim_client_write(world->io, conn, part);
    }
}

static void toying__add(toy_client_t *client, const char *bytes, uint32_t len)
{
    while (client->wire_len + len > client->wire_room) {
        client->wire_room = client->wire_room == 0 ? 256 : client->wire_room * 2;
        client->wire = toying__grow(client->wire, client->wire_room);
    }
    memcpy(client->wire + client->wire_len, bytes, len);
    client->wire_len += len;
}

static void toying__say(toy_client_t *client, toy_type_t type, const char *plain, uint32_t len)
{
    char bytes[TOY_MAX];
    uint32_t size = toy_write(&client->way, type, plain, len, bytes);
    toying__add(client, bytes, size);
}

static void toying__noise(world_t *world, toy_client_t *client)
{
    char noise[24];
    for (uint32_t i = 0; i < sizeof noise; i++) {
        noise[i] = (char)rng_next(&world->toying.rng);
    }
    toying__add(client, noise, sizeof noise);
    client->bad = true;
}

void toying_greet(world_t *world, uint32_t conn)
{
    if (!toying_is_on(world)) {
        return;
    }
    toy_client_t *client = toying__of(world, conn);
    bool waits = client->manner != MANNER_EAGER;
    if (client->manner == MANNER_MUTE || client->bad) {
        return;
    }
    if (!client->hello) {
        client->hello = true;
        if (client->manner == MANNER_NOISE) {
            toying__noise(world, client);
        } else {
            toying__say(client, TOY_HELLO, "name", 4);
        }
    }
    bool welcome =
        client->welcome_at != 0 && sim_client_has_read(world->io, conn) >= client->welcome_at;
    if (!client->done && !client->bad && client->manner != MANNER_HALF && (!waits || welcome)) {
        client->done = true;
        world->totals->toys[TOY_eager] += !waits;
        toying__say(client, TOY_DONE, "", 0);
    }
    toying__tell(world, client, conn);
}

bool toying_write(world_t *world, uint32_t conn, uint32_t bytes)
{
    rng_t *rng = &world->toying.rng;
    toy_client_t *client = toying__of(world, conn);
    if (!client->done || client->bad) {
        return false;
    }
    while (bytes > 0) {
        char plain[TOY_BODY_MAX];
        uint32_t len = 1 + rng_below(rng, bytes);
        stream_fill(stream_of_client(client->way.number), client->plain, plain, len);
        toying__say(client, TOY_DATA, plain, len);
        client->plain += len;
        bytes -= len;
        if (rng_below(rng, 16) == 0) {
            toying__say(client, TOY_REKEY, "", 0);
        }
    }
    if (client->manner == MANNER_BAD && rng_below(rng, 4) == 0) {
        toying__noise(world, client);
    }
    toying__tell(world, client, conn);
    return true;
}

void toying_bye(world_t *world, uint32_t conn)
{
    if (!toying_is_on(world)) {
        return;
    }
    rng_t *rng = &world->toying.rng;
    toy_client_t *client = toying__of(world, conn);
    if (client->done && !client->bad && rng_below(rng, 4) != 0) {
        toying__say(client, TOY_BYE, "", 0);
        client->bye_at = client->wire_len;
        if (rng_below(rng, 4) == 0) {
            toying__say(client, TOY_DATA, "more", 4); /* which nobody wants to hear */
        }
    }
    if (rng_below(rng, 8) != 0) {
        uint32_t left = client->wire_len - client->told;
        client->told += left;
        sim_client_write(world->io, conn, left);
    }
}

void toying_fill(void *context, uint64_t number, uint64_t position, char *out, size_t len)
{
    world_t *world = context;
    if (!toying_is_on(world)) {
        stream_fill(stream_of_client(number), position, out, len);
        return;
    }
    memcpy(out, toying__at(world, number)->wire + position, len);
}

/* The record that has come is what the server may send now. */
static bool toying__hear(world_t *world, toy_client_t *client, uint32_t conn, toy_type_t type,
                         const char *plain, uint32_t len)
{
    if (client->bidden || client->alerted) {
        return false;
    }
    switch (type) {
    case TOY_WELCOME:
        client->welcome_at = client->got;
        return client->hello && client->from.count == 1;
    case TOY_TICKET:
    case TOY_REKEY:
        return client->done;
    case TOY_ALERT:
        client->alerted = true;
        return client->bad || (client->told < client->wire_len);
    case TOY_BYE:
        client->bidden = true;
        world->totals->toys[TOY_goodbyes]++;
        return client->done;
    case TOY_DATA:
        if (broadcasting_match(world, conn, client->plain_got, plain, len) != len) {
            return false;
        }
        client->plain_got += len;
        if (client->marks_count == client->marks_room) {
            client->marks_room = client->marks_room == 0 ? 16 : client->marks_room * 2;
            client->marks = toying__grow(client->marks, client->marks_room * sizeof(mark_t));
        }
        client->marks[client->marks_count++] = (mark_t){client->got, client->plain_got};
        return client->done && len > 0;
    default:
        return false;
    }
}

size_t toying_match(void *context, uint32_t conn, uint64_t position, const char *bytes, size_t len)
{
    world_t *world = context;
    if (!toying_is_on(world)) {
        return broadcasting_match(world, conn, position, bytes, len);
    }
    toy_client_t *client = toying__of(world, conn);
    if (client->got != position) {
        return 0;
    }
    size_t left = len;
    while (left > 0) {
        uint32_t used = toy_read(&client->from, bytes, (uint32_t)left);
        char plain[TOY_BODY_MAX];
        toy_type_t type;
        uint32_t plain_len;
        client->got += used;
        bytes += used;
        left -= used;
        toy_state_t state = toy_take(&client->from, &type, plain, &plain_len);
        if (state == TOY_BAD ||
            (state == TOY_WHOLE && !toying__hear(world, client, conn, type, plain, plain_len))) {
            return 0;
        }
    }
    return len;
}

uint64_t toying_written(const world_t *world, uint32_t conn)
{
    return toying_is_on(world) ? toying__of(world, conn)->plain
                               : sim_client_written(world->io, conn);
}

uint64_t toying_taken(const world_t *world, uint32_t conn)
{
    if (!toying_is_on(world)) {
        return sim_conn_taken(world->io, conn);
    }
    const toy_client_t *client = toying__of(world, conn);
    bool data = client->from.have >= 3 && client->from.bytes[0] == TOY_DATA;
    return client->plain_got + (data ? toy_promised(&client->from) : 0);
}

uint64_t toying_plain(const world_t *world, uint32_t conn, uint64_t wire)
{
    if (!toying_is_on(world)) {
        return wire;
    }
    const toy_client_t *client = toying__of(world, conn);
    uint64_t plain = 0;
    for (uint32_t i = 0; i < client->marks_count; i++) {
        const mark_t *mark = &client->marks[i];
        uint64_t lacking = wire < mark->wire ? mark->wire - wire : 0;
        uint64_t len = mark->plain - plain;
        if (lacking > 0) {
            return plain + (lacking < len ? len - lacking : 0);
        }
        plain = mark->plain;
    }
    return plain;
}

bool toying_has_ended(const world_t *world, uint32_t conn)
{
    if (!toying_is_on(world)) {
        return sim_conn_has_fin(world->io, conn);
    }
    const toy_client_t *client = toying__of(world, conn);
    return client->bye_at != 0 && client->bye_at <= client->told;
}

bool toying_is_bad(const world_t *world, uint32_t conn)
{
    return toying__of(world, conn)->bad;
}

bool toying_is_cut_off(const world_t *world, uint32_t conn)
{
    bool cut_off =
        toying_is_on(world) && sim_conn_has_fin(world->io, conn) && !toying_has_ended(world, conn);
    world->totals->toys[TOY_truncated] += cut_off;
    return cut_off;
}

/* Whether a client that never opened may end as ENDING says. */
static bool toying__may_fail(world_t *world, const slot_t *slot, const ending_t *ending)
{
    uint32_t conn = patience_conn_of(world, slot);
    switch (ending->reason) {
    case REASON_HANDSHAKE_TIMEOUT:
        world->totals->toys[TOY_failed_timeout]++;
        return world->timed_out[slot->index] == slot->token;
    case REASON_TLS_ERROR:
        world->totals->toys[TOY_failed_garbage] += toying_is_bad(world, conn);
        return toying_is_bad(world, conn) || sim_conn_has_fin(world->io, conn);
    case REASON_SHUTDOWN:
        return world->stop_asked;
    case REASON_PEER_RESET:
    case REASON_NETWORK:
        return ending->has_status;
    default:
        return false;
    }
}

static void toying__failed(world_t *world, const event_t *event)
{
    const ending_t *ending = &event->slot->session.ending;
    world->ends[ending->reason]++;
    world->toying.failed[event->slot->index] = event->token;
    world->toying.failures++;
    world->totals->toys[TOY_failed]++;
    if (!ending->known || !toying__may_fail(world, event->slot, ending)) {
        world_fail(world, "slot %u: a handshake failed for reason %d, and it is not so",
                   event->slot->index, (int)ending->reason);
    }
    if (event->slot->session.ending.unsent_bytes > 0 || engine_lost_request(event) != NULL) {
        world_fail(world, "slot %u: something was queued for a client that nobody knows",
                   event->slot->index);
    }
    sim_trace(world->io, "failed", event->token, ending->reason);
    toying_close(world, event);
}

bool toying_hear(world_t *world, event_t *event)
{
    if (event->kind == EVENT_FAILED) {
        if (*event->user != NULL) {
            world_fail(world, "a session that had opened fails");
        }
        toying__failed(world, event);
        return true;
    }
    if (event->kind == EVENT_FILTER) {
        uint32_t conn = sim_conn_of(world->io, event->slot->sock);
        if (*event->user != NULL || engine_filter(event) != NULL) {
            world_fail(world, "slot %u: a second filter is asked for", event->slot->index);
        }
        engine_set_filter(world->engine, event, toy_new(world, sim_client_number(world->io, conn)));
        return true;
    }
    return false;
}

bool toying_has_lost(const world_t *world, const session_t *session, const rec_t *rec)
{
    return toying_is_on(world) && recutting_framing(world, rec)->kind == FRAMING_NONE &&
           session->bytes_received > rec->heard;
}

void toying_close(world_t *world, const event_t *event)
{
    (void)world;
    free(engine_filter(event));
}

bool toying_check_recycled(world_t *world, const slot_t *slot)
{
    if (!toying_is_on(world)) {
        return false;
    }
    uint32_t conn = sim_conn_of(world->io, slot->sock);
    bool failed = world->toying.failed[slot->index] == slot->token;
    if (failed && !sim_conn_has_fin(world->io, conn)) {
        world_fail(world, "slot %u is recycled, and its client may still be there", slot->index);
    }
    return failed;
}
