/* low_water.h: the least that a number has been in recent time, which is what nobody has needed of
 * it.
 *
 * The recent time is a window that moves on in parts. Its owner's lock guards it. */
#ifndef IOCPREUSE_ENGINE_LOW_WATER_H
#define IOCPREUSE_ENGINE_LOW_WATER_H

#include <stdint.h>

#define LOW_WATER_PARTS 4u

typedef struct {
    uint64_t part_ns;                /* the length of a part */
    uint64_t turn_ns;                /* when the one that fills now ends */
    uint32_t least[LOW_WATER_PARTS]; /* in each, that one first */
} low_water_t;

/* The window is WINDOW_NS long and begins at NOW_NS. Until it is over nothing counts as unneeded.
 */
void low_water_init(low_water_t *water, uint64_t window_ns, uint64_t now_ns);

/* The number has fallen to NUMBER, at NOW_NS. */
void low_water_note(low_water_t *water, uint32_t number, uint64_t now_ns);

/* The least that it was up to NOW_NS, when it is NUMBER. */
uint32_t low_water_read(low_water_t *water, uint32_t number, uint64_t now_ns);

/* COUNT fewer would have been there in all that time. */
void low_water_lower(low_water_t *water, uint32_t count);

#endif
