/* free_sessions.c: the list of them, and Python's allocator where it is empty or full. */
#include "free_sessions.h"

#include <string.h>

#ifdef Py_GIL_DISABLED
#define KEPT_MAX 0u
#else
#define KEPT_MAX FREE_SESSIONS_MAX
#endif

PyObject *free_sessions_take(free_sessions_t *list, PyTypeObject *type)
{
    PyObject *object = list->count == 0 ? PyObject_GC_New(PyObject, type)
                                        : PyObject_Init(list->free[--list->count], type);
    if (object != NULL) {
        memset(object + 1, 0, (size_t)type->tp_basicsize - sizeof *object);
    }
    return object;
}

void free_sessions_give(free_sessions_t *list, PyObject *object)
{
    if (!list->closed && list->count < KEPT_MAX) {
        list->free[list->count++] = object;
    } else {
        PyObject_GC_Del(object);
    }
}

void free_sessions_close(free_sessions_t *list)
{
    list->closed = true;
    while (list->count > 0) {
        PyObject_GC_Del(list->free[--list->count]);
    }
}
