/* copy.h: copying much, and memory that the system copies much to.
 *
 * memcpy and the kernel copy large amounts with REP MOVSB where the processor says that it is fast.
 * On AMD's family 25 (Zen 3) it takes twenty times as long when the target's place in its page is 1
 * to 31 bytes behind the source's: 33 us instead of 1.4 for 64 KiB, in memcpy and in recv alike.
 * malloc makes that common. It puts a large block 16 bytes behind a page's beginning, and what the
 * kernel has received begins on a page as often as not. */
#ifndef IOCPREUSE_BASE_COPY_H
#define IOCPREUSE_BASE_COPY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#ifdef _WIN32
#include <malloc.h>
#endif

/* A line of the cache. */
#define COPY_ALIGNED_BYTES 64u

/* memcpy does pieces of this size without REP MOVSB; the C libraries begin with it at 4 KiB, or
 * at 2 KiB where they know no wide registers. */
#define COPY_PIECE_BYTES 2048u
#define COPY_PAGE_BYTES  4096u
#define COPY_SLOW_BYTES  32u

/* Whether copies are slow to or from such a place, where their other end begins on a page. */
static inline bool copy_is_misplaced(const void *memory)
{
    size_t behind = (uintptr_t)memory % COPY_PAGE_BYTES;
    return behind != 0 && (behind < COPY_SLOW_BYTES || behind > COPY_PAGE_BYTES - COPY_SLOW_BYTES);
}

static inline void copy_bytes(void *to, const void *from, size_t len)
{
    size_t behind = ((uintptr_t)to - (uintptr_t)from) % COPY_PAGE_BYTES;
    if (behind > 0 && behind < COPY_SLOW_BYTES) {
        /* Through a pointer that may change: compilers would make REP MOVS of it themselves. */
        void *(*volatile copy)(void *, const void *, size_t) = memcpy;
        while (len > COPY_PIECE_BYTES) {
            copy(to, from, COPY_PIECE_BYTES);
            to = (char *)to + COPY_PIECE_BYTES;
            from = (const char *)from + COPY_PIECE_BYTES;
            len -= COPY_PIECE_BYTES;
        }
        copy(to, from, len);
        return;
    }
    memcpy(to, from, len);
}

/* At least SIZE bytes that begin with a line of the cache, or NULL. */
static inline void *copy_target_take(size_t size)
{
#ifdef _WIN32
    return _aligned_malloc(size, COPY_ALIGNED_BYTES);
#else
    void *memory = NULL;
    return posix_memalign(&memory, COPY_ALIGNED_BYTES, size) == 0 ? memory : NULL;
#endif
}

static inline void copy_target_give(void *memory)
{
#ifdef _WIN32
    _aligned_free(memory);
#else
    free(memory);
#endif
}

#endif
