/* stream.c: the bytes of a stream, each made of its mark and position, and sums over them. */
#include "stream.h"

#include <string.h>

#include "rng.h"

/* Eight bytes of the stream, those from 8 * INDEX on. */
static uint64_t stream__word(uint64_t mark, uint64_t index)
{
    return rng_mix(mark * 0x9E3779B97F4A7C15u + index * 0xD1342543DE82EF95u + 1);
}

void stream_fill(uint64_t mark, uint64_t position, char *out, size_t len)
{
    while (len > 0) {
        uint64_t word = stream__word(mark, position / 8);
        size_t skip = (size_t)(position % 8);
        size_t part = 8 - skip < len ? 8 - skip : len;
        memcpy(out, (const char *)&word + skip, part);
        out += part;
        position += part;
        len -= part;
    }
}

size_t stream_match(uint64_t mark, uint64_t position, const char *bytes, size_t len)
{
    size_t matched = 0;
    while (matched < len) {
        uint64_t word = stream__word(mark, position / 8);
        size_t skip = (size_t)(position % 8);
        size_t part = 8 - skip < len - matched ? 8 - skip : len - matched;
        if (memcmp(bytes + matched, (const char *)&word + skip, part) != 0) {
            while (bytes[matched] == ((const char *)&word)[skip]) {
                matched++;
                skip++;
            }
            return matched;
        }
        matched += part;
        position += part;
    }
    return matched;
}

uint64_t stream_sum(uint64_t sum, const char *bytes, size_t len)
{
    while (len >= 8) {
        uint64_t word;
        memcpy(&word, bytes, 8);
        sum = (sum ^ word) * 0xD6E8FEB86659FD93u;
        sum ^= sum >> 32;
        bytes += 8;
        len -= 8;
    }
    while (len > 0) {
        sum = (sum ^ (uint8_t)*bytes) * 0xD6E8FEB86659FD93u;
        sum ^= sum >> 32;
        bytes++;
        len--;
    }
    return sum;
}
