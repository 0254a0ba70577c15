/* names.c: the table of names: places by hash, and the list of those that somebody has. */
#include "names.h"

#include <stdlib.h>
#include <string.h>

#include "../../base/check.h"

#define SIZE_MIN 64u

/* Hashes of the layer above are often small numbers in a row, which is as good as any; or have
 * their differences in the upper half only. */
static list_t *place_of(const names_t *names, uint64_t hash)
{
    return &names->places[(uint32_t)(hash ^ hash >> 32) & (names->size - 1)];
}

void names_init(names_t *names)
{
    memset(names, 0, sizeof *names);
    mutex_init(&names->lock);
    list_init(&names->taken);
}

void names_destroy(names_t *names)
{
    mutex_destroy(&names->lock);
    free(names->places);
}

void names_disown(names_t *names)
{
    names_init(names); /* the places leak: another thread may have been changing them */
    names->disowned = true;
}

/* The first with HASH from NODE on, in PLACE, held; or NULL. */
static name_t *find(list_t *place, list_node_t *node, uint64_t hash)
{
    for (; node != place; node = node->next) {
        name_t *name = LIST_ENTRY(node, name_t, node);
        if (name->hash == hash) {
            name->holds++;
            return name;
        }
    }
    return NULL;
}

name_t *names_newest(names_t *names, uint64_t hash)
{
    name_t *name = NULL;
    mutex_lock(&names->lock);
    if (names->size > 0) {
        list_t *place = place_of(names, hash);
        name = find(place, place->next, hash);
    }
    mutex_unlock(&names->lock);
    return name;
}

name_t *names_older(names_t *names, name_t *name)
{
    name_t *older = NULL;
    mutex_lock(&names->lock);
    if (!names->disowned) {
        older = find(place_of(names, name->hash), name->node.next, name->hash);
    }
    mutex_unlock(&names->lock);
    return older;
}

/* All names move to PLACES, SIZE of them; returns those that are not needed any more. */
static list_t *move(names_t *names, list_t *places, uint32_t size)
{
    names_t old = *names;
    names->places = places;
    names->size = size;
    for (uint32_t i = 0; i < old.size; i++) {
        list_t *from = &old.places[i];
        while (!list_is_empty(from)) {
            list_node_t *oldest = from->prev;
            list_remove(oldest);
            list_t *to = place_of(names, LIST_ENTRY(oldest, name_t, node)->hash);
            CHECK(to->next != NULL); /* each was made empty; analyzers do not see that */
            list_push_front(to, oldest);
        }
    }
    return old.places;
}

/* Makes SIZE places, unless somebody else has made as many meanwhile. False = no memory. */
static bool grow(names_t *names, uint32_t size)
{
    list_t *places = calloc(size, sizeof *places);
    if (places == NULL) {
        return false;
    }
    for (uint32_t i = 0; i < size; i++) {
        list_init(&places[i]);
    }
    mutex_lock(&names->lock);
    if (names->size < size) {
        places = move(names, places, size);
    }
    mutex_unlock(&names->lock);
    free(places);
    return true;
}

/* Whether one with HASH is there that is newer than SEEN. */
static bool is_overtaken(const names_t *names, uint64_t hash, uint64_t seen)
{
    const list_t *place = place_of(names, hash);
    for (list_node_t *node = place->next; node != place; node = node->next) {
        const name_t *name = LIST_ENTRY(node, name_t, node);
        if (name->number <= seen) {
            return false;
        }
        if (name->hash == hash) {
            return true;
        }
    }
    return false;
}

name_entry_t names_enter(names_t *names, name_t *name, uint64_t hash, uint64_t seen)
{
    mutex_lock(&names->lock);
    while (names->count >= names->size) {
        uint32_t size = names->size == 0 ? SIZE_MIN : names->size * 2;
        mutex_unlock(&names->lock);
        if (!grow(names, size)) {
            return NAME_NO_MEMORY;
        }
        mutex_lock(&names->lock);
    }
    bool overtaken = is_overtaken(names, hash, seen);
    if (!overtaken) {
        memset(name, 0, sizeof *name);
        name->hash = hash;
        name->number = ++names->last;
        name->holds = 1;
        list_push_front(place_of(names, hash), &name->node);
        names->count++;
    }
    mutex_unlock(&names->lock);
    return overtaken ? NAME_OVERTAKEN : NAME_ENTERED;
}

bool names_let_go(names_t *names, name_t *name)
{
    mutex_lock(&names->lock);
    CHECK(name->holds > 0);
    name->holds--;
    bool last =
        name->holds == 0 && !names->disowned; /* there, what it is linked to is the parent's */
    if (last) {
        CHECK(name->owner == TOKEN_NONE);
        list_remove(&name->node);
        names->count--;
    }
    mutex_unlock(&names->lock);
    return last;
}

/* NAME, which somebody has, is free. */
static void set_free(names_t *names, name_t *name)
{
    name->owner = TOKEN_NONE;
    name->parting = false;
    list_remove(&name->taken);
    names->taken_count--;
}

name_verdict_t names_take(names_t *names, name_t *name, name_t *old, token_t token, bool replaces,
                          token_t *other)
{
    name_verdict_t verdict = NAME_TAKEN;
    mutex_lock(&names->lock);
    *other = name->owner == token ? TOKEN_NONE : name->owner;
    if (*other != TOKEN_NONE && !name->parting && !replaces) {
        verdict = NAME_REFUSED;
    } else {
        if (old != NULL && old != name && old->owner == token) {
            set_free(names, old);
        }
        if (name->owner == TOKEN_NONE) {
            list_push_back(&names->taken, &name->taken);
            names->taken_count++;
        }
        name->owner = token;
        name->parting = false;
        name->holds += old != name;
    }
    mutex_unlock(&names->lock);
    return verdict;
}

void names_part(names_t *names, name_t *name, token_t token)
{
    mutex_lock(&names->lock);
    name->parting |= name->owner == token;
    mutex_unlock(&names->lock);
}

void names_give_back(names_t *names, name_t *name, token_t token)
{
    mutex_lock(&names->lock);
    if (name->owner == token) {
        set_free(names, name);
    }
    mutex_unlock(&names->lock);
}

token_t names_owner(names_t *names, name_t *name)
{
    mutex_lock(&names->lock);
    token_t owner = name->owner;
    mutex_unlock(&names->lock);
    return owner;
}

uint32_t names_count(names_t *names)
{
    mutex_lock(&names->lock);
    uint32_t count = names->taken_count;
    mutex_unlock(&names->lock);
    return count;
}

uint32_t names_list(names_t *names, name_t **out, token_t *owners, uint32_t most)
{
    mutex_lock(&names->lock);
    uint32_t count = 0;
    list_node_t *node = names->taken.next;
    for (; node != &names->taken && count < most; node = node->next, count++) {
        name_t *name = LIST_ENTRY(node, name_t, taken);
        name->holds++;
        out[count] = name;
        owners[count] = name->owner;
    }
    count = names->taken_count;
    mutex_unlock(&names->lock);
    return count;
}
