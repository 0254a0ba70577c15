/* fuzz_proxy.c: whatever comes in place of a PROXY header is told as one, as none, or as one whose
 * rest is missing, the same however it comes; and a line as the C library reads it. */
#include <arpa/inet.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "draw.h"
#include "proxy.h"
#include "../../csrc/base/check.h"

#define LINE_BEGIN 11 /* "PROXY TCP4 " */
#define FIELD_MAX  107

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t size);

/* The beginnings that chance takes long to find. */
static const struct {
    const char *bytes;
    uint32_t len;
} beginnings[] = {
    {"", 0},
    {"PROXY ", 6},
    {"PROXY TCP4 ", 11},
    {"PROXY TCP6 ", 11},
    {"PROXY UNKNOWN", 13},
    {"\r\n\r\n\0\r\nQUIT\n", 12},
    {"\r\n\r\n\0\r\nQUIT\n\x21\x11", 14},
    {"\r\n\r\n\0\r\nQUIT\n\x21\x21", 14},
    {"\r\n\r\n\0\r\nQUIT\n\x20\x11", 14},
    {"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x40\1\2\3\4\5\6\7\x8\x9\xA\xB\xC", 28},
};

/* What the first LEN bytes come to, in memory that ends with them. */
static proxy_result_t read_part(const char *bytes, uint32_t len, proxy_header_t *out,
                                uint32_t *needed)
{
    char *copy = malloc(len > 0 ? len : 1);
    if (copy == NULL) {
        abort();
    }
    memcpy(copy, bytes, len);
    proxy_result_t result = proxy_read(copy, len, out, needed);
    free(copy);
    return result;
}

/* ADDRESS and PORT of a line, as the C library reads them. */
static bool model_end(const char *address, const char *port, uint8_t version, io_addr_t *out)
{
    char number[8];
    unsigned long value = strtoul(port, NULL, 10);
    (void)snprintf(number, sizeof number, "%lu", value % 100000);
    *out = (io_addr_t){.version = version, .port = (uint16_t)value};
    return inet_pton(version == 4 ? AF_INET : AF_INET6, address, out->ip) == 1 &&
           value <= UINT16_MAX && strcmp(number, port) == 0;
}

/* What stands behind "PROXY TCP4 ". */
static bool model_line(const char *line, uint8_t version, proxy_header_t *out)
{
    char parts[4][FIELD_MAX + 1];
    char glued[4 * (FIELD_MAX + 1)];
    if (sscanf(line, "%107[^ ] %107[^ ] %107[^ ] %107s", parts[0], parts[1], parts[2], parts[3]) !=
        4) {
        return false;
    }
    (void)snprintf(glued, sizeof glued, "%s %s %s %s", parts[0], parts[1], parts[2], parts[3]);
    return strcmp(glued, line) == 0 && model_end(parts[0], parts[2], version, &out->source) &&
           model_end(parts[1], parts[3], version, &out->destination);
}

static bool is_same(const io_addr_t *one, const io_addr_t *other)
{
    return one->version == other->version && one->port == other->port &&
           memcmp(one->ip, other->ip, sizeof one->ip) == 0;
}

/* A line of TCP4 or TCP6 that has its end, and no 0 in it, is what the model says. */
static void check_line(const char *bytes, uint32_t len, proxy_result_t result,
                       const proxy_header_t *header)
{
    const char *end = memchr(bytes, '\r', len);
    bool is_4 = len > LINE_BEGIN && memcmp(bytes, "PROXY TCP4 ", LINE_BEGIN) == 0;
    bool is_6 = len > LINE_BEGIN && memcmp(bytes, "PROXY TCP6 ", LINE_BEGIN) == 0;
    if (end == NULL || end == bytes + len - 1 || end[1] != '\n' || (!is_4 && !is_6) ||
        end - bytes > PROXY_LINE_MAX - 2 || end - bytes < LINE_BEGIN ||
        memchr(bytes, 0, (size_t)(end - bytes)) != NULL) {
        return;
    }
    char line[PROXY_LINE_MAX + 1] = {0};
    memcpy(line, bytes + LINE_BEGIN, (size_t)(end - bytes) - LINE_BEGIN);
    proxy_header_t model = {0};
    bool good = model_line(line, is_4 ? 4 : 6, &model);
    CHECK(good == (result == PROXY_WHOLE));
    CHECK(!good || (is_same(&model.source, &header->source) &&
                    is_same(&model.destination, &header->destination)));
}

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t size)
{
    draw_t draw = {input, size};
    static char bytes[4096];
    uint32_t choice = draw_byte(&draw) % (sizeof beginnings / sizeof *beginnings);
    uint32_t len = beginnings[choice].len;
    memcpy(bytes, beginnings[choice].bytes, len);
    uint32_t rest = (uint32_t)(draw.left < sizeof bytes - len ? draw.left : sizeof bytes - len);
    memcpy(bytes + len, draw.at, rest);
    len += rest;
    proxy_header_t whole;
    uint32_t needed = 0;
    proxy_result_t result = read_part(bytes, len, &whole, &needed);
    CHECK(result < PROXY_RESULT_COUNT);
    CHECK(result != PROXY_MORE || (needed > len && needed <= PROXY_HEADER_MAX));
    CHECK(result != PROXY_WHOLE || (whole.len <= len && whole.tlvs + whole.tlvs_len <= whole.len));
    check_line(bytes, len, result, &whole);
    /* In pieces it comes to the same: first to nothing, and from some byte on to just that. */
    for (uint32_t part = 0; part < len && part < 200; part++) {
        proxy_header_t early;
        uint32_t more = 0;
        proxy_result_t so_far = read_part(bytes, part, &early, &more);
        if (so_far != PROXY_MORE) {
            CHECK(so_far == result && (result != PROXY_WHOLE || early.len == whole.len));
            CHECK(result != PROXY_WHOLE || part >= whole.len);
        } else {
            CHECK(result != PROXY_WHOLE || (part < whole.len && more <= whole.len));
        }
    }
    return 0;
}
