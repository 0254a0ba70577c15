/* broadcasting.c: Server.broadcast: who gets it and in what order, read once. */
#include "state.h"

#include <stdlib.h>

typedef struct {
    token_t token;
    size_t place; /* in the order that was given */
    int priority;
} receiver_t;

typedef struct {
    receiver_t *list;
    size_t count;
    bool sorted; /* no priority is higher than one before it */
} receivers_t;

static bool reserve(receivers_t *receivers, Py_ssize_t count)
{
    receivers->list = PyMem_New(receiver_t, (size_t)count);
    receivers->count = 0;
    receivers->sorted = true;
    if (receivers->list == NULL) {
        PyErr_NoMemory();
    }
    return receivers->list != NULL;
}

/* SESSION is NULL where there is none of TOKEN. */
static void add(receivers_t *receivers, token_t token, session_object_t *session)
{
    int priority = session == NULL ? 0 : (int)atomic_u32_load(&session->priority);
    size_t place = receivers->count++;
    receivers->list[place] = (receiver_t){token, place, priority};
    if (place > 0 && receivers->list[place - 1].priority < priority) {
        receivers->sorted = false;
    }
}

/* Every session that is there, in the order in which they connected. Nobody comes or goes
 * meanwhile. */
static bool add_all(receivers_t *receivers, PyObject *sessions)
{
    bool good;
    Py_BEGIN_CRITICAL_SECTION(sessions);
    good = reserve(receivers, PyDict_GET_SIZE(sessions));
    PyObject *key;
    PyObject *value;
    Py_ssize_t at = 0;
    while (good && PyDict_Next(sessions, &at, &key, &value)) {
        session_object_t *session = (session_object_t *)value;
        if (atomic_u32_load(&session->is_there) != 0) {
            add(receivers, session->token, session);
        }
    }
    Py_END_CRITICAL_SECTION();
    return good;
}

/* The session with this ID, or NULL; with an exception where the look-up failed. */
static PyObject *find_session(PyObject *sessions, PyObject *id)
{
#if PY_VERSION_HEX >= 0x030D0000
    PyObject *session;
    (void)PyDict_GetItemRef(sessions, id, &session);
    return session;
#else
    return Py_XNewRef(PyDict_GetItemWithError(sessions, id));
#endif
}

/* A dict whose keys are the ids of TO, each once, in order. */
static PyObject *collect_ids(PyObject *to)
{
    PyObject *ids = PyDict_New();
    PyObject *iterator = ids == NULL ? NULL : PyObject_GetIter(to);
    if (iterator == NULL) {
        Py_XDECREF(ids);
        return NULL;
    }
    PyObject *id;
    while ((id = PyIter_Next(iterator)) != NULL) {
        if (!PyLong_Check(id)) {
            PyErr_Format(PyExc_TypeError,
                         "to must hold session ids, as Session.id gives them, not %.100s",
                         Py_TYPE(id)->tp_name);
        } else {
            (void)PyDict_SetItem(ids, id, Py_None);
        }
        Py_DECREF(id);
        if (PyErr_Occurred()) {
            break;
        }
    }
    Py_DECREF(iterator);
    if (PyErr_Occurred()) {
        Py_CLEAR(ids);
    }
    return ids;
}

/* Those with the keys of IDS. One that is not among the sessions is left to the engine, which
 * knows whether it has gone. */
static bool add_ids(receivers_t *receivers, PyObject *sessions, PyObject *ids)
{
    if (!reserve(receivers, PyDict_GET_SIZE(ids))) {
        return false;
    }
    PyObject *id;
    PyObject *none;
    Py_ssize_t at = 0;
    while (PyDict_Next(ids, &at, &id, &none)) {
        token_t token = PyLong_AsUnsignedLongLong(id);
        PyObject *session = PyErr_Occurred() ? NULL : find_session(sessions, id);
        if (PyErr_Occurred()) {
            return false;
        }
        session_object_t *known = (session_object_t *)session;
        if (known == NULL || atomic_u32_load(&known->is_there) != 0) {
            add(receivers, token, known);
        }
        Py_XDECREF(session);
    }
    return true;
}

/* Those that TO names, or all (None). The registry is gone when the server has stopped. */
static bool find_receivers(engine_object_t *self, receivers_t *receivers, PyObject *to)
{
    *receivers = (receivers_t){0};
    PyObject *ids = to == Py_None ? NULL : collect_ids(to);
    if (ids == NULL && to != Py_None) {
        return false;
    }
    PyObject *sessions;
    Py_BEGIN_CRITICAL_SECTION(self);
    sessions = Py_XNewRef(self->sessions);
    Py_END_CRITICAL_SECTION();
    if (sessions == NULL) {
        sessions = PyDict_New();
    }
    bool found = sessions != NULL &&
                 (ids == NULL ? add_all(receivers, sessions) : add_ids(receivers, sessions, ids));
    Py_XDECREF(sessions);
    Py_XDECREF(ids);
    return found;
}

/* The highest priority first; equal ones stay in their order. */
static int compare(const void *left, const void *right)
{
    const receiver_t *a = left;
    const receiver_t *b = right;
    if (a->priority != b->priority) {
        return a->priority > b->priority ? -1 : 1;
    }
    return a->place < b->place ? -1 : 1;
}

/* The tokens alone, in the order in which they are served; the list's own memory. */
static token_t *in_order(receivers_t *receivers)
{
    if (!receivers->sorted) {
        qsort(receivers->list, receivers->count, sizeof *receivers->list, compare);
    }
    token_t *tokens = (token_t *)(void *)receivers->list;
    for (size_t i = 0; i < receivers->count; i++) {
        tokens[i] = receivers->list[i].token; /* at or before the entry that is read */
    }
    return tokens;
}

/* MESSAGE to everybody, without the GIL: others run while it is queued. */
static size_t queue_to(engine_object_t *self, receivers_t *receivers, shared_t *message)
{
    batch_t *batch = roster_batch(self);
    sendq_t done;
    sendq_init(&done);
    size_t queued;
    Py_BEGIN_ALLOW_THREADS;
    queued = engine_broadcast(self->engine, message, in_order(receivers), receivers->count, batch);
    shared_close(message, &done);
    Py_END_ALLOW_THREADS;
    sending_release(self, &done);
    return queued;
}

PyObject *broadcasting_send(engine_object_t *self, PyObject *data, PyObject *to)
{
    Py_buffer view;
    if (PyObject_GetBuffer(data, &view, PyBUF_SIMPLE) < 0) {
        return NULL;
    }
    size_t queued = 0;
    receivers_t receivers;
    bool good = find_receivers(self, &receivers, to);
    if (good && receivers.count > 0 && view.len > 0) {
        shared_t *message = sending_share(data, &view, receivers.count);
        good = message != NULL;
        queued = good ? queue_to(self, &receivers, message) : 0;
    }
    PyMem_Free(receivers.list);
    PyBuffer_Release(&view);
    return good ? PyLong_FromSize_t(queued) : NULL;
}
