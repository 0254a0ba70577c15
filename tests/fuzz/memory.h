/* memory.h: allocations that fail when a fuzz target says so. */
#ifndef IOCPREUSE_TESTS_FUZZ_MEMORY_H
#define IOCPREUSE_TESTS_FUZZ_MEMORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The NTH allocation from now fails; 0 = none. */
void memory_fails_at(uint32_t nth);

/* No more fail from now. Whether one has failed since memory_fails_at. */
bool memory_has_failed(void);

/* SIZE bytes for the target itself, which never fail and do not count; free() frees them. */
void *memory_take(size_t size);

#endif
