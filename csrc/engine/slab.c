#include "slab.h"

#include "../base/copy.h"

/* More than this is not worth keeping for the next burst. */
#define FREE_BYTES_MAX (8u * 1024u * 1024u)

/* A loan is a buffer. */
static uint32_t lend(io_lender_t *lender, io_buf_t *bufs, void **loan)
{
    *loan = slab_take((slab_t *)(void *)lender, false);
    bufs[0] = io_buf(*loan, lender->size);
    return *loan != NULL;
}

static void take_back(io_lender_t *lender, void *loan, uint32_t kept)
{
    if (kept == 0) {
        slab_give((slab_t *)(void *)lender, loan);
    }
}

void slab_init(slab_t *slab, uint32_t size, uint32_t keep_max)
{
    *slab = (slab_t){.size = size, .keep_max = keep_max};
    mutex_init(&slab->lock);
    slab->lender = (io_lender_t){.size = size, .lend = lend, .take_back = take_back};
}

void slab_destroy(slab_t *slab)
{
    while (slab->free != NULL) {
        slab_buf_t *buf = slab->free;
        slab->free = buf->next;
        copy_target_give(buf);
    }
    mutex_destroy(&slab->lock);
}

void *slab_take(slab_t *slab, bool waits)
{
    mutex_lock(&slab->lock);
    if (waits && atomic_u64_load(&slab->taken) >= slab->keep_max) {
        mutex_unlock(&slab->lock);
        return NULL;
    }
    atomic_u64_count(&slab->taken, 1);
    slab_buf_t *buf = slab->free;
    if (buf != NULL) {
        slab->free = buf->next;
        slab->free_count--;
    }
    mutex_unlock(&slab->lock);
    if (buf == NULL) {
        buf = copy_target_take(slab->size < sizeof *buf ? sizeof *buf : slab->size);
        if (buf == NULL) {
            mutex_lock(&slab->lock);
            atomic_u64_count(&slab->taken, (uint64_t)-1);
            mutex_unlock(&slab->lock);
        }
    }
    return buf;
}

void slab_give(slab_t *slab, void *buf)
{
    slab_buf_t *given = buf;
    mutex_lock(&slab->lock);
    atomic_u64_count(&slab->taken, (uint64_t)-1);
    if (slab->free_count < FREE_BYTES_MAX / slab->size) {
        given->next = slab->free;
        slab->free = given;
        slab->free_count++;
        given = NULL;
    }
    mutex_unlock(&slab->lock);
    copy_target_give(given);
}
