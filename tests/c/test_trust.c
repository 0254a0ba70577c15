/* test_trust.c: an address is in a network if its first bits are the network's. */
#include <stdlib.h>
#include <string.h>

#include "../../csrc/engine/bytes/ip_text.h"
#include "../../csrc/engine/life/trust.h"
#include "tally.h"

static tally_t tally;

static io_addr_t make(const char *text)
{
    io_addr_t addr;
    uint8_t version = strchr(text, ':') != NULL ? 6 : 4;
    if (!ip_read(text, strlen(text), version, &addr)) {
        abort();
    }
    return addr;
}

static bool in(const char *network, uint32_t bits, const char *address)
{
    network_t networks[] = {{make("203.0.113.77"), 32}, {make(network), bits}};
    trust_t trust = {networks, 2};
    io_addr_t addr = make(address);
    return trust_has(&trust, &addr);
}

int main(void)
{
    static const struct {
        const char *network;
        uint32_t bits;
        const char *address;
        bool in;
    } cases[] = {
        {"10.0.0.0", 8, "10.255.0.1", true},          {"10.0.0.0", 8, "11.0.0.1", false},
        {"192.0.2.7", 32, "192.0.2.7", true},         {"192.0.2.7", 32, "192.0.2.6", false},
        {"192.0.2.7", 31, "192.0.2.6", true},         {"0.0.0.0", 0, "198.51.100.1", true},
        {"0.0.0.0", 0, "2001:db8::1", false},         {"10.0.0.0", 8, "::ffff:10.1.2.3", true},
        {"10.0.0.0", 8, "::fffe:10.1.2.3", false},    {"2001:db8::", 32, "2001:db8:1::1", true},
        {"2001:db8::", 32, "2001:db9::1", false},     {"2001:db8::", 64, "2001:db8::ffff:1", true},
        {"2001:db8::", 64, "2001:db8:0:1::1", false}, {"2001:db8::8", 125, "2001:db8::f", true},
        {"2001:db8::8", 125, "2001:db8::7", false},   {"2001:db8::1", 128, "2001:db8::1", true},
        {"2001:db8::1", 128, "2001:db8::2", false},   {"::", 0, "2001:db8::2", true},
        {"::ffff:0:0", 96, "192.0.2.7", true},        {"192.0.2.0", 24, "203.0.113.77", true},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        bool ok = in(cases[i].network, cases[i].bits, cases[i].address) == cases[i].in;
        tally_check(&tally, ok, cases[i].address);
    }
    trust_t nobody = {NULL, 0};
    io_addr_t addr = make("192.0.2.7");
    tally_check(&tally, !trust_has(&nobody, &addr), "without networks nobody is trusted");
    return tally_close(&tally);
}
