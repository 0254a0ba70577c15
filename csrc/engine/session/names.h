/* names.h: the names of a server's clients: which session has which.
 *
 * The layer above hashes names and compares them; here a name is a hash, and a number that no other
 * name ever has. Who looks for a name goes over those of its hash, and compares each while it holds
 * it: no lock is held meanwhile, so that comparing may do whatever it likes, and take as long. What
 * is not found is entered, unless one that may be the same was entered since: then the search
 * begins anew. So one name stands here once, and has one session at a time.
 *
 * Names are the layer above's memory, which it gets back when nobody holds the name any more: it
 * itself does, from each call that returns one until names_let_go, and so does the session that the
 * name was taken for. Each call takes the lock of the names for itself; it is a leaf, under which
 * nothing is allocated. */
#ifndef IOCPREUSE_ENGINE_NAMES_H
#define IOCPREUSE_ENGINE_NAMES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../../base/list.h"
#include "../../base/mutex.h"
#include "../life/token.h"

typedef struct name {
    list_node_t node;  /* among those that share its place, the newest first */
    list_node_t taken; /* among those that somebody has, in the order of their logins */
    uint64_t hash;
    uint64_t number; /* grows from name to name */
    uint32_t holds;
    bool parting;  /* its owner's end has begun: whoever comes may have it */
    token_t owner; /* TOKEN_NONE = nobody has it */
} name_t;

typedef struct {
    mutex_t lock;
    list_t *places; /* SIZE of them, a power of two; NULL = none yet */
    uint32_t size;
    uint32_t count; /* names in them */
    list_t taken;
    uint32_t taken_count;
    uint64_t last; /* number given out */
    bool disowned; /* in a forked child: the lists are not to be touched */
} names_t;

/* What became of a name that was to be entered. */
typedef enum {
    NAME_ENTERED,
    NAME_OVERTAKEN, /* another one of its hash has been, which may be the same */
    NAME_NO_MEMORY
} name_entry_t;

/* What became of a name that a session was to have. */
typedef enum {
    NAME_TAKEN,
    NAME_REFUSED /* another session has it, and is to keep it */
} name_verdict_t;

void names_init(names_t *names);
void names_destroy(names_t *names);

/* In a forked child: nobody has a name, and another thread may have held the lock. */
void names_disown(names_t *names);

/* The newest name with this HASH; NULL = there is none. */
name_t *names_newest(names_t *names, uint64_t hash);

/* The next one with the hash of NAME, which is held. */
name_t *names_older(names_t *names, name_t *name);

/* Enters NAME, with this HASH, for the caller to hold; unless one of that hash is there whose
 * number is higher than SEEN, that of the newest when the caller began to look; 0 = there was none.
 */
name_entry_t names_enter(names_t *names, name_t *name, uint64_t hash, uint64_t seen);

/* The caller holds NAME no more. Whether nobody does: then the memory is the caller's. */
bool names_let_go(names_t *names, name_t *name);

/* NAME becomes TOKEN's, and OLD, which that one has had (or NULL), is free. Not where another
 * session has it that does not part, unless it REPLACES that one. OTHER is who has had it, or
 * TOKEN_NONE. */
name_verdict_t names_take(names_t *names, name_t *name, name_t *old, token_t token, bool replaces,
                          token_t *other);

/* TOKEN's end begins: NAME, which it has, unless another has taken it over, is to be had. */
void names_part(names_t *names, name_t *name, token_t token);

/* TOKEN has ended: NAME is free, unless another has taken it over. */
void names_give_back(names_t *names, name_t *name, token_t token);

/* Who has NAME; TOKEN_NONE = nobody. */
token_t names_owner(names_t *names, name_t *name);

/* How many somebody has. */
uint32_t names_count(names_t *names);

/* Those that somebody has, in the order of their logins, and who: up to MOST of them, each for the
 * caller to hold. Returns how many there are. */
uint32_t names_list(names_t *names, name_t **out, token_t *owners, uint32_t most);

#endif
