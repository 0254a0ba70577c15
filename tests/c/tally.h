/* tally.h: the counts of a test program, and its closing line. */
#ifndef IOCPREUSE_TESTS_TALLY_H
#define IOCPREUSE_TESTS_TALLY_H

#include <stdbool.h>
#include <stdio.h>

typedef struct {
    int passed;
    int failed;
} tally_t;

static inline void tally_check(tally_t *tally, bool ok, const char *name)
{
    printf("%s %s\n", ok ? "ok" : "not ok", name);
    tally->passed += ok;
    tally->failed += !ok;
}

/* The exit status. */
static inline int tally_close(const tally_t *tally)
{
    printf("%d passed, %d failed\n", tally->passed, tally->failed);
    return tally->failed == 0 ? 0 : 1;
}

#endif
