/* token.h: the unique number of a client, which applications know as the SessionId.
 *
 * The upper 44 bits are the generation: a number that a counter shared by all
 * engines of the process gives out once, so that no token is ever repeated, not
 * even by another server. The lower 20 bits are the slot's index. */
#ifndef IOCPREUSE_ENGINE_TOKEN_H
#define IOCPREUSE_ENGINE_TOKEN_H

#include <stdint.h>

typedef uint64_t token_t;

/* No client's token; a slot without a client has it. */
#define TOKEN_NONE 0u

#define TOKEN_INDEX_BITS 20
#define TOKEN_INDEX_MAX  ((1u << TOKEN_INDEX_BITS) - 1)

static inline token_t token_make(uint64_t generation, uint32_t index)
{
    return generation << TOKEN_INDEX_BITS | index;
}

/* Enough of the generation to tell any two clients apart that one could take for each other. */
static inline uint32_t token_client(token_t token)
{
    return (uint32_t)(token >> TOKEN_INDEX_BITS);
}

static inline uint32_t token_index(token_t token)
{
    return (uint32_t)(token & TOKEN_INDEX_MAX);
}

#endif
