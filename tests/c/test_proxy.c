/* test_proxy.c: headers of the PROXY protocol are read as its text says, and nothing else is. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../csrc/engine/bytes/ip_text.h"
#include "../../csrc/engine/bytes/proxy.h"
#include "tally.h"

#define SIGNATURE "\r\n\r\n\0\r\nQUIT\n"

static tally_t tally;

static void report(bool ok, const char *name)
{
    tally_check(&tally, ok, name);
}

/* Reads it from memory of its own, so that a sanitizer sees a byte too many; also in each of its
 * beginnings, which tell nothing else before it is decided. */
static proxy_result_t read_it(const char *bytes, uint32_t len, proxy_header_t *out)
{
    proxy_result_t result = PROXY_MORE;
    uint32_t needed = 1;
    for (uint32_t part = 1; part <= len && result == PROXY_MORE; part++) {
        char *copy = malloc(part);
        if (copy == NULL) {
            abort();
        }
        memcpy(copy, bytes, part);
        uint32_t before = needed;
        result = proxy_read(copy, part, out, &needed);
        free(copy);
        if (result == PROXY_WHOLE && (part < before || out->len != part)) {
            report(false, "it is whole with its last byte, and not before it was said to be");
        }
        if (result == PROXY_MORE && needed <= part) {
            report(false, "what is not whole needs more than there is");
        }
    }
    return result;
}

static proxy_result_t read_text(const char *text, proxy_header_t *out)
{
    return read_it(text, (uint32_t)strlen(text), out);
}

static bool is_4(const io_addr_t *addr, const char *text, uint16_t port)
{
    io_addr_t wanted;
    return ip_read(text, strlen(text), 4, &wanted) && addr->version == 4 && addr->port == port &&
           memcmp(addr->ip, wanted.ip, 4) == 0;
}

static bool is_6(const io_addr_t *addr, const char *text, uint16_t port)
{
    io_addr_t wanted;
    return ip_read(text, strlen(text), 6, &wanted) && addr->version == 6 && addr->port == port &&
           memcmp(addr->ip, wanted.ip, 16) == 0;
}

static void test_lines(void)
{
    proxy_header_t got;
    report(read_text("PROXY TCP4 192.0.2.7 198.51.100.1 56324 443\r\n", &got) == PROXY_WHOLE &&
               is_4(&got.source, "192.0.2.7", 56324) &&
               is_4(&got.destination, "198.51.100.1", 443) && !got.local,
           "a line of TCP4");
    report(read_text("PROXY TCP6 2001:db8::7 ::1 0 65535\r\n", &got) == PROXY_WHOLE &&
               is_6(&got.source, "2001:db8::7", 0) && is_6(&got.destination, "::1", 65535),
           "a line of TCP6");
    report(read_text("PROXY TCP6 ::ffff:192.0.2.7 ::1 1 2\r\n", &got) == PROXY_WHOLE &&
               is_6(&got.source, "::ffff:c000:207", 1),
           "an address of IPv4 mapped into IPv6");
    report(read_text("PROXY UNKNOWN\r\n", &got) == PROXY_WHOLE && got.source.version == 0 &&
               !got.local,
           "an unknown one");
    report(read_text("PROXY UNKNOWN what ever \t it is\r\n", &got) == PROXY_WHOLE &&
               got.source.version == 0,
           "and what it has besides");
    report(proxy_read("PROXY UNKNOWN\r\nGET /", 20, &got, &(uint32_t){0}) == PROXY_WHOLE &&
               got.len == 15,
           "what follows it is the client's");
}

static void test_bad_lines(void)
{
    static const char *const bad[] = {
        "PROXY ",
        "PROXY TCP4",
        "PROXY TCP5 1.2.3.4 1.2.3.4 1 2",
        "PROXY tcp4 1.2.3.4 1.2.3.4 1 2",
        "PROXY TCP4 1.2.3.4 1.2.3.4 1",
        "PROXY TCP4 1.2.3.4 1.2.3.4 1 2 3",
        "PROXY TCP4 1.2.3.4 1.2.3.4 1 2 ",
        "PROXY TCP4  1.2.3.4 1.2.3.4 1 2",
        "PROXY TCP4 1.2.3.4 1.2.3.4  1 2",
        "PROXY TCP4 1.2.3.4 1.2.3.4 1 ",
        "PROXY TCP4 1.2.3.4 1.2.3.4 01 2",
        "PROXY TCP4 1.2.3.4 1.2.3.4 1 65536",
        "PROXY TCP4 1.2.3.4 1.2.3.4 -1 2",
        "PROXY TCP4 1.2.3.4 1.2.3.4 +1 2",
        "PROXY TCP4 1.2.3 1.2.3.4 1 2",
        "PROXY TCP4 1.2.3.256 1.2.3.4 1 2",
        "PROXY TCP4 1.2.3.04 1.2.3.4 1 2",
        "PROXY TCP4 ::1 ::1 1 2",
        "PROXY TCP6 1.2.3.4 1.2.3.4 1 2",
        "PROXY TCP6 ::1%eth0 ::1 1 2",
        "PROXY TCP6 :::1 ::1 1 2",
        "PROXY TCP6 1::2::3 ::1 1 2",
        "PROXY TCP6 1:2:3:4:5:6:7:8:9 ::1 1 2",
        "PROXY TCP6 1:2:3:4:5:6:7 ::1 1 2",
        "PROXY TCP6 1:2:3:4:5:6:7:: ::1: 1 2",
        "PROXY TCP6 12345::1 ::1 1 2",
        "PROXY UNKNOWNS",
    };
    proxy_header_t got;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        char line[PROXY_LINE_MAX + 1];
        (void)snprintf(line, sizeof line, "%s\r\n", bad[i]);
        report(read_text(line, &got) == PROXY_LINE_BAD, bad[i]);
    }
    report(read_text("PROXY TCP4 1.2.3.4 1.2.3.4 1 2\rX", &got) == PROXY_LINE_BAD, "half an end");
    report(read_text("GET / HTTP/1.1\r\n", &got) == PROXY_NONE, "no header at all");
    report(read_text("PROXYTCP4 1.2.3.4", &got) == PROXY_NONE, "nor a word of its own");
    report(read_text("\r\n\r\n\r\n", &got) == PROXY_NONE, "nor half a signature");
    char line[PROXY_LINE_MAX + 1];
    memset(line, 'x', sizeof line);
    memcpy(line, "PROXY UNKNOWN ", 14);
    memcpy(line + PROXY_LINE_MAX - 2, "\r\n", 2);
    report(read_it(line, PROXY_LINE_MAX, &got) == PROXY_WHOLE, "the longest line");
    line[PROXY_LINE_MAX - 2] = 'x';
    report(read_it(line, PROXY_LINE_MAX - 1, &got) == PROXY_LINE_LONG, "one byte more is too long");
}

/* A binary header, made by the test. */
typedef struct {
    char bytes[PROXY_HEADER_MAX];
    uint32_t len;
} made_t;

static void add(made_t *made, const char *bytes, size_t len)
{
    memcpy(made->bytes + made->len, bytes, len);
    made->len += (uint32_t)len;
    made->bytes[14] = (char)((made->len - 16) >> 8);
    made->bytes[15] = (char)(made->len - 16);
}

static void begin(made_t *made, unsigned char command, unsigned char family)
{
    memset(made, 0, sizeof *made);
    memcpy(made->bytes, SIGNATURE, 12);
    made->bytes[12] = (char)command;
    made->bytes[13] = (char)family;
    made->len = 16;
}

static void begin_4(made_t *made)
{
    static const char block[] = "\xC0\0\2\7\xC6\x33\x64\1\xDC\4\1\xBB";
    begin(made, 0x21, 0x11);
    add(made, block, 12);
}

static proxy_result_t read_made(const made_t *made, proxy_header_t *out)
{
    return read_it(made->bytes, made->len, out);
}

static void test_binary(void)
{
    static made_t made;
    proxy_header_t got;
    begin_4(&made);
    report(read_made(&made, &got) == PROXY_WHOLE && is_4(&got.source, "192.0.2.7", 56324) &&
               is_4(&got.destination, "198.51.100.1", 443) && got.tlvs_len == 0 && got.len == 28,
           "a binary header of TCP4");
    begin(&made, 0x21, 0x21);
    add(&made, "\x20\1\r\xB8\0\0\0\0\0\0\0\0\0\0\0\7", 16);
    add(&made, "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\1", 16);
    add(&made, "\0\1\0\2", 4);
    report(read_made(&made, &got) == PROXY_WHOLE && is_6(&got.source, "2001:db8::7", 1) &&
               is_6(&got.destination, "::1", 2),
           "one of TCP6");
    begin(&made, 0x20, 0x00);
    add(&made, "anything", 8);
    report(read_made(&made, &got) == PROXY_WHOLE && got.local && got.len == 24 &&
               got.source.version == 0,
           "LOCAL, with a body that is skipped");
    begin(&made, 0x21, 0x00);
    add(&made, "anything", 8);
    report(read_made(&made, &got) == PROXY_WHOLE && !got.local && got.source.version == 0 &&
               got.tlvs_len == 0,
           "no family, with a body that is skipped");
    begin(&made, 0x21, 0x51);
    add(&made, "anything", 8);
    report(read_made(&made, &got) == PROXY_WHOLE && got.source.version == 0,
           "a family that is not known likewise");
    begin_4(&made);
    made.bytes[13] = 0x12;
    report(read_made(&made, &got) == PROXY_WHOLE && got.source.version == 0,
           "an address of UDP is none of this connection");
    begin(&made, 0x21, 0x31);
    add(&made, made.bytes + 16, 216);
    report(read_made(&made, &got) == PROXY_WHOLE && got.source.version == 0, "one of UNIX");
}

static void test_bad_binary(void)
{
    static made_t made;
    proxy_header_t got;
    begin(&made, 0x11, 0x11);
    report(read_made(&made, &got) == PROXY_VERSION_BAD, "another version");
    begin(&made, 0x22, 0x11);
    report(read_made(&made, &got) == PROXY_COMMAND_BAD, "another command");
    begin(&made, 0x21, 0x11);
    add(&made, "\xC0\0\2\7\xC6\x33\x64\1\xDC\4\1", 11);
    report(read_made(&made, &got) == PROXY_SHORT, "no room for the addresses");
    begin(&made, 0x21, 0x31);
    add(&made, "/run/socket", 11);
    report(read_made(&made, &got) == PROXY_SHORT, "nor for those of UNIX");
    static const struct {
        const char *bytes;
        uint32_t len;
    } bad[] = {
        {"\4", 1},                        /* amid a head */
        {"\4\0", 2},                      /* likewise */
        {"\4\0\1", 3},                    /* a value that is not there */
        {"\4\0\0\4\0\2x", 7},             /* the second one's is cut off */
        {"\x20\0\4\0\0\0\0", 7},          /* SSL without its head */
        {"\x20\0\7\0\0\0\0\0\x21\0", 10}, /* and with half an extension of its own */
        {"\3\0\3\0\0\0", 6},              /* a checksum that is too short */
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        begin_4(&made);
        add(&made, bad[i].bytes, bad[i].len);
        report(read_made(&made, &got) == PROXY_TLV_BAD, "extensions that do not fill the header");
    }
}

static void test_extensions(void)
{
    static made_t made;
    proxy_header_t got;
    begin_4(&made);
    add(&made, "\2\0\7example\x20\0\xF\1\0\0\0\0\x21\0\7TLSv1.3\4\0\0", 10 + 18 + 3);
    report(read_made(&made, &got) == PROXY_WHOLE && got.tlvs == 28 && got.tlvs_len == 31,
           "extensions, one with some of its own");
    begin_4(&made);
    while (made.len + 3 + 1000 <= PROXY_HEADER_MAX) {
        static const char value[1000];
        add(&made, "\xEE\3\xE8", 3);
        add(&made, value, sizeof value);
    }
    uint32_t left = PROXY_HEADER_MAX - made.len - 3;
    char head[3] = {(char)0xEE, (char)(left >> 8), (char)left};
    add(&made, head, 3);
    static const char rest[1003];
    add(&made, rest, left);
    uint32_t needed = 0;
    report(proxy_read(made.bytes, 16, &got, &needed) == PROXY_MORE && needed == PROXY_HEADER_MAX &&
               proxy_read(made.bytes, made.len, &got, &needed) == PROXY_WHOLE &&
               got.tlvs_len == 65535 - 12,
           "64 KiB of them");
}

static void test_checksum(void)
{
    static made_t made;
    proxy_header_t got;
    begin_4(&made);
    add(&made, "\3\0\4\0\0\0\0", 7);
    report(read_made(&made, &got) == PROXY_CHECKSUM_BAD, "a checksum that is wrong");
    memcpy(made.bytes + made.len - 4, "\x54\x8E\x28\xFF", 4);
    report(read_made(&made, &got) == PROXY_WHOLE, "one that is right");
    made.bytes[16] ^= 1;
    report(read_made(&made, &got) == PROXY_CHECKSUM_BAD, "which no other header has");
    begin_4(&made);
    add(&made, "\3\0\4\0\0\0\0\3\0\4\0\0\0\0", 14);
    report(read_made(&made, &got) == PROXY_TLV_BAD, "nor are there two");
}

int main(void)
{
    test_lines();
    test_bad_lines();
    test_binary();
    test_bad_binary();
    test_extensions();
    test_checksum();
    return tally_close(&tally);
}
