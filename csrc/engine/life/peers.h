/* peers.h: how many clients are connected from each address: a hash table that forgets an address
 * with its last client. Its owner's lock guards it. */
#ifndef IOCPREUSE_ENGINE_PEERS_H
#define IOCPREUSE_ENGINE_PEERS_H

#include <stdbool.h>
#include <stdint.h>

#include "../../io/addr.h"

/* A place is free while COUNT is 0. */
typedef struct {
    uint64_t high; /* the IPv6 address, or the IPv4 one mapped into it */
    uint64_t low;
    uint32_t count;
} place_t;

typedef struct {
    place_t *places;
    uint32_t size;     /* a power of two, or 0 */
    uint32_t used;     /* addresses */
    uint64_t seed;     /* so that nobody can choose addresses that collide */
    uint32_t prefix_4; /* bits of an IPv4 address that tell one from another, at most 32 */
    uint32_t prefix_6; /* and of an IPv6 one, at most 128 */
} peers_t;

void peers_init(peers_t *peers, uint64_t seed, uint32_t prefix_4, uint32_t prefix_6);
void peers_destroy(peers_t *peers);

/* Counts a client in; false where its address has LIMIT of them (at least 1), or there
 * is no memory. An
 * IPv4 address mapped into IPv6 is the IPv4 address. */
bool peers_enter(peers_t *peers, const io_addr_t *addr, uint32_t limit);

/* Counts one out that came in. */
void peers_leave(peers_t *peers, const io_addr_t *addr);

#endif
