/* fuzz_framing.c: a stream, received in pieces of any size, and cut anew amid it, is cut as a model
 * cuts it that looks at one byte after the other. */
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

/* A stream that is cut in one way, and then perhaps in another. */
typedef struct {
    cutter_t cutter;
    model_t model;
    framing_t framing;
    framing_t next;     /* from the message RECUTS_IN on, which is not taken; */
    uint32_t recuts_in; /* or, where that is 0, when a segment has been cut */
    bool recuts;        /* and never, where it is not set */
    uint32_t fails_at;
} stream_t;

/* What is not cut yet of a segment. BORDER: it is received in two, of which the first has so many
 * bytes. */
typedef struct {
    const char *bytes;
    size_t len;
    size_t border;
} rest_t;

static bool cut_all(stream_t *stream, rest_t rest);

/* The next framing cuts what is in the model, and REST. */
static bool cut_anew(stream_t *stream, bool taken, rest_t rest)
{
    cutter_t *cutter = &stream->cutter;
    stream->recuts = false;
    memory_fails_at(stream->fails_at);
    bool done = cutter_recut(cutter, &stream->framing, taken);
    CHECK(done != memory_has_failed());
    CHECK(done || cutter_recut(cutter, &stream->framing, taken));
    stream->framing = stream->next;
    size_t len = stream->model.len;
    rest_t again = {.len = len + rest.len};
    char *bytes = memory_take(again.len + 1);
    memcpy(bytes, stream->model.bytes, len);
    if (rest.len > 0) {
        memcpy(bytes + len, rest.bytes, rest.len);
    }
    again.bytes = bytes;
    again.border = cutter->replay != NULL && cutter->later_len > 0 ? len : 0;
    stream->model = (model_t){.bytes = stream->model.bytes};
    bool good = cut_all(stream, again);
    free(bytes);
    return good;
}

/* Nothing is left of what has come but the beginning of a message. */
static void check_kept(const stream_t *stream)
{
    const cutter_t *cutter = &stream->cutter;
    size_t len = stream->model.len;
    CHECK(!cutter_has_input(cutter));
    CHECK(cutter_is_amid(cutter) == (len > 0));
    CHECK(cutter->kept_len == len);
    /* It grows with what has come, and is gone with a message's end. */
    CHECK(cutter->kept_room <= (len <= ROOM_MIN / 2 ? ROOM_MIN : 2 * len));
    CHECK((cutter->kept != NULL) == (len > 0));
}

/* REST has been fed. False if the stream ends with it. */
static bool cut_all(stream_t *stream, rest_t rest)
{
    cutter_t *cutter = &stream->cutter;
    model_t *model = &stream->model;
    for (size_t i = 0; i < rest.len; i++) {
        bool last = i + 1 == rest.len || i + 1 == rest.border;
        bool whole = model_take(model, &stream->framing, (uint8_t)rest.bytes[i], last);
        if (model->too_long || model->too_short) {
            frame_t fault = model->too_long ? FRAME_TOO_LONG : FRAME_TOO_SHORT;
            CHECK(next(cutter, &stream->framing, stream->fails_at) == fault);
            check_told(cutter, model, &stream->framing, model->len + rest.len - i - 1);
            return false;
        }
        if (whole) {
            CHECK(next(cutter, &stream->framing, stream->fails_at) == FRAME_MESSAGE);
            check_message(cutter, model);
            if (stream->recuts && stream->recuts_in > 0 && --stream->recuts_in == 0) {
                rest_t behind = {rest.bytes + i + 1, rest.len - i - 1, 0};
                return cut_anew(stream, true, behind);
            }
            model->len = 0;
        }
    }
    CHECK(next(cutter, &stream->framing, stream->fails_at) == FRAME_MORE);
    check_kept(stream);
    bool anew = stream->recuts && stream->recuts_in == 0;
    return !anew || cut_anew(stream, false, (rest_t){0});
}

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t size)
{
    draw_t draw = {input, size};
    stream_t stream = {.framing = draw_framing(&draw)};
    stream.fails_at = draw_byte(&draw) % 4;
    stream.recuts = draw_byte(&draw) % 2 != 0;
    if (stream.recuts) {
        stream.next = draw_framing(&draw);
        stream.recuts_in = draw_byte(&draw) % 8;
    }
    stream.model.bytes = memory_take(size + 1);
    bool good = true;
    while (good && draw.left > 0) {
        uint32_t cut = draw_last(&draw);
        size_t len = cut < 192 ? cut : (size_t)(cut - 191) * 64;
        len = len < draw.left ? len : draw.left;
        char *segment = memory_take(len); /* its own, so that a byte too many is noticed */
        memcpy(segment, draw.at, len);
        draw.at += len;
        draw.left -= len;
        cutter_feed(&stream.cutter, segment, (uint32_t)len);
        good = cut_all(&stream, (rest_t){segment, len, 0});
        free(segment);
    }
    cutter_drop(&stream.cutter);
    free(stream.model.bytes);
    return 0;
}
