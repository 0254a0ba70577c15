/* slab.c: buffers, all of one size. */
#include "slab.h"

#include "../../base/copy.h"

/* More than this is not worth keeping for the next burst. */
#define FREE_BYTES_MAX (8u * 1024u * 1024u)

/* As many as a batch of small messages takes. */
#define POCKET_BYTES_MAX (512u * 1024u)

/* A loan is a buffer. */
static uint32_t lend(io_lender_t *lender, void *borrower, io_buf_t *bufs, void **loan)
{
    *loan = pockets_take(borrower, (slab_t *)(void *)lender);
    bufs[0] = io_buf(*loan, lender->size);
    return *loan != NULL;
}

static void take_back(io_lender_t *lender, void *borrower, void *loan, uint32_t kept)
{
    if (kept == 0) {
        pockets_give(borrower, (slab_t *)(void *)lender, loan);
    }
}

void slab_init(slab_t *slab, slab_kind_t kind, uint32_t size, uint32_t keep_max)
{
    *slab = (slab_t){.kind = kind, .size = size, .keep_max = keep_max};
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

void *pockets_take(pockets_t *pockets, slab_t *slab)
{
    slab_buf_t *buf = pockets == NULL ? NULL : pockets->of[slab->kind].free;
    if (buf == NULL) {
        return slab_take(slab, false);
    }
    pockets->of[slab->kind].free = buf->next;
    pockets->of[slab->kind].bytes -= slab->size;
    return buf;
}

void pockets_give(pockets_t *pockets, slab_t *slab, void *buf)
{
    if (pockets == NULL || pockets->of[slab->kind].bytes + slab->size > POCKET_BYTES_MAX) {
        slab_give(slab, buf);
        return;
    }
    slab_buf_t *given = buf;
    given->next = pockets->of[slab->kind].free;
    pockets->of[slab->kind].free = given;
    pockets->of[slab->kind].bytes += slab->size;
}

void pockets_empty(pockets_t *pockets)
{
    for (int kind = 0; kind < SLAB_KINDS; kind++) {
        slab_buf_t *buf;
        while ((buf = pockets->of[kind].free) != NULL) {
            pockets->of[kind].free = buf->next;
            copy_target_give(buf);
        }
        pockets->of[kind].bytes = 0;
    }
}
