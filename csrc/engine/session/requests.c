/* requests.c: the open requests of a session, in the order in which they came to it. */
#include "requests.h"

#include <string.h>

#include "../../base/check.h"

void request_init(request_t *request)
{
    memset(request, 0, sizeof *request); /* REQUEST_OPEN is 0, TOKEN_NONE as well */
}

void requests_add(requests_t *list, request_t *request, token_t owner)
{
    CHECK(request->list == NULL && !list->told && request_state(request) == REQUEST_OPEN);
    request->list = list;
    request->prev = list->last;
    request->next = NULL;
    if (list->last == NULL) {
        list->first = request;
    } else {
        list->last->next = request;
    }
    list->last = request;
    atomic_u64_store(&request->owner, owner);
}

void requests_remove(request_t *request, request_state_t state)
{
    requests_t *list = request->list;
    CHECK(list != NULL && request_state(request) == REQUEST_OPEN);
    if (request->prev == NULL) {
        list->first = request->next;
    } else {
        request->prev->next = request->next;
    }
    if (request->next == NULL) {
        list->last = request->prev;
    } else {
        request->next->prev = request->prev;
    }
    request->list = NULL;
    atomic_u32_store(&request->state, (uint32_t)state);
}

bool request_is_of(request_t *request, token_t owner)
{
    return request->list != NULL && atomic_u64_load(&request->owner) == owner;
}
