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
static bool push_object(sendq_t *chain, PyObject *object)
{
    if (PyBytes_CheckExact(object) && PyBytes_GET_SIZE(object) >= PIN_MIN_BYTES) {
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

void sending_release(sendq_t *done)
{
    while (done->head != NULL) {
        sendbuf_t *buf = done->head;
        done->head = buf->next;
        Py_XDECREF((PyObject *)buf->owner);
        free(buf);
    }
    sendq_init(done);
}

bool sending_queue(engine_object_t *self, token_t token, PyObject *const *args, Py_ssize_t count,
                   call_t *result)
{
    sendq_t chain;
    sendq_init(&chain);
    for (Py_ssize_t i = 0; i < count; i++) {
        if (!push_object(&chain, args[i])) {
            sending_release(&chain);
            return false;
        }
    }
    batch_t *batch = dispatch_batch(self);
    if (chain.bytes >= UNLOCKED_MIN_BYTES) {
        Py_BEGIN_ALLOW_THREADS;
        *result = engine_send(self->engine, token, &chain, batch);
        Py_END_ALLOW_THREADS;
    } else {
        *result = engine_send(self->engine, token, &chain, batch);
    }
    sending_release(&chain);
    return true;
}
