/* draw.h: the decisions of a fuzz target, drawn from both ends of its input. */
#ifndef IOCPREUSE_TESTS_FUZZ_DRAW_H
#define IOCPREUSE_TESTS_FUZZ_DRAW_H

#include <stddef.h>
#include <stdint.h>

typedef struct {
    const uint8_t *at;
    size_t left;
} draw_t;

/* The next byte; 0 once there are no more. */
static inline uint32_t draw_byte(draw_t *draw)
{
    if (draw->left == 0) {
        return 0;
    }
    draw->left--;
    return *draw->at++;
}

/* The last one: what is drawn here leaves the bytes in front of it in one piece. */
static inline uint32_t draw_last(draw_t *draw)
{
    return draw->left == 0 ? 0 : draw->at[--draw->left];
}

/* From 0 to MOST, of two bytes. */
static inline uint32_t draw_up_to(draw_t *draw, uint64_t most)
{
    uint32_t high = draw_byte(draw);
    return (uint32_t)((high << 8 | draw_byte(draw)) % (most + 1));
}

#endif
