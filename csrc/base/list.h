/* list.h: an intrusive doubly linked list; it allocates nothing and owns nothing. */
#ifndef IOCPREUSE_BASE_LIST_H
#define IOCPREUSE_BASE_LIST_H

#include <stdbool.h>
#include <stddef.h>

typedef struct list_node {
    struct list_node *prev;
    struct list_node *next;
} list_node_t;

/* The list itself is the node that closes the ring. */
typedef list_node_t list_t;

/* The structure that has NODE as its MEMBER. */
#define LIST_ENTRY(node, type, member) ((type *)(void *)((char *)(node) - offsetof(type, member)))

static inline void list_init(list_t *list)
{
    list->prev = list;
    list->next = list;
}

static inline bool list_is_empty(const list_t *list)
{
    return list->next == list;
}

/* A node is linked after list_push_*, unlinked after list_remove or list_node_init. */
static inline void list_node_init(list_node_t *node)
{
    node->prev = NULL;
    node->next = NULL;
}

static inline bool list_is_linked(const list_node_t *node)
{
    return node->next != NULL;
}

static inline void list_push_front(list_t *list, list_node_t *node)
{
    node->prev = list;
    node->next = list->next;
    list->next->prev = node;
    list->next = node;
}

static inline void list_push_back(list_t *list, list_node_t *node)
{
    node->next = list;
    node->prev = list->prev;
    list->prev->next = node;
    list->prev = node;
}

static inline void list_remove(list_node_t *node)
{
    node->prev->next = node->next;
    node->next->prev = node->prev;
    list_node_init(node);
}

/* The first node, unlinked; NULL when the list is empty. */
static inline list_node_t *list_pop_front(list_t *list)
{
    list_node_t *node = list->next;
    if (node == list) {
        return NULL;
    }
    list_remove(node);
    return node;
}

#endif
