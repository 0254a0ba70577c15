/* session_framing.c: Session.framing, how what the client sends is cut, and what is sent to it as a
 * message is packed. */
#include "state.h"

PyObject *session_framing(session_object_t *self, void *closure)
{
    (void)closure;
    PyObject *framing;
    Py_BEGIN_CRITICAL_SECTION(self);
    framing = Py_XNewRef(self->framing);
    Py_END_CRITICAL_SECTION();
    return framing == NULL ? Py_NewRef(Py_None) : framing;
}

/* The cutter is the callback's while one runs, and nobody else's. */
static const event_t *find_event(session_object_t *self)
{
    const event_t *event = roster_event(self->engine);
    if (event != NULL && event->token == self->token) {
        return event;
    }
    PyErr_Format(PyExc_RuntimeError,
                 "framing can be set in a callback of the same session only, not %s",
                 event == NULL ? "outside of callbacks" : "in another one's");
    return NULL;
}

int session_set_framing(session_object_t *self, PyObject *value, void *closure)
{
    (void)closure;
    if (value == NULL) {
        PyErr_SetString(PyExc_TypeError, "framing cannot be deleted; None cuts nothing");
        return -1;
    }
    module_state_t *state = self->engine->state;
    const framing_t *framing = value == Py_None ? NULL : framing_of(state, value);
    const event_t *event = PyErr_Occurred() ? NULL : find_event(self);
    if (event == NULL) {
        return -1;
    }
    call_t result = engine_set_framing(self->engine->engine, event, framing);
    if (result != CALL_OK) {
        (void)sending_result(state, self->token, result);
        return -1;
    }
    PyObject *old;
    Py_BEGIN_CRITICAL_SECTION(self);
    old = self->framing;
    self->framing = framing == NULL ? NULL : Py_NewRef(value);
    Py_END_CRITICAL_SECTION();
    Py_XDECREF(old);
    return 0;
}
