/* peers.c: how many clients are connected from each address. */
#include "peers.h"

#include <stdlib.h>

#include "../../base/check.h"
#include "ip.h"

#define SIZE_MIN 16u

/* An IPv4 address is cut as IPv4's, wherever it stands. */
static place_t key_of(const peers_t *peers, const io_addr_t *addr)
{
    ip_t ip = ip_of(addr);
    ip_t net = ip_cut(ip, ip_is_4(ip) ? IP_MAPPED_BITS + peers->prefix_4 : peers->prefix_6);
    return (place_t){.high = net.high, .low = net.low};
}

static uint64_t mix(uint64_t word)
{
    word = (word ^ word >> 30) * 0xBF58476D1CE4E5B9u;
    word = (word ^ word >> 27) * 0x94D049BB133111EBu;
    return word ^ word >> 31;
}

/* Where KEY belongs. */
static uint32_t home_of(const peers_t *peers, const place_t *key)
{
    return (uint32_t)mix(mix(peers->seed ^ key->high) ^ key->low) & (peers->size - 1);
}

/* Where KEY is, or the free place where it would be. There is a free one. */
static place_t *find(const peers_t *peers, const place_t *key)
{
    uint32_t place = home_of(peers, key);
    for (;;) {
        place_t *peer = &peers->places[place];
        if (peer->count == 0 || (peer->high == key->high && peer->low == key->low)) {
            return peer;
        }
        place = (place + 1) & (peers->size - 1);
    }
}

/* Moves all to a table of SIZE places; where there is no memory, all stays as it is. */
static void resize(peers_t *peers, uint32_t size)
{
    place_t *places = calloc(size, sizeof *places);
    if (places == NULL) {
        return;
    }
    peers_t old = *peers;
    peers->places = places;
    peers->size = size;
    for (uint32_t i = 0; i < old.size; i++) {
        if (old.places[i].count > 0) {
            *find(peers, &old.places[i]) = old.places[i];
        }
    }
    free(old.places);
}

void peers_init(peers_t *peers, uint64_t seed, uint32_t prefix_4, uint32_t prefix_6)
{
    *peers = (peers_t){.seed = mix(seed), .prefix_4 = prefix_4, .prefix_6 = prefix_6};
}

void peers_destroy(peers_t *peers)
{
    free(peers->places);
}

bool peers_enter(peers_t *peers, const io_addr_t *addr, uint32_t limit)
{
    if (peers->used >= peers->size / 2) {
        resize(peers, peers->size == 0 ? SIZE_MIN : peers->size * 2);
    }
    if (peers->size == 0) {
        return false;
    }
    place_t key = key_of(peers, addr);
    place_t *peer = find(peers, &key);
    if (peer->count == 0) {
        /* Without memory it fills up further, but one place stays free: searches end there. */
        if (peers->used + 1 == peers->size) {
            return false;
        }
        *peer = key;
        peers->used++;
    }
    bool room = peer->count < limit;
    peer->count += room;
    return room;
}

/* Frees PLACE, and closes the gap: what lies behind it and could not be found any more moves. */
static void vacate(peers_t *peers, uint32_t place)
{
    uint32_t mask = peers->size - 1;
    uint32_t next = place;
    for (;;) {
        next = (next + 1) & mask;
        const place_t *peer = &peers->places[next];
        if (peer->count == 0) {
            break;
        }
        uint32_t home = home_of(peers, peer);
        if (((next - home) & mask) >= ((next - place) & mask)) {
            peers->places[place] = *peer;
            place = next;
        }
    }
    peers->places[place] = (place_t){0};
    peers->used--;
}

void peers_leave(peers_t *peers, const io_addr_t *addr)
{
    place_t key = key_of(peers, addr);
    place_t *peer = find(peers, &key);
    CHECK(peer->count > 0);
    peer->count--;
    if (peer->count > 0) {
        return;
    }
    vacate(peers, (uint32_t)(peer - peers->places));
    if (peers->size > SIZE_MIN && peers->used < peers->size / 8) {
        resize(peers, peers->size / 2);
    }
}
