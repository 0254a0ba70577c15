/* spin.h: between two looks at what is to come soon. */
#ifndef IOCPREUSE_BASE_SPIN_H
#define IOCPREUSE_BASE_SPIN_H

#ifdef _WIN32
#include "win32.h"
#else
#include <sched.h>
#endif

/* Another thread that waits for this processor has it first: it may be the very one that is looked
 * out for, as a client on the same machine often is. At once again where none waits. */
static inline void spin_pause(void)
{
#ifdef _WIN32
    (void)SwitchToThread();
#else
    (void)sched_yield();
#endif
}

#endif
