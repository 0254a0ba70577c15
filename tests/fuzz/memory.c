/* memory.c: leads the allocations of a fuzz target through a counter (tools/fuzz.py links it so).
 */
#include "memory.h"

#include <errno.h>

#include "../../csrc/base/check.h"

void *__real_malloc(size_t size);
void *__real_realloc(void *memory, size_t size);
int __real_posix_memalign(void **memory, size_t alignment, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_realloc(void *memory, size_t size);
int __wrap_posix_memalign(void **memory, size_t alignment, size_t size);

static uint32_t until_failure;
static bool failed;

void memory_fails_at(uint32_t nth)
{
    until_failure = nth;
    failed = false;
}

bool memory_has_failed(void)
{
    until_failure = 0;
    return failed;
}

static bool fails(void)
{
    if (until_failure == 0 || --until_failure > 0) {
        return false;
    }
    failed = true;
    return true;
}

void *memory_take(size_t size)
{
    void *memory = __real_malloc(size);
    CHECK(memory != NULL);
    return memory;
}

void *__wrap_malloc(size_t size)
{
    return fails() ? NULL : __real_malloc(size);
}

void *__wrap_realloc(void *memory, size_t size)
{
    return fails() ? NULL : __real_realloc(memory, size);
}

int __wrap_posix_memalign(void **memory, size_t alignment, size_t size)
{
    return fails() ? ENOMEM : __real_posix_memalign(memory, alignment, size);
}
