/* ip_text.c: an IP address as text, read strictly. */
#include "ip_text.h"

#include <string.h>

#define GROUPS 8u /* of an IPv6 address */

/* Four decimal numbers, and nothing else, in the LEN characters of TEXT. */
static bool read_4(const char *text, size_t len, uint8_t *ip)
{
    size_t at = 0;
    for (int i = 0; i < 4; i++) {
        uint32_t number = 0;
        size_t begin = at;
        while (at < len && text[at] >= '0' && text[at] <= '9' && at - begin < 3) {
            number = number * 10 + (uint32_t)(text[at++] - '0');
        }
        size_t digits = at - begin;
        if (digits == 0 || number > UINT8_MAX || (digits > 1 && text[begin] == '0')) {
            return false;
        }
        ip[i] = (uint8_t)number;
        if (i == 3) {
            break;
        }
        if (at == len || text[at] != '.') {
            return false;
        }
        at++;
    }
    return at == len;
}

static int hex_digit(char digit)
{
    if (digit >= '0' && digit <= '9') {
        return digit - '0';
    }
    char lower = (char)(digit | 0x20);
    return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

/* The groups of an IPv6 address that were read so far. */
typedef struct {
    uint8_t ip[2 * GROUPS];
    uint32_t count;
    uint32_t gap; /* where the double colon stands; GROUPS + 1 = there is none */
} groups_t;

/* One group of one to four digits at *AT, or the IPv4 address that may stand for the last two. */
static bool take_group(const char *text, size_t len, size_t *at, groups_t *groups)
{
    size_t begin = *at;
    uint32_t number = 0;
    while (*at < len && *at - begin < 4 && hex_digit(text[*at]) >= 0) {
        number = number << 4 | (uint32_t)hex_digit(text[(*at)++]);
    }
    uint8_t *place = groups->ip + 2 * (size_t)groups->count;
    if (*at < len && text[*at] == '.') {
        *at = len;
        groups->count += 2;
        return groups->count <= GROUPS && read_4(text + begin, len - begin, place);
    }
    if (*at == begin || groups->count == GROUPS) {
        return false;
    }
    place[0] = (uint8_t)(number >> 8);
    place[1] = (uint8_t)number;
    groups->count++;
    return true;
}

static bool read_groups(const char *text, size_t len, groups_t *groups)
{
    size_t at = 0;
    if (len >= 2 && text[0] == ':' && text[1] == ':') {
        groups->gap = 0;
        at = 2;
    }
    while (at < len) {
        if (!take_group(text, len, &at, groups)) {
            return false;
        }
        if (at == len) {
            return true;
        }
        if (text[at++] != ':') {
            return false;
        }
        if (at < len && text[at] == ':') {
            if (groups->gap <= GROUPS) {
                return false;
            }
            groups->gap = groups->count;
            at++;
        } else if (at == len) {
            return false;
        }
    }
    return true;
}

static bool read_6(const char *text, size_t len, uint8_t *ip)
{
    groups_t groups = {.gap = GROUPS + 1};
    if (len == 0 || !read_groups(text, len, &groups)) {
        return false;
    }
    bool has_gap = groups.gap <= GROUPS;
    if (has_gap ? groups.count == GROUPS : groups.count != GROUPS) {
        return false;
    }
    size_t before = 2 * (size_t)(has_gap ? groups.gap : GROUPS);
    size_t behind = 2 * (size_t)groups.count - before;
    memset(ip, 0, 2 * (size_t)GROUPS);
    memcpy(ip, groups.ip, before);
    memcpy(ip + 2 * (size_t)GROUPS - behind, groups.ip + before, behind);
    return true;
}

bool ip_read(const char *text, size_t len, uint8_t version, io_addr_t *out)
{
    *out = (io_addr_t){.version = version};
    return version == 4 ? read_4(text, len, out->ip) : read_6(text, len, out->ip);
}
