/* pattern.c: the ring of bytes that clients send, made, and compared with what comes back. */
#include "pattern.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "fail.h"

/* A prime, so that no message size divides it. */
#define BYTES_PERIOD 65521u
#define FRAMES       1021u

static uint8_t next_byte(uint64_t *state)
{
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return (uint8_t)(*state >> 56);
}

static void allocate(pattern_t *pattern, size_t period)
{
    pattern->period = period;
    pattern->bytes = malloc(period + PATTERN_REACH);
    if (!pattern->bytes)
        fail("the pattern", ENOMEM);
}

static void repeat(pattern_t *pattern)
{
    for (size_t i = pattern->period; i < pattern->period + PATTERN_REACH; i++)
        pattern->bytes[i] = pattern->bytes[i - pattern->period];
}

void pattern_make_bytes(pattern_t *pattern)
{
    uint64_t state = 1;
    allocate(pattern, BYTES_PERIOD);
    for (size_t i = 0; i < pattern->period; i++)
        pattern->bytes[i] = next_byte(&state);
    repeat(pattern);
}

void pattern_make_frames(pattern_t *pattern, size_t size, size_t prefix)
{
    uint64_t state = 1;
    allocate(pattern, FRAMES * (prefix + size));
    uint8_t *byte = pattern->bytes;
    for (size_t frame = 0; frame < FRAMES; frame++) {
        for (size_t i = prefix; i > 0; i--)
            *byte++ = i > sizeof size ? 0 : (uint8_t)(size >> (8 * (i - 1)));
        for (size_t i = 0; i < size; i++)
            *byte++ = next_byte(&state);
    }
    repeat(pattern);
}

size_t pattern_start(const pattern_t *pattern, uint32_t index, size_t unit)
{
    return (size_t)index * 7919 % (pattern->period / unit) * unit;
}

size_t pattern_next(const pattern_t *pattern, size_t place, size_t bytes)
{
    return (place + bytes) % pattern->period;
}

size_t pattern_wrong(const pattern_t *pattern, size_t place, const uint8_t *bytes, size_t count)
{
    size_t wrong = 0;
    if (memcmp(pattern->bytes + place, bytes, count) != 0)
        for (size_t i = 0; i < count; i++)
            wrong += pattern->bytes[place + i] != bytes[i];
    return wrong;
}
