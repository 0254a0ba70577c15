/* table.c: the slots of an engine. */
#include "table.h"

#include <stdlib.h>

#include "../../base/copy.h"

int table_init(table_t *table)
{
    *table = (table_t){0};
    table->chunks = calloc(TABLE_CHUNKS_MAX, sizeof *table->chunks);
    return table->chunks == NULL ? -1 : 0;
}

void table_destroy(table_t *table)
{
    if (table->chunks == NULL) {
        return;
    }
    uint32_t count = table_count(table);
    for (uint32_t i = 0; i < count; i++) {
        slot_destroy(table_at(table, i));
    }
    for (uint32_t i = 0; i < TABLE_CHUNKS_MAX; i++) {
        void *chunk = atomic_ptr_load(&table->chunks[i]);
        if (chunk == NULL) {
            break;
        }
        copy_target_give(chunk);
    }
    free(table->chunks);
}

slot_t *table_grow(table_t *table)
{
    uint32_t index = table_count(table);
    if (index > TOKEN_INDEX_MAX) {
        return NULL;
    }
    if (index % TABLE_CHUNK_SLOTS == 0) {
        slot_t *chunk = copy_target_take(TABLE_CHUNK_SLOTS * sizeof *chunk);
        if (chunk == NULL) {
            return NULL;
        }
        (void)atomic_ptr_exchange(&table->chunks[index / TABLE_CHUNK_SLOTS], chunk);
    }
    slot_t *slot = table_at(table, index);
    slot_init(slot, index);
    atomic_u32_store(&table->count, index + 1);
    return slot;
}
