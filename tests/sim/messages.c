/* messages.c: what a client's stream is to be cut into: a model that sees all that was written. */
#include <string.h>

#include "../../csrc/io/sim/stream.h"
#include "world.h"

#define LOOK_MAX 4096u

static uint64_t messages__prefix(const framing_t *framing, const char *bytes)
{
    uint64_t length = 0;
    for (uint32_t i = 0; i < framing->prefix; i++) {
        uint32_t place = framing->little ? i : framing->prefix - 1 - i;
        length |= (uint64_t)(unsigned char)bytes[place] << (8 * i);
    }
    return length;
}

static message_t messages__line(const framing_t *framing, const char *bytes, uint32_t left)
{
    uint32_t size = framing->delimiter_len;
    for (uint32_t at = 0; at + size <= left; at++) {
        if (memcmp(bytes + at, framing->delimiter, size) == 0) {
            frame_t end = at > framing->max_length ? FRAME_TOO_LONG : FRAME_MESSAGE;
            return (message_t){.end = end, .len = at, .size = at + size};
        }
    }
    bool long_ago = left >= size && left - size + 1 > framing->max_length;
    return (message_t){.end = long_ago ? FRAME_TOO_LONG : FRAME_CUT_OFF};
}

/* As its field tells, with what is added to it and taken off. */
static message_t messages__field(const framing_t *framing, const char *bytes, uint32_t look,
                                 uint64_t left)
{
    int64_t header = (int64_t)framing->offset + framing->prefix;
    if (look < header) {
        return (message_t){.end = FRAME_CUT_OFF};
    }
    uint64_t told = messages__prefix(framing, bytes + framing->offset);
    if (told > INT32_MAX) {
        return (message_t){.end = FRAME_TOO_LONG};
    }
    int64_t whole = header + (int64_t)told + framing->adjust;
    if (whole < header || whole < framing->strip) {
        return (message_t){.end = FRAME_TOO_SHORT};
    }
    uint64_t len = (uint64_t)whole - framing->strip;
    if (len > framing->max_length) {
        return (message_t){.end = FRAME_TOO_LONG};
    }
    return (message_t){.end = left < (uint64_t)whole ? FRAME_CUT_OFF : FRAME_MESSAGE,
                       .skip = framing->strip,
                       .len = (uint32_t)len,
                       .size = (uint32_t)whole};
}

message_t messages_next(const framing_t *framing, uint64_t stream, uint64_t position,
                        uint64_t written)
{
    char bytes[LOOK_MAX];
    uint64_t left = written - position;
    uint32_t look = left < LOOK_MAX ? (uint32_t)left : LOOK_MAX;
    if (look == 0) {
        return (message_t){.end = FRAME_MORE};
    }
    stream_fill(stream, position, bytes, look);
    if (framing->kind == FRAMING_LINES) {
        return messages__line(framing, bytes, look);
    }
    if (framing->kind == FRAMING_LENGTH_FIELD) {
        return messages__field(framing, bytes, look, left);
    }
    if (framing->kind == FRAMING_NONE) {
        return (message_t){.end = FRAME_MESSAGE, .len = look, .size = look};
    }
    uint64_t length = framing->length;
    if (framing->kind == FRAMING_LENGTH_PREFIX) {
        if (look < framing->prefix) {
            return (message_t){.end = FRAME_CUT_OFF};
        }
        length = messages__prefix(framing, bytes);
    }
    if (length > framing->max_length) {
        return (message_t){.end = FRAME_TOO_LONG};
    }
    uint32_t size = framing->prefix + (uint32_t)length;
    return (message_t){.end = left < size ? FRAME_CUT_OFF : FRAME_MESSAGE,
                       .skip = framing->prefix,
                       .len = (uint32_t)length,
                       .size = size};
}
