/* low_water.c: the least that a number has been in recent time. */
#include "low_water.h"

#include <string.h>

void low_water_init(low_water_t *water, uint64_t window_ns, uint64_t now_ns)
{
    *water = (low_water_t){.part_ns = window_ns / LOW_WATER_PARTS};
    water->turn_ns = now_ns + water->part_ns;
}

/* Ends the parts that are over, in which the number was NUMBER at the least. */
static void turn(low_water_t *water, uint32_t number, uint64_t now_ns)
{
    for (uint32_t turns = 0; now_ns >= water->turn_ns; turns++) {
        if (turns == LOW_WATER_PARTS) {
            water->turn_ns = now_ns + water->part_ns; /* nothing has happened for long */
            return;
        }
        memmove(&water->least[1], &water->least[0], (LOW_WATER_PARTS - 1) * sizeof water->least[0]);
        water->least[0] = number;
        water->turn_ns += water->part_ns;
    }
}

void low_water_note(low_water_t *water, uint32_t number, uint64_t now_ns)
{
    turn(water, number, now_ns);
    if (number < water->least[0]) {
        water->least[0] = number;
    }
}

uint32_t low_water_read(low_water_t *water, uint32_t number, uint64_t now_ns)
{
    low_water_note(water, number, now_ns);
    uint32_t least = number;
    for (uint32_t i = 0; i < LOW_WATER_PARTS; i++) {
        least = water->least[i] < least ? water->least[i] : least;
    }
    return least;
}

void low_water_lower(low_water_t *water, uint32_t count)
{
    for (uint32_t i = 0; i < LOW_WATER_PARTS; i++) {
        water->least[i] -= water->least[i] < count ? water->least[i] : count;
    }
}
