/* test_wheel.c: timers come up in time: never early, and late by a tick or a fifteenth at most. */
#include <stdint.h>
#include <stdio.h>

#include "../../csrc/engine/work/wheel.h"
#include "tally.h"

#define NS_PER_MS 1000000ull
#define NS_PER_S  1000000000ull
#define TIMERS    2000

static tally_t tally;
static wheel_t wheel;

static void report(bool ok, const char *name)
{
    tally_check(&tally, ok, name);
}

typedef struct {
    wheel_timer_t timer;
    uint64_t due_ns; /* as it was asked for */
    uint64_t span_ns;
    uint64_t came_ns; /* 0 = not yet */
} alarm_t;

static alarm_t alarms[TIMERS];

static uint64_t next_random(void)
{
    static uint64_t state = 88172645463325252u;
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state;
}

static void set(alarm_t *alarm, uint64_t now_ns, uint64_t span_ns)
{
    alarm->due_ns = now_ns + span_ns;
    alarm->span_ns = span_ns;
    alarm->came_ns = 0;
    (void)wheel_arm(&wheel, &alarm->timer, alarm->due_ns, now_ns);
}

/* As the manager does: sleeps until it is time, and takes what has come up. Returns the time. */
static uint64_t run_until(uint64_t now_ns, uint64_t end_ns, uint32_t *wakes)
{
    while (now_ns < end_ns) {
        now_ns = wheel_sleep(&wheel, end_ns);
        ++*wakes;
        wheel_timer_t *timer;
        while ((timer = wheel_pop(&wheel, now_ns)) != NULL) {
            alarm_t *alarm = LIST_ENTRY(timer, alarm_t, timer);
            alarm->came_ns = now_ns;
        }
    }
    return now_ns;
}

static bool came_in_time(const alarm_t *alarm)
{
    uint64_t late_ns = alarm->span_ns / 15 > WHEEL_TICK_NS ? alarm->span_ns / 15 : WHEEL_TICK_NS;
    bool good = alarm->came_ns >= alarm->due_ns && alarm->came_ns <= alarm->due_ns + late_ns;
    if (!good) {
        printf("# after %.3f s it came %+.3f s late\n", (double)alarm->span_ns / 1e9,
               ((double)alarm->came_ns - (double)alarm->due_ns) / 1e9);
    }
    return good;
}

static void make_all(void)
{
    wheel_init(&wheel);
    for (uint32_t i = 0; i < TIMERS; i++) {
        wheel_timer_init(&alarms[i].timer);
    }
}

/* Spans from a nanosecond to hours, from moments that lie anywhere within a tick. */
static void test_spans(void)
{
    make_all();
    uint64_t now_ns = 12345 * NS_PER_S + 678;
    uint64_t end_ns = now_ns;
    uint32_t wakes = 0;
    for (uint32_t i = 0; i < TIMERS; i++) {
        set(&alarms[i], now_ns, 1 + next_random() % (1ull << (i % 44)));
        end_ns = alarms[i].due_ns > end_ns ? alarms[i].due_ns : end_ns;
        now_ns = run_until(now_ns, now_ns + next_random() % (30 * NS_PER_MS), &wakes);
    }
    (void)run_until(now_ns, end_ns + end_ns / 10, &wakes);
    bool good = true;
    for (uint32_t i = 0; i < TIMERS; i++) {
        good = came_in_time(&alarms[i]) && good;
    }
    report(good, "each of 2000 timers comes up in time");
    report(wheel.next == WHEEL_NEVER, "and none is left");
    wheel_destroy(&wheel);
}

/* The wheel has not been looked at for long when a timer is armed. */
static void test_after_a_sleep(void)
{
    make_all();
    uint32_t wakes = 0;
    uint64_t now_ns = run_until(1, NS_PER_S, &wakes);
    (void)wheel_sleep(&wheel, now_ns + 3600 * NS_PER_S);
    now_ns += 1800 * NS_PER_S + 77;
    set(&alarms[0], now_ns, 500 * NS_PER_MS);
    (void)run_until(now_ns, now_ns + NS_PER_S, &wakes);
    report(came_in_time(&alarms[0]), "an armed timer counts from now, not from the last look");
    wheel_destroy(&wheel);
}

static void test_move(void)
{
    make_all();
    uint32_t wakes = 0;
    uint64_t now_ns = run_until(1, NS_PER_S, &wakes);
    set(&alarms[0], now_ns, 60 * NS_PER_S);
    set(&alarms[1], now_ns, 60 * NS_PER_S);
    set(&alarms[1], now_ns, NS_PER_S);
    set(&alarms[2], now_ns, NS_PER_S);
    set(&alarms[2], now_ns, 60 * NS_PER_S);
    (void)run_until(now_ns, now_ns + 70 * NS_PER_S, &wakes);
    report(came_in_time(&alarms[1]), "a timer that is moved forward comes early");
    report(came_in_time(&alarms[0]) && came_in_time(&alarms[2]), "and one that is put off, late");
    wheel_destroy(&wheel);
}

static void test_far_away(void)
{
    make_all();
    uint32_t wakes = 0;
    uint64_t now_ns = run_until(1, NS_PER_S, &wakes);
    uint64_t year_ns = 366ull * 24 * 3600 * NS_PER_S;
    set(&alarms[0], now_ns, year_ns);
    uint32_t rounds = 0;
    while (alarms[0].came_ns < year_ns && rounds < 10000) {
        rounds++;
        now_ns = run_until(now_ns, wheel.next * WHEEL_TICK_NS, &wakes);
        if (now_ns < year_ns) {
            set(&alarms[0], now_ns, NS_PER_S + year_ns - now_ns);
        }
    }
    report(now_ns >= year_ns && rounds < 2000, "a year passes in a few hundred looks");
    wheel_destroy(&wheel);
}

/* 100,000 sessions that idle for a minute need few looks at the clock. */
static void test_wakes(void)
{
    make_all();
    uint32_t wakes = 0;
    uint64_t now_ns = run_until(1, NS_PER_S, &wakes);
    for (uint32_t i = 0; i < TIMERS; i++) {
        set(&alarms[i], now_ns + i * NS_PER_MS, 60 * NS_PER_S);
    }
    wakes = 0;
    (void)run_until(now_ns, now_ns + 70 * NS_PER_S, &wakes);
    bool good = true;
    for (uint32_t i = 0; i < TIMERS; i++) {
        good = alarms[i].came_ns >= alarms[i].due_ns && good;
    }
    report(good && wakes < 8, "timers that are far away come up together");
    wheel_destroy(&wheel);
}

static void test_who_wakes(void)
{
    make_all();
    uint64_t now_ns = 5 * NS_PER_S;
    report(!wheel_arm(&wheel, &alarms[0].timer, now_ns + NS_PER_S, now_ns),
           "one who is at work need not be woken");
    report(wheel_sleep(&wheel, now_ns + 60 * NS_PER_S) <= now_ns + NS_PER_S + NS_PER_S / 15,
           "and sleeps until the timer comes up");
    report(!wheel_arm(&wheel, &alarms[1].timer, now_ns + 2 * NS_PER_S, now_ns),
           "a later timer wakes nobody");
    report(wheel_arm(&wheel, &alarms[2].timer, now_ns + NS_PER_S / 2, now_ns),
           "an earlier one wakes the sleeper");
    report(!wheel_arm(&wheel, &alarms[3].timer, now_ns + NS_PER_S / 2, now_ns), "once");
    report(wheel_pop(&wheel, now_ns) == NULL, "nothing comes up early");
    wheel_timer_t *first = wheel_pop(&wheel, now_ns + NS_PER_S / 2 + WHEEL_TICK_NS);
    wheel_timer_t *second = wheel_pop(&wheel, now_ns + NS_PER_S / 2 + WHEEL_TICK_NS);
    report(first == &alarms[2].timer && second == &alarms[3].timer,
           "in one bucket, in the order of their coming");
    report(atomic_u64_load(&first->due_ns) == 0 && !list_is_linked(&first->node),
           "what has come up is in no bucket");
    wheel_destroy(&wheel);
}

int main(void)
{
    test_spans();
    test_after_a_sleep();
    test_move();
    test_far_away();
    test_wakes();
    test_who_wakes();
    return tally_close(&tally);
}
