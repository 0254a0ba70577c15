/* test_framing.c: streams are cut as a model that looks at the whole stream at once says, in
 * whatever segments they come; and a cutter keeps no more than what has come. */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tally.h"
#include "../../csrc/engine/bytes/framing.h"

#define STREAM_MAX   400u
#define MESSAGES_MAX 512u

static tally_t tally;
static uint32_t ends[FRAME_TOO_SHORT + 1]; /* of all streams */

typedef struct {
    uint32_t begin;
    uint32_t len;
} span_t;

/* What a stream comes to. */
typedef struct {
    span_t messages[MESSAGES_MAX];
    uint32_t count;
    frame_t end; /* FRAME_MORE: nothing left; FRAME_CUT_OFF: amid a message; or what is wrong */
} cuts_t;

static uint32_t next_random(uint32_t *seed)
{
    *seed = *seed * 1664525u + 1013904223u;
    return *seed >> 8;
}

static uint32_t find(const char *bytes, uint32_t len, const framing_t *framing)
{
    for (uint32_t at = 0; at + framing->delimiter_len <= len; at++) {
        if (memcmp(bytes + at, framing->delimiter, framing->delimiter_len) == 0) {
            return at;
        }
    }
    return UINT32_MAX;
}

static uint64_t read_told(const framing_t *framing, const char *bytes)
{
    uint64_t told = 0;
    for (uint32_t i = 0; i < framing->prefix; i++) {
        uint32_t place = framing->little ? i : framing->prefix - 1 - i;
        told |= (uint64_t)(unsigned char)bytes[place] << (8 * i);
    }
    return told;
}

/* A message with its length somewhere in its header. */
static frame_t model_field(const framing_t *framing, const char *bytes, uint32_t left, span_t *span,
                           uint32_t *size)
{
    uint32_t header = framing->offset + framing->prefix;
    if (left < header) {
        return FRAME_CUT_OFF;
    }
    uint64_t told = read_told(framing, bytes + framing->offset);
    if (told > INT32_MAX) {
        return FRAME_TOO_LONG;
    }
    int64_t whole = (int64_t)(header + told) + framing->adjust;
    if (whole < header || whole < framing->strip) {
        return FRAME_TOO_SHORT;
    }
    *span = (span_t){framing->strip, (uint32_t)whole - framing->strip};
    *size = (uint32_t)whole;
    return span->len > framing->max_length ? FRAME_TOO_LONG
           : *size > left                  ? FRAME_CUT_OFF
                                           : FRAME_MESSAGE;
}

/* The model: one message from LEFT bytes; its whole size in SIZE. */
static frame_t model_next(const framing_t *framing, const char *bytes, uint32_t left, span_t *span,
                          uint32_t *size)
{
    if (left == 0) {
        return FRAME_MORE;
    }
    if (framing->kind == FRAMING_LINES) {
        uint32_t at = find(bytes, left, framing);
        uint32_t shown = at != UINT32_MAX                ? at
                         : left < framing->delimiter_len ? 0
                                                         : left - framing->delimiter_len + 1;
        *span = (span_t){0, at};
        *size = at + framing->delimiter_len;
        return shown > framing->max_length ? FRAME_TOO_LONG
               : at == UINT32_MAX          ? FRAME_CUT_OFF
                                           : FRAME_MESSAGE;
    }
    if (framing->kind == FRAMING_LENGTH_FIELD) {
        return model_field(framing, bytes, left, span, size);
    }
    uint64_t length = framing->length;
    uint32_t prefix = framing->kind == FRAMING_LENGTH_PREFIX ? framing->prefix : 0;
    if (prefix > left) {
        return FRAME_CUT_OFF;
    }
    if (prefix > 0) {
        length = 0;
        for (uint32_t i = 0; i < prefix; i++) {
            uint32_t place = framing->little ? i : prefix - 1 - i;
            length |= (uint64_t)(unsigned char)bytes[place] << (8 * i);
        }
    }
    if (length > framing->max_length) {
        return FRAME_TOO_LONG;
    }
    *span = (span_t){prefix, (uint32_t)length};
    *size = prefix + (uint32_t)length;
    return *size > left ? FRAME_CUT_OFF : FRAME_MESSAGE;
}

static void model(const framing_t *framing, const char *stream, uint32_t len, cuts_t *out)
{
    uint32_t at = 0;
    out->count = 0;
    for (;;) {
        span_t span = {0, 0};
        uint32_t size = 0;
        out->end = model_next(framing, stream + at, len - at, &span, &size);
        if (out->end != FRAME_MESSAGE) {
            return;
        }
        out->messages[out->count++] = (span_t){at + span.begin, span.len};
        at += size;
    }
}

/* Feeds STREAM in segments of 1 to MOST bytes, each from memory of its own that is gone
 * afterwards. */
static bool agrees(const framing_t *framing, const char *stream, uint32_t len, uint32_t most,
                   uint32_t *seed, const cuts_t *cuts)
{
    cutter_t cutter = {0};
    uint32_t seen = 0;
    bool good = true;
    frame_t frame = FRAME_MORE;
    for (uint32_t at = 0; at < len && good && frame == FRAME_MORE;) {
        uint32_t part = 1 + next_random(seed) % most;
        part = part < len - at ? part : len - at;
        char *segment = malloc(part);
        if (segment == NULL) {
            return false;
        }
        memcpy(segment, stream + at, part);
        at += part;
        cutter_feed(&cutter, segment, part);
        while (good && (frame = cutter_next(&cutter, framing)) == FRAME_MESSAGE) {
            const span_t *span = &cuts->messages[seen];
            good = seen < cuts->count && cutter.message_len == span->len &&
                   memcmp(cutter.message, stream + span->begin, span->len) == 0;
            seen++;
        }
        good = good && cutter.kept_len <= at;
        free(segment);
    }
    if (frame == FRAME_MORE && cutter_is_amid(&cutter)) {
        frame = FRAME_CUT_OFF;
    }
    good = good && seen == cuts->count && frame == cuts->end;
    cutter_drop(&cutter);
    return good && cutter.kept == NULL;
}

/* A stream that is mostly right, or mostly noise; few letters, so that delimiters come about. */
static uint32_t make_stream(const framing_t *framing, char *out, uint32_t *seed)
{
    uint32_t len = next_random(seed) % STREAM_MAX;
    bool small = next_random(seed) % 4 != 0;
    for (uint32_t i = 0; i < len; i++) {
        out[i] = small ? "ab\0\1"[next_random(seed) % 4] : (char)next_random(seed);
    }
    for (uint32_t at = 0; framing->kind == FRAMING_LINES && at + framing->delimiter_len < len;) {
        at += 1 + next_random(seed) % 30;
        if (at + framing->delimiter_len <= len) {
            memcpy(out + at, framing->delimiter, framing->delimiter_len);
        }
    }
    if (framing->kind == FRAMING_LENGTH_PREFIX && small) {
        uint32_t at = 0;
        while (at + framing->prefix <= len) {
            uint32_t length = next_random(seed) % (framing->max_length + 1) % 24;
            memset(out + at, 0, framing->prefix);
            out[at + (framing->little ? 0 : framing->prefix - 1)] = (char)length;
            at += framing->prefix + length;
        }
    }
    if (framing->kind == FRAMING_LENGTH_FIELD && small) {
        uint32_t at = framing->offset;
        while (at + framing->prefix <= len) {
            uint32_t told = next_random(seed) % 40;
            memset(out + at, 0, framing->prefix);
            out[at + (framing->little ? 0 : framing->prefix - 1)] = (char)told;
            int64_t next = (int64_t)at + framing->prefix + told + framing->adjust;
            if (next < at + framing->prefix) {
                break; /* it is too short */
            }
            at = (uint32_t)next + framing->offset;
        }
    }
    return len;
}

static framing_t lines(const char *delimiter, uint32_t max_length)
{
    framing_t framing = {.kind = FRAMING_LINES, .max_length = max_length};
    framing.delimiter_len = (uint32_t)strlen(delimiter);
    memcpy(framing.delimiter, delimiter, framing.delimiter_len);
    return framing;
}

static framing_t prefixed(uint32_t size, bool little, uint32_t max_length)
{
    return (framing_t){
        .kind = FRAMING_LENGTH_PREFIX, .prefix = size, .little = little, .max_length = max_length};
}

static framing_t field(uint32_t size, uint32_t offset, bool little, int64_t adjust, uint32_t strip,
                       uint32_t max_length)
{
    return (framing_t){.kind = FRAMING_LENGTH_FIELD,
                       .prefix = size,
                       .little = little,
                       .max_length = max_length,
                       .offset = offset,
                       .strip = strip,
                       .adjust = adjust};
}

static framing_t fixed(uint32_t length)
{
    return (framing_t){.kind = FRAMING_FIXED, .length = length, .max_length = length};
}

static void test_model(const framing_t *framing, const char *name)
{
    static cuts_t cuts;
    static char stream[STREAM_MAX];
    uint32_t seed = 1;
    bool good = true;
    uint64_t messages = 0;
    for (uint32_t run = 0; run < 3000 && good; run++) {
        uint32_t len = make_stream(framing, stream, &seed);
        model(framing, stream, len, &cuts);
        messages += cuts.count;
        ends[cuts.end]++;
        for (uint32_t most = 1; most <= STREAM_MAX && good; most *= 5) {
            good = agrees(framing, stream, len, most, &seed, &cuts);
        }
    }
    tally_check(&tally, good, name);
    tally_check(&tally, messages > 1000, "and there are messages");
}

/* A prefix that promises much costs nothing until the bytes come. */
static void test_promises(void)
{
    framing_t framing = prefixed(4, false, 1u << 30);
    cutter_t cutter = {0};
    cutter_feed(&cutter, "\x3f\xff\xff\xffxyz", 7);
    tally_check(&tally, cutter_next(&cutter, &framing) == FRAME_MORE, "a promise of 1 GiB");
    tally_check(&tally, cutter.kept_len == 7 && cutter.kept_room <= 64, "is not believed");
    cutter_drop(&cutter);
    framing = prefixed(8, true, 100);
    cutter_feed(&cutter, "\xff\xff\xff\xff\xff\xff\xff\xff", 8);
    tally_check(&tally, cutter_next(&cutter, &framing) == FRAME_TOO_LONG, "nor one of 16 EiB");
    tally_check(&tally, cutter.told_len == UINT64_MAX, "whose length is told");
    cutter_drop(&cutter);
}

/* What cutter_next says of STREAM when its header has come; TOLD is what it tells then. */
static frame_t frame_of(const framing_t *framing, const char *stream, uint32_t len, uint64_t *told)
{
    cutter_t cutter = {0};
    cutter_feed(&cutter, stream, len);
    frame_t frame = cutter_next(&cutter, framing);
    *told = cutter.told_len;
    cutter_drop(&cutter);
    return frame;
}

/* Sums of lengths that are chosen to come round. */
static void test_hostile_fields(void)
{
    static const char ones[] = "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff";
    uint64_t told = 0;
    framing_t framing = field(8, 2, false, INT32_MAX, 0, INT32_MAX);
    frame_t frame = frame_of(&framing, ones, 10, &told);
    tally_check(&tally, frame == FRAME_TOO_LONG && told == UINT64_MAX, "2^64 - 1, and more");
    framing = field(8, 2, false, -INT32_MAX, FRAMING_HEADER_MAX, INT32_MAX);
    frame = frame_of(&framing, ones, 10, &told);
    tally_check(&tally, frame == FRAME_TOO_LONG, "2^64 - 1, and less");
    framing = field(8, 0, true, -9, 0, 100);
    frame = frame_of(&framing, "\x08\0\0\0\0\0\0\0", 8, &told);
    tally_check(&tally, frame == FRAME_TOO_SHORT && told == 8, "one below its header's end");
    frame = frame_of(&framing, "\x09\0\0\0\0\0\0\0", 8, &told);
    tally_check(&tally, frame == FRAME_MESSAGE, "at its header's end");
    framing = field(4, 0, false, INT32_MAX, 0, INT32_MAX);
    frame = frame_of(&framing, "\0\0\0\0", 4, &told);
    tally_check(&tally, frame == FRAME_TOO_LONG && told == (uint64_t)INT32_MAX + 4,
                "the header counts where it is kept");
    framing = field(4, 0, false, 0, 4, INT32_MAX);
    frame = frame_of(&framing, "\x7f\xff\xff\xff", 4, &told);
    tally_check(&tally, frame == FRAME_MORE, "and does not where it is taken off");
    framing = field(1, 0, false, 0, 3, 100);
    frame = frame_of(&framing, "\x01x", 2, &told);
    tally_check(&tally, frame == FRAME_TOO_SHORT && told == 1, "amid what is taken off");
}

int main(void)
{
    setvbuf(stdout, NULL, _IONBF, 0);
    const struct {
        framing_t framing;
        const char *name;
    } framings[] = {
        {lines("a", 20), "lines, one byte"},
        {lines("aa", 60), "lines, two like bytes"},
        {lines("ab", 7), "lines, two bytes"},
        {lines("aab", 500), "lines, three bytes"},
        {lines("abababab", 500), "lines, eight bytes"},
        {prefixed(1, false, 255), "prefix of 1 byte"},
        {prefixed(2, false, 300), "prefix of 2 bytes, big"},
        {prefixed(2, true, 300), "prefix of 2 bytes, little"},
        {prefixed(4, false, 20), "prefix of 4 bytes, big"},
        {prefixed(4, true, 1000), "prefix of 4 bytes, little"},
        {prefixed(8, false, 1000), "prefix of 8 bytes, big"},
        {prefixed(8, true, 16), "prefix of 8 bytes, little"},
        {fixed(1), "fixed, 1 byte"},
        {fixed(7), "fixed, 7 bytes"},
        {fixed(100), "fixed, 100 bytes"},
        {field(1, 0, false, 0, 0, 300), "field of 1 byte, kept"},
        {field(2, 0, false, 0, 2, 60), "field of 2 bytes, taken off"},
        {field(2, 1, true, -3, 0, 60), "field that counts all"},
        {field(3, 2, false, 2, 4, 300), "field amid its header"},
        {field(4, 70, true, 0, 74, 300), "field far behind"},
        {field(8, 0, false, -4, 20, 300), "field of 8 bytes"},
    };
    for (size_t i = 0; i < sizeof framings / sizeof framings[0]; i++) {
        test_model(&framings[i].framing, framings[i].name);
    }
    tally_check(&tally,
                ends[FRAME_MORE] > 0 && ends[FRAME_CUT_OFF] > 0 && ends[FRAME_TOO_LONG] > 0 &&
                    ends[FRAME_TOO_SHORT] > 0,
                "streams ended in every way");
    test_promises();
    test_hostile_fields();
    return tally_close(&tally);
}
