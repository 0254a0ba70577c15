/* framing.c: messages cut out of a stream of bytes, and packed for one. */
#include "framing.h"

#include <stdlib.h>
#include <string.h>

#include "../../base/check.h"
#include "../../base/copy.h"

/* The first room for a message whose length is not known. */
#define KEPT_ROOM_MIN 64u

void cutter_feed(cutter_t *cutter, const char *data, uint32_t len)
{
    if (cutter->replay != NULL) {
        cutter->later = data;
        cutter->later_len = len;
        return;
    }
    cutter->input = data;
    cutter->input_len = len;
}

static void take_input(cutter_t *cutter, uint32_t len)
{
    cutter->input += len;
    cutter->input_len -= len;
}

static void free_kept(cutter_t *cutter)
{
    free(cutter->kept);
    cutter->kept = NULL;
    cutter->kept_len = 0;
    cutter->kept_room = 0;
    cutter->handed = false;
}

/* What follows what was cut anew is the input. */
static void end_replay(cutter_t *cutter)
{
    free(cutter->replay);
    cutter->replay = NULL;
    cutter_feed(cutter, cutter->later, cutter->later_len);
    cutter->later = NULL;
    cutter->later_len = 0;
}

void cutter_drop(cutter_t *cutter)
{
    free_kept(cutter);
    if (cutter->replay != NULL) {
        end_replay(cutter);
    }
    cutter_feed(cutter, NULL, 0);
}

/* Makes room for LEN more bytes; twice what there was where that is not above MOST. */
static bool make_room(cutter_t *cutter, uint32_t len, uint64_t most)
{
    uint64_t needed = (uint64_t)cutter->kept_len + len;
    if (needed <= cutter->kept_room) {
        return true;
    }
    uint64_t room = (uint64_t)cutter->kept_room * 2;
    room = room < KEPT_ROOM_MIN ? KEPT_ROOM_MIN : room;
    room = room > most ? most : room;
    room = room < needed ? needed : room;
    char *kept = room <= UINT32_MAX ? realloc(cutter->kept, (size_t)room) : NULL;
    if (kept == NULL) {
        return false;
    }
    cutter->kept = kept;
    cutter->kept_room = (uint32_t)room;
    return true;
}

/* Moves LEN bytes of the input to what is kept, of a message with at most MOST bytes. */
static bool keep(cutter_t *cutter, uint32_t len, uint64_t most)
{
    if (len == 0) {
        return true;
    }
    if (!make_room(cutter, len, most)) {
        return false;
    }
    copy_bytes(cutter->kept + cutter->kept_len, cutter->input, len);
    cutter->kept_len += len;
    take_input(cutter, len);
    return true;
}

/* The message of LEN bytes, of which the first SKIP are not handed out, is whole in what is kept.
 */
static frame_t hand_kept(cutter_t *cutter, uint32_t skip, uint32_t len)
{
    cutter->message = cutter->kept + skip;
    cutter->message_len = len - skip;
    cutter->handed = true;
    return FRAME_MESSAGE;
}

/* The same, whole in the input; TAIL bytes behind it are its delimiter. */
static frame_t hand_input(cutter_t *cutter, uint32_t skip, uint32_t len, uint32_t tail)
{
    cutter->message = cutter->input + skip;
    cutter->message_len = len - skip;
    take_input(cutter, len + tail);
    return FRAME_MESSAGE;
}

/* A message that is known to have LEN bytes, with the first SKIP not to be handed out. */
static frame_t cut_known(cutter_t *cutter, uint32_t skip, uint32_t len)
{
    if (cutter->kept_len == 0 && cutter->input_len >= len) {
        return hand_input(cutter, skip, len, 0);
    }
    uint32_t missing = len - cutter->kept_len;
    uint32_t part = missing < cutter->input_len ? missing : cutter->input_len;
    if (!keep(cutter, part, len)) {
        return FRAME_NO_MEMORY;
    }
    return part == missing ? hand_kept(cutter, skip, len) : FRAME_MORE;
}

uint64_t framing_told(const framing_t *framing, const char *bytes)
{
    const unsigned char *from = (const unsigned char *)bytes;
    if (framing->prefix == 4 && !framing->little) { /* as most have it: two instructions */
        return (uint32_t)from[0] << 24 | (uint32_t)from[1] << 16 | (uint32_t)from[2] << 8 | from[3];
    }
    uint64_t length = 0;
    for (uint32_t i = 0; i < framing->prefix; i++) {
        length = length << 8 | from[framing->little ? framing->prefix - 1 - i : i];
    }
    return length;
}

/* The first LEN bytes of a message stand together: FRAME_MESSAGE, and BYTES are they. */
static frame_t show_header(cutter_t *cutter, uint32_t len, const char **bytes)
{
    uint32_t most = len < KEPT_ROOM_MIN ? KEPT_ROOM_MIN : len;
    if (cutter->kept_len > 0 && cutter->kept_len < len) {
        uint32_t missing = len - cutter->kept_len;
        uint32_t part = missing < cutter->input_len ? missing : cutter->input_len;
        if (!keep(cutter, part, most)) {
            return FRAME_NO_MEMORY;
        }
    }
    *bytes = cutter->kept_len > 0 ? cutter->kept : cutter->input;
    uint32_t have = cutter->kept_len > 0 ? cutter->kept_len : cutter->input_len;
    if (have >= len) {
        return FRAME_MESSAGE;
    }
    return keep(cutter, cutter->input_len, most) ? FRAME_MORE : FRAME_NO_MEMORY;
}

static frame_t cut_prefixed(cutter_t *cutter, const framing_t *framing)
{
    const char *bytes;
    uint32_t prefix = framing->prefix;
    frame_t frame = show_header(cutter, prefix, &bytes);
    if (frame != FRAME_MESSAGE) {
        return frame;
    }
    uint64_t length = framing_told(framing, bytes);
    if (length > framing->max_length) {
        cutter->told_len = length;
        return FRAME_TOO_LONG;
    }
    return cut_known(cutter, prefix, prefix + (uint32_t)length);
}

/* The sum of A and B, where it is neither below 0 nor too large for its type: those become 0 and
 * the largest there is. */
static uint64_t add_signed(uint64_t a, int64_t b)
{
    if (b < 0) {
        uint64_t less = 0 - (uint64_t)b;
        return a < less ? 0 : a - less;
    }
    return a > UINT64_MAX - (uint64_t)b ? UINT64_MAX : a + (uint64_t)b;
}

/* A length that anybody may have written: added to and subtracted from, it must not come round. */
static frame_t cut_by_field(cutter_t *cutter, const framing_t *framing)
{
    const char *bytes;
    uint32_t header = framing->offset + framing->prefix;
    frame_t frame = show_header(cutter, header, &bytes);
    if (frame != FRAME_MESSAGE) {
        return frame;
    }
    uint64_t told = framing_told(framing, bytes + framing->offset);
    bool negative = framing->adjust < 0 && told < 0 - (uint64_t)framing->adjust;
    uint64_t whole = add_signed(add_signed(told, framing->adjust), header);
    if (negative || whole < framing->strip) {
        cutter->told_len = told;
        return FRAME_TOO_SHORT;
    }
    if (whole - framing->strip > framing->max_length) {
        cutter->told_len = whole - framing->strip;
        return FRAME_TOO_LONG;
    }
    return cut_known(cutter, framing->strip, (uint32_t)whole);
}

/* Where the delimiter begins in LEN bytes; LEN where it does not. */
static uint32_t find_delimiter(const framing_t *framing, const char *bytes, uint32_t len)
{
    uint32_t size = framing->delimiter_len;
    const char *at = bytes;
    while (len - (uint32_t)(at - bytes) >= size) {
        size_t span = len - (size_t)(at - bytes) - (size - 1);
        at = memchr(at, framing->delimiter[0], span);
        if (at == NULL) {
            return len;
        }
        if (memcmp(at, framing->delimiter, size) == 0) {
            return (uint32_t)(at - bytes);
        }
        at++;
    }
    return len;
}

/* A line of LEN bytes, and perhaps more, has no end yet, or one that comes too late. */
static bool is_too_long(cutter_t *cutter, const framing_t *framing, uint64_t len)
{
    cutter->told_len = len;
    return len > framing->max_length;
}

/* No delimiter has come: all of the input is kept. Its last bytes may be the beginning of one. */
static frame_t keep_line(cutter_t *cutter, const framing_t *framing)
{
    uint64_t most = (uint64_t)framing->max_length + framing->delimiter_len;
    uint64_t len = (uint64_t)cutter->kept_len + cutter->input_len;
    uint64_t certain = len < framing->delimiter_len ? 0 : len - (framing->delimiter_len - 1);
    if (is_too_long(cutter, framing, certain)) {
        return FRAME_TOO_LONG;
    }
    return keep(cutter, cutter->input_len, most) ? FRAME_MORE : FRAME_NO_MEMORY;
}

static frame_t cut_fresh_line(cutter_t *cutter, const framing_t *framing)
{
    uint32_t end = find_delimiter(framing, cutter->input, cutter->input_len);
    if (end == cutter->input_len) {
        return keep_line(cutter, framing);
    }
    if (is_too_long(cutter, framing, end)) {
        return FRAME_TOO_LONG;
    }
    return hand_input(cutter, 0, end, framing->delimiter_len);
}

/* A line whose beginning is kept. Its delimiter may stand across the border of the two. */
static frame_t cut_kept_line(cutter_t *cutter, const framing_t *framing)
{
    uint32_t across = framing->delimiter_len - 1;
    uint32_t part = across < cutter->input_len ? across : cutter->input_len;
    uint32_t old_len = cutter->kept_len;
    uint64_t most = (uint64_t)framing->max_length + framing->delimiter_len;
    if (!make_room(cutter, part, most)) {
        return FRAME_NO_MEMORY;
    }
    if (part > 0) {
        copy_bytes(cutter->kept + old_len, cutter->input, part);
    }
    uint32_t from = old_len < across ? 0 : old_len - across;
    uint32_t len = old_len + part - from;
    uint32_t end = find_delimiter(framing, cutter->kept + from, len);
    if (end < len) {
        end += from;
        take_input(cutter, end + framing->delimiter_len - old_len);
    } else {
        uint32_t found = find_delimiter(framing, cutter->input, cutter->input_len);
        if (found == cutter->input_len) {
            return keep_line(cutter, framing);
        }
        end = old_len + found;
        if (is_too_long(cutter, framing, end)) {
            return FRAME_TOO_LONG;
        }
        if (!keep(cutter, found, most)) {
            return FRAME_NO_MEMORY;
        }
        take_input(cutter, framing->delimiter_len);
    }
    if (is_too_long(cutter, framing, end)) {
        return FRAME_TOO_LONG;
    }
    return hand_kept(cutter, 0, end);
}

static frame_t cut(cutter_t *cutter, const framing_t *framing)
{
    if (cutter->input_len == 0) {
        return FRAME_MORE;
    }
    switch (framing->kind) {
    case FRAMING_NONE:
        break;
    case FRAMING_LINES:
        return cutter->kept_len > 0 ? cut_kept_line(cutter, framing)
                                    : cut_fresh_line(cutter, framing);
    case FRAMING_LENGTH_PREFIX:
        return cut_prefixed(cutter, framing);
    case FRAMING_FIXED:
        return cut_known(cutter, 0, framing->length);
    case FRAMING_LENGTH_FIELD:
        return cut_by_field(cutter, framing);
    }
    uint32_t len = cutter->input_len < framing->length ? cutter->input_len : framing->length;
    return hand_input(cutter, 0, len, 0);
}

static frame_t cut_replay(cutter_t *cutter, const framing_t *framing)
{
    frame_t frame = cut(cutter, framing);
    if (frame != FRAME_MORE) {
        return frame;
    }
    end_replay(cutter);
    return cut(cutter, framing);
}

frame_t cutter_next(cutter_t *cutter, const framing_t *framing)
{
    if (cutter->handed) {
        free_kept(cutter);
    }
    return cutter->replay != NULL ? cut_replay(cutter, framing) : cut(cutter, framing);
}

/* The bytes of a message that are not handed out: those before it, */
static uint32_t head_len(const framing_t *framing)
{
    if (framing->kind == FRAMING_LENGTH_PREFIX) {
        return framing->prefix;
    }
    return framing->kind == FRAMING_LENGTH_FIELD ? framing->strip : 0;
}

/* and behind it. */
static uint32_t tail_len(const framing_t *framing)
{
    return framing->kind == FRAMING_LINES ? framing->delimiter_len : 0;
}

/* The message that was cut last stands in the input again. */
static void put_back(cutter_t *cutter, const framing_t *framing)
{
    uint32_t head = head_len(framing);
    cutter->input = cutter->message - head;
    cutter->input_len += head + cutter->message_len + tail_len(framing);
}

/* Or in what is kept, where its delimiter, which was looked for across a border, need not be. */
static bool complete_kept(cutter_t *cutter, const framing_t *framing)
{
    uint32_t tail = tail_len(framing);
    if (tail > 0) {
        cutter->kept_len = cutter->message_len;
        if (!make_room(cutter, tail, 0)) {
            return false;
        }
        memcpy(cutter->kept + cutter->kept_len, framing->delimiter, tail);
        cutter->kept_len += tail;
    }
    cutter->handed = false;
    return true;
}

bool cutter_recut(cutter_t *cutter, const framing_t *framing, bool taken)
{
    if (taken && !cutter->handed) {
        put_back(cutter, framing);
    } else if (taken && !complete_kept(cutter, framing)) {
        return false;
    }
    if (cutter->kept != NULL && !cutter->handed) {
        /* What was being replayed has been cut, or some of it would not be kept. */
        CHECK(cutter->replay == NULL);
        cutter->later = cutter->input;
        cutter->later_len = cutter->input_len;
        cutter->replay = cutter->kept;
        cutter->input = cutter->kept;
        cutter->input_len = cutter->kept_len;
        cutter->kept = NULL;
        free_kept(cutter);
    }
    return true;
}
