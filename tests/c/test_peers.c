/* test_peers.c: clients are counted by their address, whatever comes and goes. */
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "../../csrc/engine/life/peers.h"
#include "tally.h"

#define HOSTS 3000u
#define STEPS 400000u

static tally_t tally;

static void report(bool ok, const char *name)
{
    tally_check(&tally, ok, name);
}

static uint32_t next_random(void)
{
    static uint32_t state = 2463534242u;
    state ^= state << 13;
    state ^= state >> 17;
    state ^= state << 5;
    return state;
}

static io_addr_t host(uint32_t number)
{
    io_addr_t addr = {.version = 6, .ip = {0x20, 0x01, 0x0D, 0xB8}};
    addr.ip[14] = (uint8_t)(number >> 8);
    addr.ip[15] = (uint8_t)number;
    addr.port = (uint16_t)next_random(); /* says nothing about who it is */
    return addr;
}

/* Against plain counters: random comings and goings of many hosts. */
static void test_model(void)
{
    static uint32_t counts[HOSTS];
    peers_t peers;
    bool same = true;
    uint32_t hosts = 0;
    peers_init(&peers, 1, 32, 128);
    for (uint32_t i = 0; i < STEPS; i++) {
        /* First more and more hosts, at last fewer and fewer. */
        uint32_t number = next_random() % HOSTS;
        bool comes = next_random() % STEPS > i;
        io_addr_t addr = host(number);
        if (comes) {
            bool fits = counts[number] < 5;
            hosts += counts[number] == 0;
            counts[number] += fits;
            same = peers_enter(&peers, &addr, 5) == fits && same;
        } else if (counts[number] > 0) {
            peers_leave(&peers, &addr);
            counts[number]--;
            hosts -= counts[number] == 0;
        }
        same = peers.used == hosts && same;
    }
    report(same, "as many clients of each address as came and did not go");
    for (uint32_t number = 0; number < HOSTS; number++) {
        io_addr_t addr = host(number);
        for (; counts[number] > 0; counts[number]--) {
            peers_leave(&peers, &addr);
        }
    }
    report(peers.used == 0 && peers.size <= 16, "and nothing is kept of those who have gone");
    peers_destroy(&peers);
}

static void test_addresses(void)
{
    io_addr_t plain = {.version = 4, .ip = {192, 0, 2, 7}};
    io_addr_t mapped = {.version = 6, .ip = {[10] = 0xFF, [11] = 0xFF, 192, 0, 2, 7}};
    io_addr_t other = {.version = 6, .ip = {[10] = 0xFF, [11] = 0xFE, 192, 0, 2, 7}};
    io_addr_t neighbour = {.version = 4, .ip = {192, 0, 2, 8}};
    io_addr_t loopback = {.version = 6, .ip = {[15] = 1}};
    peers_t peers;
    peers_init(&peers, 2, 32, 128);
    report(peers_enter(&peers, &plain, 1), "a first client");
    report(!peers_enter(&peers, &plain, 1), "a second is one too many");
    report(!peers_enter(&peers, &mapped, 1), "also with its address mapped into IPv6");
    report(peers_enter(&peers, &other, 1), "any other IPv6 address is another");
    report(peers_enter(&peers, &neighbour, 1), "as is another IPv4 address");
    report(peers_enter(&peers, &loopback, 1), "and ::1");
    peers_leave(&peers, &mapped);
    report(peers_enter(&peers, &plain, 1), "a place that is free again is taken");
    peers_destroy(&peers);
}

/* Who is one address to a prefix, and who is not. */
static void test_prefixes(void)
{
    peers_t peers;
    io_addr_t near = {.version = 6, .ip = {0x20, 1, 0xD, 0xB8, 0, 0, 0, 1, 1}};
    io_addr_t same = {.version = 6, .ip = {0x20, 1, 0xD, 0xB8, 0, 0, 0, 1, 0xFF, [15] = 9}};
    io_addr_t other = {.version = 6, .ip = {0x20, 1, 0xD, 0xB8, 0, 0, 0, 2, 1}};
    io_addr_t four = {.version = 4, .ip = {10, 0, 0, 1}};
    io_addr_t five = {.version = 4, .ip = {10, 0, 0, 2}};
    io_addr_t mapped = {.version = 6, .ip = {[10] = 0xFF, [11] = 0xFF, [12] = 10, [15] = 1}};
    peers_init(&peers, 4, 32, 64);
    report(peers_enter(&peers, &near, 1) && !peers_enter(&peers, &same, 1), "a /64 is one address");
    report(peers_enter(&peers, &other, 1), "and the next /64 another");
    report(peers_enter(&peers, &four, 1) && peers_enter(&peers, &five, 1), "IPv4 as a whole");
    report(!peers_enter(&peers, &mapped, 1), "mapped as IPv4");
    peers_leave(&peers, &same);
    report(peers_enter(&peers, &near, 1), "it leaves as it came");
    peers_destroy(&peers);
    peers_init(&peers, 5, 24, 128);
    report(peers_enter(&peers, &four, 1) && !peers_enter(&peers, &five, 1), "a /24 of IPv4");
    report(peers_enter(&peers, &near, 1) && peers_enter(&peers, &same, 1), "and IPv6 as a whole");
    peers_destroy(&peers);
}

int main(void)
{
    test_prefixes();
    test_model();
    test_addresses();
    return tally_close(&tally);
}
