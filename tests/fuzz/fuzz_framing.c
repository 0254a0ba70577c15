/* fuzz_framing.c: a stream, received in pieces of any size, is cut as a model cuts it that looks at
 * one byte after the other. */
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "draw.h"
#include "framing.h"
#include "memory.h"
#include "../../csrc/base/check.h"

/* The first room of a cutter: see framing.c. */
#define ROOM_MIN 64u

/* What has come of the message that is not whole yet, with its prefix or delimiter. */
typedef struct {
    uint8_t *bytes;
    size_t len;
    size_t skip;   /* of these are not handed out: so many at the front, */
    size_t tail;   /* and at the end */
    uint64_t told; /* what a prefix says, and what is to be told of it */
    bool too_long;
    bool too_short;
} model_t;

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t size);

static framing_t draw_framing(draw_t *draw)
{
    static const uint32_t lengths[] = {1,   2,   3,    4,    7,     8,       63,        64, 65,
                                       255, 256, 1000, 4096, 65536, 1 << 20, INT32_MAX, 5,  6};
    framing_t framing = {.kind = (framing_kind_t)(draw_byte(draw) % (FRAMING_LENGTH_FIELD + 1))};
    uint32_t length = lengths[draw_byte(draw) % (sizeof lengths / sizeof *lengths)];
    uint32_t shape = draw_byte(draw);
    framing.length = length;
    framing.max_length = length;
    framing.prefix = 1u << shape % 4;
    framing.little = (shape & 16) != 0;
    framing.delimiter_len = 1 + shape % FRAMING_DELIMITER_MAX;
    uint32_t letters = draw_up_to(draw, UINT16_MAX);
    for (uint32_t i = 0; i < framing.delimiter_len; i++) {
        framing.delimiter[i] = (letters >> i & 1) != 0 ? 'a' : '\n';
    }
    if (framing.kind == FRAMING_LENGTH_FIELD) {
        static const uint32_t sizes[] = {1, 2, 3, 4, 8};
        static const uint32_t places[] = {0, 1, 2, 3, 5, 62, 63, 64, 200, FRAMING_HEADER_MAX};
        framing.prefix = sizes[shape % 5];
        framing.offset = places[draw_byte(draw) % (sizeof places / sizeof *places)];
        framing.strip = draw_up_to(draw, draw_byte(draw) % 4 == 0 ? FRAMING_HEADER_MAX : 16);
        framing.adjust = (int64_t)draw_up_to(draw, 40) - 20;
        if (draw_byte(draw) % 8 == 0) {
            framing.adjust = framing.adjust < 0 ? -INT32_MAX : INT32_MAX;
        }
    }
    return framing;
}

static bool ends_with_delimiter(const model_t *model, const framing_t *framing)
{
    size_t size = framing->delimiter_len;
    return model->len >= size &&
           memcmp(model->bytes + model->len - size, framing->delimiter, size) == 0;
}

static bool line_is_whole(model_t *model, const framing_t *framing)
{
    bool whole = ends_with_delimiter(model, framing);
    /* The last bytes of what has no delimiter may be the beginning of one. */
    size_t apart = whole ? framing->delimiter_len : framing->delimiter_len - 1;
    size_t line = model->len < apart ? 0 : model->len - apart;
    model->too_long = line > framing->max_length;
    model->tail = apart;
    return whole && !model->too_long;
}

static uint64_t read_told(const framing_t *framing, const uint8_t *bytes)
{
    uint64_t told = 0;
    for (uint32_t i = 0; i < framing->prefix; i++) {
        uint32_t place = framing->little ? i : framing->prefix - 1 - i;
        told += (uint64_t)bytes[i] << (8 * place);
    }
    return told;
}

/* In numbers that hold every sum there can be. */
static bool field_is_whole(model_t *model, const framing_t *framing)
{
    size_t header = (size_t)framing->offset + framing->prefix;
    model->skip = framing->strip;
    if (model->len < header) {
        return false;
    }
    model->told = read_told(framing, model->bytes + framing->offset);
    __int128 whole = (__int128)header + model->told + framing->adjust;
    __int128 handed = whole - framing->strip;
    model->too_short = whole < (__int128)header || handed < 0;
    model->too_long = !model->too_short && handed > framing->max_length;
    if (model->too_long) {
        model->told = whole > UINT64_MAX ? UINT64_MAX - framing->strip : (uint64_t)handed;
    }
    return !model->too_short && !model->too_long && model->len == (size_t)whole;
}

static bool prefixed_is_whole(model_t *model, const framing_t *framing)
{
    model->skip = framing->prefix;
    if (model->len < framing->prefix) {
        return false;
    }
    model->told = read_told(framing, model->bytes);
    model->too_long = model->told > framing->max_length;
    return !model->too_long && model->len - framing->prefix == model->told;
}

/* Takes BYTE, the LAST of its segment or not. Whether a message is whole then. */
static bool model_take(model_t *model, const framing_t *framing, uint8_t byte, bool last)
{
    model->bytes[model->len++] = byte;
    switch (framing->kind) {
    case FRAMING_LINES:
        return line_is_whole(model, framing);
    case FRAMING_LENGTH_PREFIX:
        return prefixed_is_whole(model, framing);
    case FRAMING_FIXED:
        return model->len == framing->length;
    case FRAMING_LENGTH_FIELD:
        return field_is_whole(model, framing);
    case FRAMING_NONE:
        break;
    }
    return last || model->len == framing->length;
}

/* As cutter_next; where memory is short for it, it is asked once more. */
static frame_t next(cutter_t *cutter, const framing_t *framing, uint32_t fails_at)
{
    memory_fails_at(fails_at);
    frame_t frame = cutter_next(cutter, framing);
    bool failed = memory_has_failed();
    CHECK((frame == FRAME_NO_MEMORY) == failed);
    return failed ? cutter_next(cutter, framing) : frame;
}

static void check_message(const cutter_t *cutter, const model_t *model)
{
    size_t len = model->len - model->skip - model->tail;
    CHECK(cutter->message_len == len);
    CHECK(len == 0 || memcmp(cutter->message, model->bytes + model->skip, len) == 0);
}

/* What is told of a message that is too long, or too short, of which at most SEEN bytes have come.
 */
static void check_told(const cutter_t *cutter, const model_t *model, const framing_t *framing,
                       size_t seen)
{
    if (framing->kind == FRAMING_LENGTH_PREFIX || framing->kind == FRAMING_LENGTH_FIELD) {
        CHECK(cutter->told_len == model->told);
    } else {
        CHECK(cutter->told_len > framing->max_length && cutter->told_len <= seen);
    }
}

/* Feeds a segment of LEN bytes. False if the stream ends with it. */
static bool feed(cutter_t *cutter, model_t *model, const framing_t *framing, const char *segment,
                 uint32_t len, uint32_t fails_at)
{
    cutter_feed(cutter, segment, len);
    for (uint32_t i = 0; i < len; i++) {
        bool whole = model_take(model, framing, (uint8_t)segment[i], i + 1 == len);
        if (model->too_long || model->too_short) {
            frame_t fault = model->too_long ? FRAME_TOO_LONG : FRAME_TOO_SHORT;
            CHECK(next(cutter, framing, fails_at) == fault);
            check_told(cutter, model, framing, model->len + len - i - 1);
            return false;
        }
        if (whole) {
            CHECK(next(cutter, framing, fails_at) == FRAME_MESSAGE);
            check_message(cutter, model);
            model->len = 0;
        }
    }
    CHECK(next(cutter, framing, fails_at) == FRAME_MORE);
    CHECK(cutter_is_amid(cutter) == (model->len > 0));
    CHECK(cutter->kept_len == model->len);
    /* It grows with what has come, and is gone with a message's end. */
    CHECK(cutter->kept_room <= (model->len <= ROOM_MIN / 2 ? ROOM_MIN : 2 * model->len));
    CHECK((cutter->kept != NULL) == (model->len > 0));
    return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t size)
{
    draw_t draw = {input, size};
    framing_t framing = draw_framing(&draw);
    uint32_t fails_at = draw_byte(&draw) % 4;
    cutter_t cutter = {0};
    model_t model = {.bytes = memory_take(size + 1)};
    bool good = true;
    while (good && draw.left > 0) {
        uint32_t cut = draw_last(&draw);
        size_t len = cut < 192 ? cut : (size_t)(cut - 191) * 64;
        len = len < draw.left ? len : draw.left;
        char *segment = memory_take(len); /* its own, so that a byte too many is noticed */
        memcpy(segment, draw.at, len);
        draw.at += len;
        draw.left -= len;
        good = feed(&cutter, &model, &framing, segment, (uint32_t)len, fails_at);
        free(segment);
    }
    cutter_drop(&cutter);
    free(model.bytes);
    return 0;
}
