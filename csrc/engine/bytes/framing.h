/* framing.h: messages cut out of a stream of bytes, whatever segments it comes in.
 *
 * A cutter is one session's place in its stream. Bytes are fed to it where they were received,
 * and whole messages are handed out from there, without a copy. Only the beginning of a message
 * whose rest has not come is kept, in memory that grows with what has really come, never with
 * what a prefix promises, and is given back with the message's end. */
#ifndef IOCPREUSE_ENGINE_FRAMING_H
#define IOCPREUSE_ENGINE_FRAMING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FRAMING_DELIMITER_MAX 16u

/* The most that offset and strip of a FRAMING_LENGTH_FIELD may be. */
#define FRAMING_HEADER_MAX 65536u

typedef enum {
    FRAMING_NONE,          /* a message is what one receive brought, at most LENGTH bytes */
    FRAMING_LINES,         /* ends with DELIMITER, which is not part of it */
    FRAMING_LENGTH_PREFIX, /* follows PREFIX bytes that tell its length */
    FRAMING_FIXED,         /* has LENGTH bytes */
    FRAMING_LENGTH_FIELD /* tells its length in PREFIX bytes that stand OFFSET bytes from its front,
                          * and is handed out without the first STRIP of its bytes */
} framing_kind_t;

/* How a stream is cut; constant. */
typedef struct {
    framing_kind_t kind;
    uint32_t length; /* also, with FRAMING_NONE: the most that one message takes of it */
    uint32_t prefix; /* 1, 2, 4 or 8; 3 with FRAMING_LENGTH_FIELD */
    bool little;     /* the prefix, or field, has its least significant byte first */
    char delimiter[FRAMING_DELIMITER_MAX];
    uint32_t delimiter_len;
    uint32_t max_length; /* of a message, without delimiter, prefix, or what is stripped */
    uint32_t offset;     /* the last three with FRAMING_LENGTH_FIELD */
    uint32_t strip;
    int64_t adjust; /* what the field tells counts so many bytes too few of those behind it */
} framing_t;

typedef enum {
    FRAME_MESSAGE,   /* there is one */
    FRAME_MORE,      /* the rest of the next one has not come */
    FRAME_TOO_LONG,  /* the next one is, or would be, longer than max_length */
    FRAME_NO_MEMORY, /* to keep what has come of the next one */
    FRAME_CUT_OFF,   /* the stream ended amid a message; for records, cutter_next never says so */
    FRAME_TOO_SHORT  /* the next one would end amid its header, or in what is stripped */
} frame_t;

typedef struct {
    const char *input; /* received, and not cut yet; whoever feeds it owns it */
    char *kept;        /* the beginning of a message, or NULL */
    union {
        const char *message; /* the one that was cut last, until the next call */
        uint64_t told_len;   /* what one that is too long told or showed of its length; the field of
                              * one that is too short */
    };
    uint32_t input_len;
    uint32_t kept_len;
    uint32_t kept_room;
    uint32_t message_len;
    bool handed; /* KEPT is a whole message that was handed out */

    /* What is cut anew was kept until then, and what is received stands behind it. */
    char *replay;      /* INPUT is of this memory; or NULL */
    const char *later; /* the input when that has been cut */
    uint32_t later_len;
} cutter_t;

/* All of what was fed before has been cut, or is being cut anew. DATA stays until all of it is. */
void cutter_feed(cutter_t *cutter, const char *data, uint32_t len);

/* Cuts the next message: FRAME_MESSAGE, and it stands in the cutter. */
frame_t cutter_next(cutter_t *cutter, const framing_t *framing);

/* From here on the stream is cut in another way than FRAMING, as which it was cut until now; TAKEN:
 * the message that was cut last goes back to it. False, and nothing has changed, where there is no
 * memory. */
bool cutter_recut(cutter_t *cutter, const framing_t *framing, bool taken);

/* Forgets the stream, and frees what is kept. */
void cutter_drop(cutter_t *cutter);

/* What the prefix, or field, that stands at BYTES tells. */
uint64_t framing_told(const framing_t *framing, const char *bytes);

/* Whether something has not been cut. */
static inline bool cutter_has_input(const cutter_t *cutter)
{
    return cutter->input_len > 0 || cutter->later_len > 0;
}

/* Whether a message has begun and is not whole. All that was fed has been cut. */
static inline bool cutter_is_amid(const cutter_t *cutter)
{
    return cutter->kept_len > 0 && !cutter->handed;
}

#endif
