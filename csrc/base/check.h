/* check.h: invariants.
 *
 * CHECK stands in every build: a broken invariant means that memory the kernel
 * owns may be freed, or one client's bytes sent to another, and a crash with a
 * line number is the lesser harm. DCHECK is for debug builds only. */
#ifndef IOCPREUSE_BASE_CHECK_H
#define IOCPREUSE_BASE_CHECK_H

#include <stdio.h>
#include <stdlib.h>

#define CHECK(condition)                                                                           \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            check_failed(#condition, __FILE__, __LINE__);                                          \
        }                                                                                          \
    } while (0)

#ifdef NDEBUG
#define DCHECK(condition) ((void)0)
#else
#define DCHECK(condition) CHECK(condition)
#endif

static inline void check_failed(const char *condition, const char *file, int line)
{
    fprintf(stderr, "iocpreuse: %s:%d: broken invariant: %s\n", file, line, condition);
    fflush(stderr);
    abort();
}

#endif
