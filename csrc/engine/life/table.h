/* table.h: the slots of an engine. It grows in chunks and never moves or frees a
 * slot before the engine is closed, so an index that once was valid stays so. */
#ifndef IOCPREUSE_ENGINE_TABLE_H
#define IOCPREUSE_ENGINE_TABLE_H

#include <stdint.h>

#include "../../base/atomics.h"
#include "slot.h"

#define TABLE_CHUNK_SLOTS 64u
#define TABLE_CHUNKS_MAX  ((TOKEN_INDEX_MAX + 1) / TABLE_CHUNK_SLOTS)

typedef struct {
    atomic_ptr_t *chunks; /* TABLE_CHUNKS_MAX of them; written once each */
    atomic_u32_t count;   /* slots there are */
} table_t;

/* 0, or -1 where there is no memory. */
int table_init(table_t *table);
void table_destroy(table_t *table);

/* One more slot; NULL when there is no memory, or the table is full. The caller
 * holds the lock that serializes growth. */
slot_t *table_grow(table_t *table);

static inline uint32_t table_count(table_t *table)
{
    return atomic_u32_load(&table->count);
}

/* INDEX is below table_count. */
static inline slot_t *table_at(table_t *table, uint32_t index)
{
    slot_t *chunk = atomic_ptr_load(&table->chunks[index / TABLE_CHUNK_SLOTS]);
    return &chunk[index % TABLE_CHUNK_SLOTS];
}

/* The slot that TOKEN names, which may serve another client by now; NULL for a
 * number that never was a token. */
static inline slot_t *table_find(table_t *table, token_t token)
{
    uint32_t index = token_index(token);
    return index < table_count(table) ? table_at(table, index) : NULL;
}

#endif
