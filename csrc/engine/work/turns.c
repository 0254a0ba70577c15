/* turns.c: whose handshake goes on next. */
#include "turns.h"

void turns_init(turns_t *turns, uint32_t places)
{
    mutex_init(&turns->lock);
    list_init(&turns->going);
    list_init(&turns->coming);
    turns->placed = 0;
    turns->places = places;
}

void turns_destroy(turns_t *turns)
{
    mutex_destroy(&turns->lock);
}

bool turns_enter(turns_t *turns, filter_t *filter)
{
    mutex_lock(&turns->lock);
    bool enters = !list_is_linked(&filter->node) && !filter->called;
    if (enters) {
        list_push_back(filter->placed ? &turns->going : &turns->coming, &filter->node);
    }
    mutex_unlock(&turns->lock);
    return enters;
}

/* Whether somebody could be called now. */
static bool is_wanted(const turns_t *turns)
{
    return !list_is_empty(&turns->going) ||
           (!list_is_empty(&turns->coming) && turns->placed < turns->places);
}

bool turns_wait(turns_t *turns)
{
    mutex_lock(&turns->lock);
    bool wanted = is_wanted(turns);
    mutex_unlock(&turns->lock);
    return wanted;
}

struct slot *turns_take(turns_t *turns)
{
    struct slot *slot = NULL;
    mutex_lock(&turns->lock);
    list_node_t *node = list_pop_front(&turns->going);
    if (node == NULL && turns->placed < turns->places) {
        node = list_pop_front(&turns->coming);
    }
    if (node != NULL) {
        filter_t *filter = LIST_ENTRY(node, filter_t, node);
        filter->called = true;
        turns->placed += !filter->placed;
        filter->placed = true;
        slot = filter->slot;
    }
    mutex_unlock(&turns->lock);
    return slot;
}

bool turns_answer(turns_t *turns, filter_t *filter)
{
    mutex_lock(&turns->lock);
    bool called = filter->called;
    filter->called = false;
    mutex_unlock(&turns->lock);
    return called;
}

bool turns_leave(turns_t *turns, filter_t *filter)
{
    mutex_lock(&turns->lock);
    if (list_is_linked(&filter->node)) {
        list_remove(&filter->node);
    }
    bool freed = filter->placed;
    turns->placed -= freed;
    filter->placed = false;
    filter->called = false;
    bool wanted = freed && is_wanted(turns);
    mutex_unlock(&turns->lock);
    return wanted;
}
