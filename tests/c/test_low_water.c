/* test_low_water.c: the least that a number has been in recent time. */
#include "../../csrc/engine/life/low_water.h"
#include "tally.h"

static tally_t tally;

static void report(bool ok, const char *name)
{
    tally_check(&tally, ok, name);
}

static void test_window(void)
{
    low_water_t water;
    low_water_init(&water, 400, 1000);
    bool none = true;
    for (uint64_t now_ns = 1000; now_ns < 1400; now_ns += 50) {
        none = none && low_water_read(&water, 7, now_ns) == 0;
    }
    report(none, "nothing is unneeded before the window is over");
    report(low_water_read(&water, 7, 1400) == 7, "all of it is afterwards");
    low_water_note(&water, 2, 1410); /* and at once it is 7 again */
    report(low_water_read(&water, 7, 1411) == 2 && low_water_read(&water, 7, 1799) == 2,
           "a short need counts for the whole window");
    report(low_water_read(&water, 7, 1900) == 7, "and for no more");
}

static void test_lower(void)
{
    low_water_t water;
    low_water_init(&water, 400, 0);
    (void)low_water_read(&water, 9, 400);
    low_water_lower(&water, 5);
    report(low_water_read(&water, 9, 401) == 4, "what is taken away was not there before either");
    low_water_lower(&water, 100);
    report(low_water_read(&water, 9, 402) == 0, "no less than nothing is left");
}

static void test_silence(void)
{
    low_water_t water;
    low_water_init(&water, 400, 0);
    report(low_water_read(&water, 3, 1000000) == 3, "a long silence fills the window");
    low_water_note(&water, 1, 1000001);
    report(low_water_read(&water, 3, 1000002) == 1, "and what falls after it counts");
}

int main(void)
{
    test_window();
    test_lower();
    test_silence();
    return tally_close(&tally);
}
