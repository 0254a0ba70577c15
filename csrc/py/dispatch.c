/* dispatch.c: events become callbacks. */
#include "../base/copy.h"
#include "state.h"

/* What an exception out of a callback means. */
typedef enum {
    MEANS_ERROR,      /* the session is ended */
    MEANS_FAREWELL,   /* only what is known already: this very client is going, which a callback may
                       * find out by sending to it */
    MEANS_OTHERS_END, /* of another session: no reason to end this one */
} meaning_t;

static meaning_t find_meaning(engine_object_t *self, const event_t *event, PyObject *exception)
{
    token_t about;
    if (!exception_tells(self->state, exception, &about) || about == TOKEN_NONE) {
        return MEANS_ERROR;
    }
    if (about != event->token) {
        return MEANS_OTHERS_END;
    }
    /* When the end is told, it is nothing new. */
    bool closed = PyErr_GivenExceptionMatches(exception, self->state->session_closed);
    return closed && event->kind != EVENT_CLOSED ? MEANS_FAREWELL : MEANS_ERROR;
}

/* Gives the exception that is set to on_error, and ends that session alone. */
static void failed(engine_object_t *self, const event_t *event, PyObject *session,
                   const char *where)
{
    PyObject *value = exception_take();
    meaning_t meaning = find_meaning(self, event, value);
    PyObject *handler = meaning == MEANS_FAREWELL ? self->on_farewell : self->on_error;
    atomic_u64_add(&self->callback_errors, meaning != MEANS_FAREWELL);
    if (meaning == MEANS_ERROR) {
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

/* How often what the end of a session has to do is tried where memory is short. What is in the way
 * may be gone a moment later; and it is not given up for one that the collector might free. */
#define TRIES 100

/* Out of the registries, before the application hears of the end; without memory. */
static void unregister_session(engine_object_t *self, const event_t *event,
                               session_object_t *session)
{
    if (PyDict_DelItem(self->sessions, session->id) < 0) {
        PyErr_Clear(); /* an engine that is being forgotten */
    }
    naming_leave(self, event);
}

/* The messages of SESSION that its client has nothing of. Where there is no memory to list them, an
 * empty list, and they are said to be among those that it may have in part. */
static PyObject *list_unsent(const session_t *session, bool *partial)
{
    PyObject *unsent = sending_unsent(&session->out, session->send_len, partial);
    if (unsent == NULL) {
        PyErr_Clear();
        *partial = true;
        unsent = PyList_New(0);
    }
    if (unsent == NULL) {
        PyErr_Clear();
        unsent = PyTuple_New(0); /* of which there is one, always */
    }
    return unsent;
}

/* The COUNT requests of SESSION that nobody has answered. Where there is no memory to list them, an
 * empty list: they are passed on all the same. */
static PyObject *list_requests(const event_t *event, size_t count)
{
    PyObject *requests = pending_list_lost(event, count);
    if (requests == NULL) {
        PyErr_Clear();
        requests = PyTuple_New(0); /* of which there is one, always */
    }
    return requests;
}

/* Tells what SESSION leaves behind. Who takes its requests over, or TOKEN_NONE. */
static token_t tell_loss(engine_object_t *self, const event_t *event, session_object_t *session,
                         size_t count)
{
    bool partial;
    PyObject *requests = list_requests(event, count);
    PyObject *unsent = list_unsent(&event->slot->session, &partial);
    PyObject *heir = PyObject_CallFunctionObjArgs(self->lose, (PyObject *)session, requests, unsent,
                                                  partial ? Py_True : Py_False, NULL);
    token_t token = TOKEN_NONE;
    if (heir == NULL || (heir != Py_None && !naming_who(self, heir, &token))) {
        failed(self, event, (PyObject *)session, "on_abort");
    }
    Py_XDECREF(heir);
    Py_DECREF(requests);
    Py_DECREF(unsent);
    return token;
}

/* The end of a session with requests that nobody has answered, or with messages unsent. */
static void lose(engine_object_t *self, const event_t *event, session_object_t *session)
{
    size_t count = engine_lose_requests(self->engine, event);
    if (count > 0 || (self->wants_unsent && !sendq_is_empty(&event->slot->session.out))) {
        pending_pass_on(self, event, tell_loss(self, event, session, count));
    }
}

/* The session knows its SSLObject. False with an exception. */
static bool set_ssl_object(PyObject *session, const event_t *event)
{
    const wire_t *wire = engine_filter(event);
    if (wire == NULL) {
        return true;
    }
    PyObject *object = wire_ssl_object(wire);
    ((session_object_t *)session)->ssl_object = object;
    return object != NULL;
}

static void on_open(engine_object_t *self, event_t *event)
{
    PyObject *session = session_new(self, event);
    if (session == NULL || !set_ssl_object(session, event) ||
        PyDict_SetItem(self->sessions, ((session_object_t *)session)->id, session) < 0) {
        failed(self, event, session, "accept");
        Py_XDECREF(session);
        return;
    }
    *event->user = session; /* the slot's reference, until on_closed */
    PyObject *result = NULL;
    if (self->on_connect != NULL) {
        result = call(self, event, self->on_connect, session, NULL, "on_connect");
    }
    if (result == Py_False) {
        (void)engine_end(self->engine, event->token, REASON_REFUSED, roster_batch(self));
    } else {
        /* Where the callback has raised, its session ends already, and takes nothing. */
        atomic_u32_store(&((session_object_t *)session)->is_there, 1);
    }
    Py_XDECREF(result);
}

/* A client has spoken, and gets a filter of its own. */
static void on_filter(engine_object_t *self, event_t *event)
{
    PyObject *made = PyObject_CallNoArgs(self->make_tls);
    wire_t *wire = NULL;
    if (made != NULL) {
        wire = wire_new(self->tls_is_native ? self->state->tls : NULL, made);
        Py_DECREF(made);
    }
    if (wire == NULL) {
        failed(self, event, NULL, "ssl");
    }
    engine_set_filter(self->engine, event, wire);
}

/* The wire's error, or None. */
static PyObject *find_error(const wire_t *wire)
{
    PyObject *error = wire == NULL ? Py_NewRef(Py_None) : wire_error(wire);
    if (error == NULL) {
        PyErr_Clear();
        error = Py_NewRef(Py_None);
    }
    return error;
}

/* The handshake of a client that the application has not got to know came to nothing. */
static void on_failed(engine_object_t *self, event_t *event)
{
    const session_t *session = &event->slot->session;
    wire_t *wire = engine_filter(event);
    PyObject *peer = address_tuple(self->state, &session->peer);
    PyObject *error = find_error(wire);
    PyObject *result = NULL;
    if (peer != NULL) {
        result = PyObject_CallFunction(self->tls_failed, "OiOi", peer, (int)session->ending.reason,
                                       error, session->ending.error);
    }
    if (result == NULL) {
        failed(self, event, NULL, "on_tls_error");
    }
    Py_XDECREF(result);
    Py_DECREF(error);
    Py_XDECREF(peer);
    wire_free(wire);
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

static PyObject *make_whole_disconnect(engine_object_t *self, PyObject *session,
                                       const event_t *event)
{
    const ending_t *ending = &event->slot->session.ending;
    PyObject *status = Py_NewRef(Py_None);
    if (IO_NATIVE_NTSTATUS && ending->has_status) {
        Py_SETREF(status, PyLong_FromUnsignedLong(ending->status));
        if (status == NULL) {
            return NULL;
        }
    }
    return PyObject_CallFunction(
        self->make_disconnect, "NiiNiKiKN", session_framing((session_object_t *)session, NULL),
        (int)ending->reason, (int)ending->initiator, status, ending->error,
        (unsigned long long)ending->unsent_bytes, (int)ending->fault,
        (unsigned long long)ending->fault_len, find_error(engine_filter(event)));
}

/* The Disconnect; where memory is short, one that tells no more than the reason. */
static PyObject *make_disconnect(engine_object_t *self, PyObject *session, const event_t *event)
{
    const ending_t *ending = &event->slot->session.ending;
    for (int tried = 0; tried < TRIES; tried++) {
        PyObject *disconnect = make_whole_disconnect(self, session, event);
        if (disconnect != NULL || !PyErr_ExceptionMatches(PyExc_MemoryError)) {
            return disconnect;
        }
        PyErr_Clear();
    }
    return Py_NewRef(PyTuple_GET_ITEM(self->plain_ends, (Py_ssize_t)ending->reason));
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
        PyObject *disconnect = make_disconnect(self, session, event);
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

/* EVENT is of a client that there is no Session for, or not yet. */
static void dispatch_unknown(engine_object_t *self, event_t *event)
{
    switch (event->kind) {
    case EVENT_OPEN:
        on_open(self, event);
        break;
    case EVENT_FILTER:
        on_filter(self, event);
        break;
    case EVENT_FAILED:
        on_failed(self, event);
        break;
    case EVENT_CLOSED: /* there was no memory for one */
        wire_free(engine_filter(event));
        break;
    default:
        break;
    }
}

void dispatch_event(engine_object_t *self, event_t *event)
{
    PyObject *session = *event->user;
    if (session == NULL) {
        dispatch_unknown(self, event);
        return;
    }
    switch (event->kind) {
    case EVENT_FILTER:
    case EVENT_FAILED:
    case EVENT_OPEN:
        break;
    case EVENT_LOGIN:
        naming_await((session_object_t *)session);
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
        wire_free(engine_filter(event));
        break;
    }
}
