/* trust.h: networks of which each address is trusted. */
#ifndef IOCPREUSE_ENGINE_TRUST_H
#define IOCPREUSE_ENGINE_TRUST_H

#include <stdbool.h>
#include <stdint.h>

#include "../../io/addr.h"

/* The addresses whose first BITS bits are ADDR's: up to 32 or 128. */
typedef struct {
    io_addr_t addr;
    uint32_t bits;
} network_t;

typedef struct {
    const network_t *networks;
    uint32_t count;
} trust_t;

/* Whether ADDR is in one of them. An IPv4 address mapped into IPv6 is the IPv4 address. */
bool trust_has(const trust_t *trust, const io_addr_t *addr);

#endif
