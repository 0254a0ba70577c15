/* ip.h: an IP address as a number of 128 bits; an IPv4 one stands where IPv6 maps it. */
#ifndef IOCPREUSE_ENGINE_IP_H
#define IOCPREUSE_ENGINE_IP_H

#include <stdbool.h>
#include <stdint.h>

#include "../../io/addr.h"

/* Where IPv4 begins: ::ffff:0.0.0.0, its lower half, and the bits in front of an address. */
#define IP_MAPPED      0xFFFF00000000ull
#define IP_MAPPED_BITS 96u

typedef struct {
    uint64_t high;
    uint64_t low;
} ip_t;

static inline uint64_t ip_word(const uint8_t *bytes)
{
    uint64_t word = 0;
    for (int i = 0; i < 8; i++) {
        word = word << 8 | bytes[i];
    }
    return word;
}

static inline ip_t ip_of(const io_addr_t *addr)
{
    if (addr->version == 6) {
        return (ip_t){ip_word(addr->ip), ip_word(addr->ip + 8)};
    }
    return (ip_t){0, IP_MAPPED | ip_word(addr->ip) >> 32};
}

/* Whether it is one of IPv4, or mapped. */
static inline bool ip_is_4(ip_t ip)
{
    return ip.high == 0 && (ip.low & ~0xFFFFFFFFull) == IP_MAPPED;
}

/* Its first BITS bits, 0 to 64, of a WORD. */
static inline uint64_t ip_first_bits(uint64_t word, uint32_t bits)
{
    return bits == 0 ? 0 : word & ~0ull << (64 - bits);
}

/* The network of BITS bits, 0 to 128, that IP is in. */
static inline ip_t ip_cut(ip_t ip, uint32_t bits)
{
    return (ip_t){ip_first_bits(ip.high, bits < 64 ? bits : 64),
                  ip_first_bits(ip.low, bits < 64 ? 0 : bits - 64)};
}

#endif
