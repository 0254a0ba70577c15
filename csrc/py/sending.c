/* sending.c: bytes-like objects become queued messages, and the rest of a queue becomes bytes. */
#include "state.h"

/* Below this a copy is cheaper than a reference that needs the GIL to be released. */
#define PIN_MIN_BYTES 1024

/* From here the system call that copies the bytes is long enough to let other threads run. */
#define UNLOCKED_MIN_BYTES 32768

static bool push(sendq_t *chain, sendbuf_t *buf)
{
    if (buf == NULL) {
        PyErr_NoMemory();
        return false;
    }
    sendq_push(chain, buf);
    return true;
}

/* Bytes that nobody can change are sent from where they are, all others are copied. */
static bool is_pinnable(PyObject *object)
{
    return PyBytes_CheckExact(object) && PyBytes_GET_SIZE(object) >= PIN_MIN_BYTES;
}

static bool push_object(sendq_t *chain, PyObject *object)
{
    if (is_pinnable(object)) {
        sendbuf_t *buf =
            sendbuf_pin(PyBytes_AS_STRING(object), (size_t)PyBytes_GET_SIZE(object), object);
        if (buf != NULL) {
            Py_INCREF(object);
        }
        return push(chain, buf);
    }
    Py_buffer view;
    if (PyObject_GetBuffer(object, &view, PyBUF_SIMPLE) < 0) {
        return false;
    }
    bool good = view.len == 0 || push(chain, sendbuf_copy(view.buf, (size_t)view.len));
    PyBuffer_Release(&view);
    return good;
}

shared_t *sending_share(PyObject *object, const Py_buffer *view, size_t count)
{
    PyObject *owner = is_pinnable(object) ? object : NULL;
    shared_t *message = shared_new(view->buf, (size_t)view->len, owner, count);
    if (message == NULL) {
        PyErr_NoMemory();
    } else {
        Py_XINCREF(owner);
    }
    return message;
}

PyObject *sending_unsent(const sendq_t *queue, uint64_t attempted, bool *partial)
{
    sendq_cursor_t cursor = sendq_untouched(queue, attempted, partial);
    PyObject *list = PyList_New(0);
    while (list != NULL && cursor.buf != NULL) {
        size_t len = sendq_message_len(&cursor);
        PyObject *message = PyBytes_FromStringAndSize(NULL, (Py_ssize_t)len);
        if (message != NULL) {
            sendq_read(&cursor, PyBytes_AS_STRING(message));
        }
        if (message == NULL || PyList_Append(list, message) < 0) {
            Py_CLEAR(list);
        }
        Py_XDECREF(message);
    }
    return list;
}

void sending_release(engine_object_t *self, sendq_t *done)
{
    while (done->head != NULL) {
        sendbuf_t *buf = done->head;
        done->head = buf->next;
        if (buf->owner != NULL && self->spares != NULL) {
            spares_drop(self->spares, buf->owner);
        } else {
            Py_XDECREF((PyObject *)buf->owner);
        }
        free(buf);
    }
    sendq_init(done);
}

/* One message of one part, which is copied: without a chain of its own. False = an exception. */
static bool queue_copy(engine_object_t *self, token_t token, PyObject *object, call_t *result)
{
    batch_t *batch = roster_batch(self);
    if (PyBytes_CheckExact(object)) {
        *result = engine_send_copy(self->engine, token, PyBytes_AS_STRING(object),
                                   (size_t)PyBytes_GET_SIZE(object), batch);
        return true;
    }
    Py_buffer view;
    if (PyObject_GetBuffer(object, &view, PyBUF_SIMPLE) < 0) {
        return false;
    }
    if (view.len >= UNLOCKED_MIN_BYTES) {
        Py_BEGIN_ALLOW_THREADS;
        *result = engine_send_copy(self->engine, token, view.buf, (size_t)view.len, batch);
        Py_END_ALLOW_THREADS;
    } else {
        *result = engine_send_copy(self->engine, token, view.buf, (size_t)view.len, batch);
    }
    PyBuffer_Release(&view);
    return true;
}

bool sending_chain(engine_object_t *self, PyObject *const *args, Py_ssize_t count, sendq_t *chain)
{
    sendq_init(chain);
    for (Py_ssize_t i = 0; i < count; i++) {
        if (!push_object(chain, args[i])) {
            sending_release(self, chain);
            return false;
        }
    }
    if (chain->tail != NULL) {
        chain->tail->last = true;
    }
    return true;
}

bool sending_is_long(const sendq_t *chain)
{
    return chain->bytes >= UNLOCKED_MIN_BYTES;
}

bool sending_queue(engine_object_t *self, token_t token, PyObject *const *args, Py_ssize_t count,
                   call_t *result)
{
    if (count == 1 && !is_pinnable(args[0])) {
        return queue_copy(self, token, args[0], result);
    }
    sendq_t chain;
    if (!sending_chain(self, args, count, &chain)) {
        return false;
    }
    batch_t *batch = roster_batch(self);
    if (sending_is_long(&chain)) {
        Py_BEGIN_ALLOW_THREADS;
        *result = engine_send(self->engine, token, &chain, batch);
        Py_END_ALLOW_THREADS;
    } else {
        *result = engine_send(self->engine, token, &chain, batch);
    }
    sending_release(self, &chain);
    return true;
}

static bool queue_parts(engine_object_t *self, token_t token, const framing_t *framing,
                        PyObject *message, const Py_buffer *view, call_t *result)
{
    PyObject *parts[2];
    int count = framing_split(framing, message, view->buf, view->len, parts);
    bool good = count > 0 && sending_queue(self, token, parts, count, result);
    for (int i = 0; i < count; i++) {
        Py_DECREF(parts[i]);
    }
    return good;
}

/* A message that is short enough to be copied anyway. */
static bool queue_packed(engine_object_t *self, token_t token, const framing_t *framing,
                         const char *bytes, Py_ssize_t len, call_t *result)
{
    char packed[PIN_MIN_BYTES + FRAMING_EXTRA_MAX];
    len = framing_pack(framing, bytes, len, packed);
    if (len >= 0) {
        *result = engine_send_copy(self->engine, token, packed, (size_t)len, roster_batch(self));
    }
    return len >= 0;
}

bool sending_queue_message(engine_object_t *self, token_t token, PyObject *object,
                           PyObject *message, call_t *result)
{
    if (object == Py_None) {
        PyErr_SetString(PyExc_RuntimeError,
                        "send_message() needs a framing, and this session has none: use send()");
        return false;
    }
    const framing_t *framing = framing_of(self->state, object);
    if (framing == NULL) {
        return false;
    }
    if (PyBytes_CheckExact(message) && PyBytes_GET_SIZE(message) < PIN_MIN_BYTES) {
        return queue_packed(self, token, framing, PyBytes_AS_STRING(message),
                            PyBytes_GET_SIZE(message), result);
    }
    Py_buffer view;
    if (PyObject_GetBuffer(message, &view, PyBUF_SIMPLE) < 0) {
        return false;
    }
    bool good = view.len < PIN_MIN_BYTES
                    ? queue_packed(self, token, framing, view.buf, view.len, result)
                    : queue_parts(self, token, framing, message, &view, result);
    PyBuffer_Release(&view);
    return good;
}

/* Sets the exception TYPE, about the session TOKEN. NULL. */
static PyObject *refuse(module_state_t *state, token_t token, PyObject *type, const char *text)
{
    PyErr_SetString(type, text);
    PyObject *id = PyLong_FromUnsignedLongLong(token);
    if (id == NULL) {
        return NULL; /* with a MemoryError instead */
    }
    exception_is_about(state, id);
    Py_DECREF(id);
    return NULL;
}

PyObject *sending_result(module_state_t *state, token_t token, call_t result)
{
    switch (result) {
    case CALL_OK:
        Py_RETURN_TRUE;
    case CALL_FULL:
        Py_RETURN_FALSE;
    case CALL_CLOSED:
        return refuse(state, token, state->session_closed, "the session is closed or closing");
    case CALL_STALE:
        return refuse(state, token, state->stale_session,
                      "the session is closed, and its slot serves another client by now");
    case CALL_EOF:
        PyErr_SetString(PyExc_RuntimeError, "cannot send after write_eof()");
        return NULL;
    case CALL_OVERFLOW:
        return refuse(state, token, state->write_overflow,
                      "the send queue passed write_limit; the session is aborted");
    case CALL_NO_MEMORY:
        return PyErr_NoMemory();
    }
    Py_UNREACHABLE();
}
