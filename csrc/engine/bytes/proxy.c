/* proxy.c: the header of the PROXY protocol, read. */
#include "proxy.h"

#include <string.h>

#include "ip_text.h"

#define SIGNATURE_LEN  12u
#define FIXED_LEN      16u
#define TLV_HEAD_LEN   3u
#define TYPE_CRC32C    0x03u
#define TYPE_SSL       0x20u
#define SSL_HEAD_LEN   5u /* of its value: what the client has, and whether it was verified */
#define CRC32C_LEN     4u
#define CRC32C_POLY    0x82F63B78u
#define UNIX_BLOCK_LEN 216u

static const char signature[SIGNATURE_LEN + 1] = "\r\n\r\n\0\r\nQUIT\n";
static const char word[] = "PROXY ";

/* A part of a line, up to the next space or the end. */
typedef struct {
    const char *at;
    const char *end;
} line_t;

static uint32_t read_16(const char *bytes)
{
    return (uint32_t)(uint8_t)bytes[0] << 8 | (uint8_t)bytes[1];
}

static uint32_t read_32(const char *bytes)
{
    return read_16(bytes) << 16 | read_16(bytes + 2);
}

/* The next field of LINE, which one space parts from the one behind it. False where it is the last
 * although others should follow, or the other way round. */
static bool take_field(line_t *line, line_t *field, bool last)
{
    const char *space = memchr(line->at, ' ', (size_t)(line->end - line->at));
    if ((space == NULL) != last) {
        return false;
    }
    field->at = line->at;
    field->end = last ? line->end : space;
    line->at = last ? line->end : space + 1;
    return true;
}

static bool take_address(line_t *line, uint8_t version, io_addr_t *out)
{
    line_t field;
    return take_field(line, &field, false) &&
           ip_read(field.at, (size_t)(field.end - field.at), version, out);
}

/* A decimal number up to 65535, without zeros in front. */
static bool take_port(line_t *line, bool last, io_addr_t *out)
{
    line_t field;
    if (!take_field(line, &field, last)) {
        return false;
    }
    size_t len = (size_t)(field.end - field.at);
    uint32_t port = 0;
    if (len == 0 || len > 5 || (len > 1 && field.at[0] == '0')) {
        return false;
    }
    for (size_t i = 0; i < len; i++) {
        if (field.at[i] < '0' || field.at[i] > '9') {
            return false;
        }
        port = port * 10 + (uint32_t)(field.at[i] - '0');
    }
    out->port = (uint16_t)port;
    return port <= UINT16_MAX;
}

static bool starts_with(const line_t *line, const char *text)
{
    size_t len = strlen(text);
    return (size_t)(line->end - line->at) >= len && memcmp(line->at, text, len) == 0;
}

/* The line behind its first word, without its CRLF. */
static proxy_result_t read_line(line_t line, proxy_header_t *out)
{
    static const char unknown[] = "UNKNOWN";
    if (starts_with(&line, unknown)) {
        line.at += sizeof unknown - 1;
        /* The rest is to be ignored, whatever it is. */
        return line.at == line.end || *line.at == ' ' ? PROXY_WHOLE : PROXY_LINE_BAD;
    }
    bool is_4 = starts_with(&line, "TCP4 ");
    if (!is_4 && !starts_with(&line, "TCP6 ")) {
        return PROXY_LINE_BAD;
    }
    uint8_t version = is_4 ? 4 : 6;
    line.at += strlen("TCP4 ");
    bool good = take_address(&line, version, &out->source) &&
                take_address(&line, version, &out->destination) &&
                take_port(&line, false, &out->source) && take_port(&line, true, &out->destination);
    return good ? PROXY_WHOLE : PROXY_LINE_BAD;
}

static proxy_result_t read_version_1(const char *bytes, uint32_t len, proxy_header_t *out,
                                     uint32_t *needed)
{
    uint32_t most = len < PROXY_LINE_MAX ? len : PROXY_LINE_MAX;
    const char *end = memchr(bytes, '\r', most);
    uint32_t at = end == NULL ? most : (uint32_t)(end - bytes);
    if (at + 2 > PROXY_LINE_MAX) {
        return PROXY_LINE_LONG;
    }
    if (at + 2 > len) {
        *needed = len + 1;
        return PROXY_MORE;
    }
    if (bytes[at + 1] != '\n') {
        return PROXY_LINE_BAD;
    }
    out->len = at + 2;
    return read_line((line_t){bytes + sizeof word - 1, bytes + at}, out);
}

/* CRC32c as iSCSI and SCTP have it (RFC 3720, appendix B.4). */
static uint32_t crc32c(uint32_t crc, const char *bytes, uint32_t len)
{
    for (uint32_t i = 0; i < len; i++) {
        crc ^= (uint8_t)bytes[i];
        for (int bit = 0; bit < 8; bit++) {
            crc = crc >> 1 ^ (CRC32C_POLY & (0u - (crc & 1)));
        }
    }
    return crc;
}

/* Whether the checksum that stands at AT is right for the LEN bytes around it; it counts as 0 in
 * them. */
static bool sums_up(const char *bytes, uint32_t len, uint32_t at)
{
    static const char zeros[CRC32C_LEN] = {0};
    uint32_t crc = crc32c(UINT32_MAX, bytes, at);
    crc = crc32c(crc, zeros, CRC32C_LEN);
    crc = crc32c(crc, bytes + at + CRC32C_LEN, len - at - CRC32C_LEN);
    return ~crc == read_32(bytes + at);
}

/* The extensions from AT to END: whether they fill it; where a checksum stands, if not NULL. */
static bool walk_tlvs(const char *bytes, uint32_t at, uint32_t end, uint32_t *checksum)
{
    while (at < end) {
        if (end - at < TLV_HEAD_LEN) {
            return false;
        }
        uint32_t type = (uint8_t)bytes[at];
        uint32_t len = read_16(bytes + at + 1);
        at += TLV_HEAD_LEN;
        if (len > end - at) {
            return false;
        }
        if (checksum != NULL && type == TYPE_CRC32C) {
            if (len != CRC32C_LEN || *checksum != 0) {
                return false;
            }
            *checksum = at;
        }
        if (checksum != NULL && type == TYPE_SSL &&
            (len < SSL_HEAD_LEN || !walk_tlvs(bytes, at + SSL_HEAD_LEN, at + len, NULL))) {
            return false;
        }
        at += len;
    }
    return true;
}

static void read_addresses(const char *bytes, uint8_t version, proxy_header_t *out)
{
    uint32_t size = version == 4 ? 4 : 16;
    out->source.version = out->destination.version = version;
    memcpy(out->source.ip, bytes, size);
    memcpy(out->destination.ip, bytes + size, size);
    out->source.port = (uint16_t)read_16(bytes + 2 * (size_t)size);
    out->destination.port = (uint16_t)read_16(bytes + 2 * (size_t)size + 2);
}

/* The bytes that addresses of this FAMILY take, the upper half of the 14th byte; no family is
 * longer than UNIX's. */
static uint32_t block_len(uint32_t family)
{
    static const uint32_t lens[] = {0, 12, 36, UNIX_BLOCK_LEN};
    return lens[family];
}

/* A PROXY command, whole. Of a family that is not known, nothing is: neither the addresses nor
 * where extensions would begin. */
static proxy_result_t read_proxied(const char *bytes, proxy_header_t *out)
{
    uint32_t family = (uint8_t)bytes[13] >> 4;
    if (family > 3) {
        return PROXY_WHOLE;
    }
    uint32_t begin = FIXED_LEN + block_len(family);
    uint32_t checksum = 0;
    if (begin > out->len) {
        return PROXY_SHORT;
    }
    if (!walk_tlvs(bytes, begin, out->len, &checksum)) {
        /* Behind no address anything may stand, and is to be ignored. */
        return family == 0 ? PROXY_WHOLE : PROXY_TLV_BAD;
    }
    if (checksum != 0 && !sums_up(bytes, out->len, checksum)) {
        return PROXY_CHECKSUM_BAD;
    }
    out->tlvs = begin;
    out->tlvs_len = out->len - begin;
    bool is_stream = ((uint8_t)bytes[13] & 15) == 1;
    if (is_stream && (family == 1 || family == 2)) {
        read_addresses(bytes + FIXED_LEN, family == 1 ? 4 : 6, out);
    }
    return PROXY_WHOLE;
}

static proxy_result_t read_version_2(const char *bytes, uint32_t len, proxy_header_t *out,
                                     uint32_t *needed)
{
    if (len > SIGNATURE_LEN && (uint8_t)bytes[SIGNATURE_LEN] >> 4 != 2) {
        return PROXY_VERSION_BAD;
    }
    uint32_t command = len > SIGNATURE_LEN ? (uint8_t)bytes[SIGNATURE_LEN] & 15 : 0;
    if (command > 1) {
        return PROXY_COMMAND_BAD;
    }
    out->len = FIXED_LEN + (len < FIXED_LEN ? 0 : read_16(bytes + 14));
    if (len < FIXED_LEN || len < out->len) {
        *needed = out->len;
        return PROXY_MORE;
    }
    out->local = command == 0;
    return out->local ? PROXY_WHOLE : read_proxied(bytes, out);
}

/* Whether BYTES may become, or begin with, the first SIZE bytes of TEXT. */
static bool may_be(const char *bytes, uint32_t len, const char *text, uint32_t size)
{
    return memcmp(bytes, text, len < size ? len : size) == 0;
}

proxy_result_t proxy_read(const char *bytes, uint32_t len, proxy_header_t *out, uint32_t *needed)
{
    *out = (proxy_header_t){0};
    if (len == 0) {
        *needed = 1;
        return PROXY_MORE;
    }
    if (may_be(bytes, len, signature, SIGNATURE_LEN)) {
        return read_version_2(bytes, len, out, needed);
    }
    if (!may_be(bytes, len, word, sizeof word - 1)) {
        return PROXY_NONE;
    }
    if (len < sizeof word - 1) {
        *needed = len + 1;
        return PROXY_MORE;
    }
    return read_version_1(bytes, len, out, needed);
}
