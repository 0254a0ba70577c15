/* wheel.c: a timing wheel: which timers come up next. */
#include "wheel.h"

/* How much wider the buckets of a level are than those below, as a power of two. */
#define LEVEL_BITS 2u

void wheel_init(wheel_t *wheel)
{
    mutex_init(&wheel->lock);
    wheel->now = 0; /* the first look brings it up to the clock */
    wheel->next = WHEEL_NEVER;
    wheel->sleep_ns = 0;
    for (uint32_t level = 0; level < WHEEL_LEVELS; level++) {
        wheel->used[level] = 0;
        for (uint32_t place = 0; place < WHEEL_BUCKETS; place++) {
            list_init(&wheel->buckets[level][place]);
        }
    }
}

void wheel_destroy(wheel_t *wheel)
{
    mutex_destroy(&wheel->lock);
}

void wheel_timer_init(wheel_timer_t *timer)
{
    list_node_init(&timer->node);
    atomic_u64_store(&timer->due_ns, 0);
}

/* The number, counted from the clock's zero, of the bucket that ends at TICK or after. */
static uint64_t bucket_of(uint64_t tick, uint32_t level)
{
    uint64_t width = 1ull << (level * LEVEL_BITS);
    return (tick + width - 1) / width;
}

static bool has_timers(const wheel_t *wheel, uint32_t level, uint32_t place)
{
    return (wheel->used[level] >> place & 1) != 0;
}

/* The bucket BUCKET of LEVEL is the first with timers, if it comes before the one that was. */
static void offer(wheel_t *wheel, uint32_t level, uint64_t bucket)
{
    uint64_t tick = bucket << (level * LEVEL_BITS);
    if (tick < wheel->next) {
        wheel->next = tick;
        wheel->level = level;
        wheel->place = (uint32_t)(bucket % WHEEL_BUCKETS);
    }
}

static void find_next(wheel_t *wheel)
{
    wheel->next = WHEEL_NEVER;
    for (uint32_t level = 0; level < WHEEL_LEVELS; level++) {
        if (wheel->used[level] == 0) {
            continue;
        }
        uint64_t bucket = (wheel->now >> (level * LEVEL_BITS)) + 1;
        while (!has_timers(wheel, level, (uint32_t)(bucket % WHEEL_BUCKETS))) {
            bucket++;
        }
        offer(wheel, level, bucket);
    }
}

/* Nothing comes up before NEXT, so time may pass until then. */
static void pass_time(wheel_t *wheel, uint64_t now_ns)
{
    uint64_t tick = now_ns / WHEEL_TICK_NS;
    tick = tick < wheel->next ? tick : wheel->next - 1;
    wheel->now = tick > wheel->now ? tick : wheel->now;
}

bool wheel_arm(wheel_t *wheel, wheel_timer_t *timer, uint64_t due_ns, uint64_t now_ns)
{
    mutex_lock(&wheel->lock);
    if (list_is_linked(&timer->node)) {
        list_remove(&timer->node); /* if its bucket is empty now, wheel_pop finds that out */
    }
    pass_time(wheel, now_ns);
    uint64_t tick = (due_ns - 1) / WHEEL_TICK_NS + 1;
    tick = tick > wheel->now ? tick : wheel->now + 1;
    uint32_t level = 0;
    uint64_t bucket = bucket_of(tick, level);
    while (bucket - (wheel->now >> (level * LEVEL_BITS)) >= WHEEL_BUCKETS) {
        if (level == WHEEL_LEVELS - 1) {
            bucket = (wheel->now >> (level * LEVEL_BITS)) + WHEEL_BUCKETS - 1;
            break;
        }
        level++;
        bucket = bucket_of(tick, level);
    }
    uint32_t place = (uint32_t)(bucket % WHEEL_BUCKETS);
    list_push_back(&wheel->buckets[level][place], &timer->node);
    wheel->used[level] |= 1ull << place;
    offer(wheel, level, bucket);
    uint64_t up_ns = (bucket << (level * LEVEL_BITS)) * WHEEL_TICK_NS;
    atomic_u64_store(&timer->due_ns, up_ns);
    bool earlier = up_ns < wheel->sleep_ns;
    if (earlier) {
        wheel->sleep_ns = up_ns; /* one wake-up is enough */
    }
    mutex_unlock(&wheel->lock);
    return earlier;
}

wheel_timer_t *wheel_pop(wheel_t *wheel, uint64_t now_ns)
{
    wheel_timer_t *timer = NULL;
    mutex_lock(&wheel->lock);
    wheel->sleep_ns = 0;
    while (timer == NULL && wheel->next <= now_ns / WHEEL_TICK_NS) {
        list_node_t *node = list_pop_front(&wheel->buckets[wheel->level][wheel->place]);
        if (node != NULL) {
            timer = LIST_ENTRY(node, wheel_timer_t, node);
            atomic_u64_store(&timer->due_ns, 0);
        } else {
            wheel->used[wheel->level] &= ~(1ull << wheel->place);
            find_next(wheel);
        }
    }
    if (timer == NULL) {
        pass_time(wheel, now_ns);
    }
    mutex_unlock(&wheel->lock);
    return timer;
}

uint64_t wheel_sleep(wheel_t *wheel, uint64_t until_ns)
{
    mutex_lock(&wheel->lock);
    if (wheel->next != WHEEL_NEVER && wheel->next * WHEEL_TICK_NS < until_ns) {
        until_ns = wheel->next * WHEEL_TICK_NS;
    }
    wheel->sleep_ns = until_ns;
    mutex_unlock(&wheel->lock);
    return until_ns;
}
