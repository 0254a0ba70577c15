/* crowd.c: the clients. */
#include "toying.h"

static uint64_t crowd__pause_ns(world_t *world)
{
    uint64_t most_ns = world->config.think_ns;
    return rng_below(&world->rng, 4) == 0 ? rng_next(&world->rng) % most_ns
                                          : rng_next(&world->rng) % (most_ns / 64 + 1);
}

static void crowd__forget(world_t *world, uint32_t place)
{
    sim_client_leave(world->io, world->clients[place].conn);
    world->clients[place] = world->clients[--world->clients_count];
}

bool crowd_connect(world_t *world)
{
    uint64_t now_ns = io_now_ns(world->io);
    if (now_ns < world->connect_next_ns || world->clients_count >= world->config.clients_max ||
        world->recs_count + 2 * CLIENTS_MAX > SESSIONS_MAX) {
        return false;
    }
    if (world->burst_left == 0) {
        world->burst_left = 1 + rng_below(&world->rng, world->config.burst_max);
    }
    world->burst_left--;
    if (world->burst_left == 0) {
        world->connect_next_ns = now_ns + crowd__pause_ns(world);
    }
    uint32_t conn = sim_connect(world->io, 1 + rng_below(&world->rng, 512));
    if (conn == SIM_CONN_NONE) {
        world->connect_next_ns = now_ns + NS_PER_MS;
        return false;
    }
    client_t *client = &world->clients[world->clients_count++];
    *client = (client_t){.conn = conn};
    client->kind = rng_below(&world->rng, 2) == 0
                       ? CLIENT_POLITE
                       : (client_kind_t)rng_below(&world->rng, CLIENT_KINDS);
    client->to_write =
        rng_below(&world->rng, 4) == 0 ? rng_below(&world->rng, 2000) : rng_below(&world->rng, 100);
    client->acts_left = 2 + rng_below(&world->rng, 12);
    world->totals->clients++;
    return true;
}

static void crowd__read(world_t *world, client_t *client, uint32_t max)
{
    world->totals->bytes_to_clients += sim_client_read(world->io, client->conn, max);
}

static void crowd__write(world_t *world, client_t *client)
{
    uint32_t part = 1 + rng_below(&world->rng, 64);
    part = part < client->to_write ? part : client->to_write;
    if (part > 0 && !client->fin) {
        if (!toying_is_on(world)) {
            sim_client_write(world->io, client->conn, part);
        } else if (!toying_write(world, client->conn, part)) {
            return;
        }
        client->to_write -= part;
    }
}

static void crowd__shutdown(world_t *world, client_t *client)
{
    client->fin = true;
    toying_bye(world, client->conn);
    sim_client_shutdown(world->io, client->conn);
}

/* What a client of each kind does next. False: it leaves. */
static bool crowd__play(world_t *world, client_t *client)
{
    client->acts_left -= client->acts_left > 0;
    bool over = client->acts_left == 0;
    bool sees_end = sim_client_sees_end(world->io, client->conn);
    if (!client->fin) {
        toying_greet(world, client->conn);
    }
    if (client->kind != CLIENT_SILENT && client->kind != CLIENT_VANISHER) {
        crowd__write(world, client);
    }
    switch (client->kind) {
    case CLIENT_POLITE:
        crowd__read(world, client, UINT32_MAX);
        if (over && !client->fin && rng_below(&world->rng, 2) == 0) {
            crowd__shutdown(world, client); /* and goes on reading, until our end */
        }
        return !(sees_end || (over && !client->fin && rng_below(&world->rng, 3) == 0));
    case CLIENT_HASTY:
        return !over;
    case CLIENT_RESETTER:
        crowd__read(world, client, UINT32_MAX);
        if (over) {
            sim_client_reset(world->io, client->conn);
        }
        return !over;
    case CLIENT_VANISHER:
        if (over) {
            uint64_t dies_ns = rng_below(&world->rng, 2) == 0
                                   ? UINT64_MAX
                                   : io_now_ns(world->io) + rng_next(&world->rng) % (90 * NS_PER_S);
            sim_client_vanish(world->io, client->conn, dies_ns);
        }
        return !over;
    case CLIENT_SILENT:
    case CLIENT_DEAF:
        if (over && !client->fin) {
            crowd__shutdown(world, client);
            client->acts_left = 64;
            return true;
        }
        return !over;
    case CLIENT_SLOW:
        crowd__read(world, client, 1 + rng_below(&world->rng, 4));
        if (over && !client->fin) {
            crowd__shutdown(world, client);
            client->acts_left = 200;
            return true;
        }
        return !(over || sees_end);
    case CLIENT_KEEPER:
        crowd__read(world, client, UINT32_MAX);
        if (over && !sees_end) {
            client->acts_left = 4;
            return true;
        }
        return !over;
    case CLIENT_KINDS:
        break;
    }
    return false;
}

bool crowd_act(world_t *world)
{
    if (world->clients_count == 0) {
        return false;
    }
    uint32_t place = rng_below(&world->rng, world->clients_count);
    client_t *client = &world->clients[place];
    uint64_t now_ns = io_now_ns(world->io);
    if (now_ns < client->next_ns) {
        return false;
    }
    sim_trace(world->io, "client", sim_client_number(world->io, client->conn), client->kind);
    if (sim_client_is_reset(world->io, client->conn) || !crowd__play(world, client)) {
        crowd__forget(world, place);
        return true;
    }
    client->next_ns = now_ns + crowd__pause_ns(world);
    return true;
}

uint64_t crowd_next_ns(const world_t *world)
{
    uint64_t next_ns = UINT64_MAX;
    if (!world->stop_asked && world->clients_count < world->config.clients_max) {
        next_ns = world->connect_next_ns;
    }
    for (uint32_t i = 0; i < world->clients_count; i++) {
        if (world->clients[i].next_ns < next_ns) {
            next_ns = world->clients[i].next_ns;
        }
    }
    return next_ns;
}

void crowd_leave(world_t *world)
{
    while (world->clients_count > 0) {
        crowd__forget(world, world->clients_count - 1);
    }
}
