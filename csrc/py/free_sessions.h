/* free_sessions.h: the memory of Sessions that are over, for those that come next.
 *
 * With a GIL only, which guards it: without one each thread has an allocator of its own, whose free
 * lists are as quick, and a list for all would need a lock. */
#ifndef IOCPREUSE_PY_FREE_SESSIONS_H
#define IOCPREUSE_PY_FREE_SESSIONS_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <stdbool.h>
#include <stdint.h>

/* As many as a burst of clients may leave behind: 32 KiB. */
#define FREE_SESSIONS_MAX 256

typedef struct {
    PyObject *free[FREE_SESSIONS_MAX]; /* with no reference, and untracked */
    uint32_t count;
    bool closed; /* the module is being cleared: it takes no more */
} free_sessions_t;

/* A new object of TYPE, which is always the same: one reference, zeros, untracked. NULL with an
 * exception. */
PyObject *free_sessions_take(free_sessions_t *list, PyTypeObject *type);

/* Takes the memory of OBJECT, which its deallocator has untracked and cleared; gives it back to
 * Python where enough is kept. The reference to its type stays the caller's. */
void free_sessions_give(free_sessions_t *list, PyObject *object);

/* Gives all back to Python. The type still has to be there. */
void free_sessions_close(free_sessions_t *list);

#endif
