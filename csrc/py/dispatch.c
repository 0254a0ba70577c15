/* dispatch.c: events become callbacks. */
#include "../base/copy.h"
#include "state.h"

/* The exception that is set, with its traceback; none is set then. */
static PyObject *take_exception(void)
{
#if PY_VERSION_HEX >= 0x030C0000
    return PyErr_GetRaisedException();
#else
    PyObject *type, *value, *traceback;
    PyErr_Fetch(&type, &value, &traceback);
    PyErr_NormalizeException(&type, &value, &traceback);
    if (traceback != NULL) {
        PyException_SetTraceback(value, traceback);
    }
    Py_XDECREF(type);
    Py_XDECREF(traceback);
    return value;
#endif
}

/* Whether EXCEPTION only says what is known already: that this very client is going. A reset can
 * come while a callback runs, and what it still sends then raises. */
static bool is_farewell(engine_object_t *self, const event_t *event, PyObject *exception)
{
    session_info_t info;
    return PyErr_GivenExceptionMatches(exception, self->state->session_closed) &&
           engine_info(self->engine, event->token, &info) == CALL_OK && info.closing;
}

/* Gives the exception that is set to on_error, and ends that session alone. */
static void failed(engine_object_t *self, const event_t *event, PyObject *session,
                   const char *where)
{
    PyObject *value = take_exception();
    PyObject *handler = self->on_error;
    if (is_farewell(self, event, value)) {
        handler = self->on_farewell;
    } else {
        atomic_u64_add(&self->callback_errors, 1);
        (void)engine_abort(self->engine, event->token, REASON_CALLBACK_ERROR, false);
    }
    PyObject *result =
        PyObject_CallFunction(handler, "OsO", session == NULL ? Py_None : session, where, value);
    if (result == NULL) {
        PyErr_WriteUnraisable(handler);
    }
    Py_XDECREF(result);
    Py_DECREF(value);
}

/* Calls CALLBACK(session[, argument]); NULL, and the error dealt with, where it raised. */
static PyObject *call(engine_object_t *self, const event_t *event, PyObject *callback,
                      PyObject *session, PyObject *argument, const char *where)
{
    PyObject *args[3] = {NULL, session, argument};
    size_t count = argument == NULL ? 1 : 2;
    PyObject *result =
        PyObject_Vectorcall(callback, args + 1, count | PY_VECTORCALL_ARGUMENTS_OFFSET, NULL);
    if (result == NULL) {
        failed(self, event, session, where);
    }
    return result;
}

/* The registry's key is an int, as Session.id is. */
static int register_session(engine_object_t *self, token_t token, PyObject *session)
{
    PyObject *key = PyLong_FromUnsignedLongLong(token);
    if (key == NULL) {
        return -1;
    }
    int status = PyDict_SetItem(self->sessions, key, session);
    Py_DECREF(key);
    return status;
}

/* Out of the registries, before the application hears of the end. A login that comes at the same
 * moment looks whether the session ends after it has registered it. */
static void unregister_session(engine_object_t *self, const event_t *event,
                               session_object_t *session)
{
    PyObject *key = PyLong_FromUnsignedLongLong(event->token);
    if (key == NULL || PyDict_DelItem(self->sessions, key) < 0) {
        PyErr_Clear(); /* it never came in: no memory at its start */
    }
    Py_XDECREF(key);
    bool has_name;
    Py_BEGIN_CRITICAL_SECTION(session);
    has_name = session->net_id != Py_None;
    Py_END_CRITICAL_SECTION();
    if (has_name) {
        Py_XDECREF(call(self, event, self->logout, (PyObject *)session, NULL, "logout"));
    }
}

/* The end of a session with requests that nobody has answered, or with messages unsent. */
static void lose(engine_object_t *self, const event_t *event, session_object_t *session)
{
    const session_t *slot_session = &event->slot->session;
    bool begun = atomic_u32_load(&session->begun) != 0;
    if (!begun && (!self->wants_unsent || sendq_is_empty(&slot_session->out))) {
        return;
    }
    bool partial;
    PyObject *unsent = sending_unsent(&slot_session->out, slot_session->send_len, &partial);
    PyObject *result = NULL;
    if (unsent != NULL) {
        result = PyObject_CallFunctionObjArgs(self->lose, (PyObject *)session, unsent,
                                              partial ? Py_True : Py_False, NULL);
    }
    if (result == NULL) {
        failed(self, event, (PyObject *)session, "on_abort");
    }
    Py_XDECREF(unsent);
    Py_XDECREF(result);
}

static void on_open(engine_object_t *self, event_t *event)
{
    PyObject *session = session_new(self, event);
    if (session == NULL || register_session(self, event->token, session) < 0) {
        failed(self, event, session, "accept");
        Py_XDECREF(session);
        return;
    }
    *event->user = session; /* the slot's reference, until on_closed */
    if (self->on_connect == NULL) {
        return;
    }
    PyObject *result = call(self, event, self->on_connect, session, NULL, "on_connect");
    if (result == Py_False) {
        (void)engine_end(self->engine, event->token, REASON_REFUSED, roster_batch(self));
    }
    Py_XDECREF(result);
}

static PyObject *make_bytes(const char *bytes, uint32_t len)
{
    if (len < COPY_PAGE_BYTES) {
        return PyBytes_FromStringAndSize(bytes, (Py_ssize_t)len);
    }
    PyObject *data = PyBytes_FromStringAndSize(NULL, (Py_ssize_t)len);
    if (data != NULL) {
        copy_bytes(PyBytes_AS_STRING(data), bytes, len);
    }
    return data;
}

/* A message as an object: the one that it was received into, where PLACE tells of it and the
 * message is large enough. */
static PyObject *take_message(engine_object_t *self, char **place, const char *bytes, uint32_t len)
{
    if (place != NULL && spares_is_worth(self->spares, len)) {
        return spares_claim(self->spares, place, len);
    }
    return make_bytes(bytes, len);
}

static void on_data(engine_object_t *self, event_t *event, PyObject *session)
{
    const char *bytes;
    uint32_t len;
    while (engine_next_message(self->engine, event, &bytes, &len)) {
        if (self->on_data == NULL) {
            continue;
        }
        char **place = engine_direct_message(event);
        PyObject *data = take_message(self, place, bytes, len);
        if (data == NULL) {
            failed(self, event, session, "on_data");
            return;
        }
        Py_XDECREF(call(self, event, self->on_data, session, data, "on_data"));
        if (place != NULL) {
            spares_drop(self->spares, data);
        } else {
            Py_DECREF(data);
        }
    }
}

static void on_eof(engine_object_t *self, event_t *event, PyObject *session)
{
    if (self->on_eof == NULL) {
        return;
    }
    PyObject *result = call(self, event, self->on_eof, session, NULL, "on_eof");
    if (result != NULL) {
        int keep = PyObject_IsTrue(result);
        if (keep < 0) {
            failed(self, event, session, "on_eof");
        }
        event->keep = keep > 0;
        Py_DECREF(result);
    }
}

static PyObject *make_disconnect(engine_object_t *self, const ending_t *ending)
{
    PyObject *status = Py_NewRef(Py_None);
    if (IO_NATIVE_NTSTATUS && ending->has_status) {
        Py_SETREF(status, PyLong_FromUnsignedLong(ending->status));
        if (status == NULL) {
            return NULL;
        }
    }
    return PyObject_CallFunction(self->make_disconnect, "iiNiKiK", (int)ending->reason,
                                 (int)ending->initiator, status, ending->error,
                                 (unsigned long long)ending->unsent_bytes, (int)ending->fault,
                                 (unsigned long long)ending->fault_len);
}

/* A status that correct code never sees is an error of ours, and is said to be one. */
static void report_bug(engine_object_t *self, const event_t *event, PyObject *session,
                       PyObject *disconnect)
{
    PyObject *error = PyObject_GetAttrString(disconnect, "error");
    if (error != NULL && error != Py_None) {
        PyErr_SetObject((PyObject *)Py_TYPE(error), error);
        failed(self, event, session, "ntstatus");
    }
    PyErr_Clear();
    Py_XDECREF(error);
}

static void on_closed(engine_object_t *self, event_t *event, PyObject *session)
{
    session_end((session_object_t *)session);
    unregister_session(self, event, (session_object_t *)session);
    lose(self, event, (session_object_t *)session);
    *event->user = NULL;
    const ending_t *ending = &event->slot->session.ending;
    if (self->on_disconnect != NULL || ending->bug) {
        PyObject *disconnect = make_disconnect(self, ending);
        if (disconnect == NULL) {
            failed(self, event, session, "on_disconnect");
        } else {
            if (ending->bug) {
                report_bug(self, event, session, disconnect);
            }
            if (self->on_disconnect != NULL) {
                Py_XDECREF(
                    call(self, event, self->on_disconnect, session, disconnect, "on_disconnect"));
            }
            Py_DECREF(disconnect);
        }
    }
    Py_DECREF(session);
}

void dispatch_event(engine_object_t *self, event_t *event)
{
    if (event->kind == EVENT_OPEN) {
        on_open(self, event);
        return;
    }
    PyObject *session = *event->user;
    if (session == NULL) {
        return; /* there was no memory for one; the client is on its way out */
    }
    switch (event->kind) {
    case EVENT_OPEN:
        break;
    case EVENT_LOGIN:
        if (self->on_login != NULL) {
            Py_XDECREF(call(self, event, self->on_login, session, NULL, "on_login"));
        }
        break;
    case EVENT_DATA:
        on_data(self, event, session);
        break;
    case EVENT_EOF:
        on_eof(self, event, session);
        break;
    case EVENT_DRAIN:
        if (self->on_drain != NULL) {
            Py_XDECREF(call(self, event, self->on_drain, session, NULL, "on_drain"));
        }
        break;
    case EVENT_CLOSED:
        on_closed(self, event, session);
        break;
    }
}
