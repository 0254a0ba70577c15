/* pattern.h: what clients send, and so what has to come back: a ring of bytes.

   It repeats for ever, and every client starts at another place of it, so that another client's
   bytes are wrong bytes. */
#ifndef GENERATOR_PATTERN_H
#define GENERATOR_PATTERN_H

#include <stddef.h>
#include <stdint.h>

/* So many bytes are there in one piece from any place of the ring. */
#define PATTERN_REACH ((size_t)1 << 18)

typedef struct {
    uint8_t *bytes;
    size_t period;
} pattern_t;

/* Bytes without structure. */
void pattern_make_bytes(pattern_t *pattern);

/* Messages of SIZE bytes, each behind its length in PREFIX bytes, most significant first. */
void pattern_make_frames(pattern_t *pattern, size_t size, size_t prefix);

/* The place in the ring where the client INDEX begins; a multiple of UNIT bytes. */
size_t pattern_start(const pattern_t *pattern, uint32_t index, size_t unit);

/* Moves a place in the ring on. */
size_t pattern_next(const pattern_t *pattern, size_t place, size_t bytes);

/* How many of COUNT bytes differ from what stands at PLACE. */
size_t pattern_wrong(const pattern_t *pattern, size_t place, const uint8_t *bytes, size_t count);

#endif
