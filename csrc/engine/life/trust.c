/* trust.c: networks of which each address is trusted. */
#include "trust.h"

#include "ip.h"

static bool has(const network_t *network, ip_t ip)
{
    bool is_4 = network->addr.version == 4;
    if (is_4 && !ip_is_4(ip)) {
        return false;
    }
    uint32_t bits = network->bits + (is_4 ? IP_MAPPED_BITS : 0);
    ip_t net = ip_cut(ip_of(&network->addr), bits);
    ip_t own = ip_cut(ip, bits);
    return net.high == own.high && net.low == own.low;
}

bool trust_has(const trust_t *trust, const io_addr_t *addr)
{
    ip_t ip = ip_of(addr);
    for (uint32_t i = 0; i < trust->count; i++) {
        if (has(&trust->networks[i], ip)) {
            return true;
        }
    }
    return false;
}
