/* atomics.h: the atomic operations that the engine uses, over every compiler.
 *
 * MSVC has no <stdatomic.h> without an experimental switch, so Windows takes
 * the Interlocked functions, which mingw and clang know as well. All atomic
 * operations but atomic_u64_count are sequentially consistent. */
#ifndef IOCPREUSE_BASE_ATOMICS_H
#define IOCPREUSE_BASE_ATOMICS_H

#include <stdbool.h>
#include <stdint.h>

#ifdef _WIN32

#include "win32.h"

typedef struct {
    volatile LONG64 value;
} atomic_u64_t;

static inline uint64_t atomic_u64_load(atomic_u64_t *atomic)
{
    return (uint64_t)InterlockedCompareExchange64(&atomic->value, 0, 0);
}

/* Adds, and returns the new value. A negative amount is added as its two's complement. On 32
 * bits, and in some headers, compare-exchange is the only 64-bit operation that there is. */
static inline uint64_t atomic_u64_add(atomic_u64_t *atomic, uint64_t amount)
{
    LONG64 seen = atomic->value;
    for (;;) {
        LONG64 sum = (LONG64)((uint64_t)seen + amount);
        LONG64 before = InterlockedCompareExchange64(&atomic->value, sum, seen);
        if (before == seen) {
            return (uint64_t)sum;
        }
        seen = before;
    }
}

static inline void atomic_u64_store(atomic_u64_t *atomic, uint64_t value)
{
    LONG64 seen = atomic->value;
    for (;;) {
        LONG64 before = InterlockedCompareExchange64(&atomic->value, (LONG64)value, seen);
        if (before == seen) {
            return;
        }
        seen = before;
    }
}

/* Adds to a count that no other thread writes at the same time; others may read it. */
static inline void atomic_u64_count(atomic_u64_t *atomic, uint64_t amount)
{
#ifdef _WIN64
    atomic->value = (LONG64)((uint64_t)atomic->value + amount);
#else
    (void)atomic_u64_add(atomic, amount); /* a plain store could be seen by halves */
#endif
}

typedef struct {
    volatile LONG value;
} atomic_u32_t;

static inline uint32_t atomic_u32_load(atomic_u32_t *atomic)
{
    return (uint32_t)InterlockedCompareExchange(&atomic->value, 0, 0);
}

static inline void atomic_u32_store(atomic_u32_t *atomic, uint32_t value)
{
    (void)InterlockedExchange(&atomic->value, (LONG)value);
}

/* Stores, and returns the value that stood there. */
static inline uint32_t atomic_u32_exchange(atomic_u32_t *atomic, uint32_t value)
{
    return (uint32_t)InterlockedExchange(&atomic->value, (LONG)value);
}

typedef struct {
    void *volatile value;
} atomic_ptr_t;

static inline void *atomic_ptr_load(atomic_ptr_t *atomic)
{
    return InterlockedCompareExchangePointer(&atomic->value, NULL, NULL);
}

static inline void *atomic_ptr_exchange(atomic_ptr_t *atomic, void *value)
{
    return InterlockedExchangePointer(&atomic->value, value);
}

/* Stores VALUE where *EXPECTED stands and returns true; else puts what stands there in *EXPECTED.
 */
static inline bool atomic_ptr_cas(atomic_ptr_t *atomic, void **expected, void *value)
{
    void *seen = InterlockedCompareExchangePointer(&atomic->value, value, *expected);
    bool swapped = seen == *expected;
    *expected = seen;
    return swapped;
}

#else

#include <stdatomic.h>

typedef struct {
    _Atomic uint64_t value;
} atomic_u64_t;

static inline uint64_t atomic_u64_load(atomic_u64_t *atomic)
{
    return atomic_load(&atomic->value);
}

static inline void atomic_u64_store(atomic_u64_t *atomic, uint64_t value)
{
    atomic_store(&atomic->value, value);
}

static inline uint64_t atomic_u64_add(atomic_u64_t *atomic, uint64_t amount)
{
    return atomic_fetch_add(&atomic->value, amount) + amount;
}

static inline void atomic_u64_count(atomic_u64_t *atomic, uint64_t amount)
{
    uint64_t before = atomic_load_explicit(&atomic->value, memory_order_relaxed);
    atomic_store_explicit(&atomic->value, before + amount, memory_order_relaxed);
}

typedef struct {
    _Atomic uint32_t value;
} atomic_u32_t;

static inline uint32_t atomic_u32_load(atomic_u32_t *atomic)
{
    return atomic_load(&atomic->value);
}

static inline void atomic_u32_store(atomic_u32_t *atomic, uint32_t value)
{
    atomic_store(&atomic->value, value);
}

static inline uint32_t atomic_u32_exchange(atomic_u32_t *atomic, uint32_t value)
{
    return atomic_exchange(&atomic->value, value);
}

typedef struct {
    void *_Atomic value;
} atomic_ptr_t;

static inline void *atomic_ptr_load(atomic_ptr_t *atomic)
{
    return atomic_load(&atomic->value);
}

static inline void *atomic_ptr_exchange(atomic_ptr_t *atomic, void *value)
{
    return atomic_exchange(&atomic->value, value);
}

static inline bool atomic_ptr_cas(atomic_ptr_t *atomic, void **expected, void *value)
{
    return atomic_compare_exchange_strong(&atomic->value, expected, value);
}

#endif

#endif
