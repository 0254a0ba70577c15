/* session_type.c: iocpreuse.Session, one client. */
#include "state.h"

#include <structmember.h>

PyObject *session_new(engine_object_t *engine, const event_t *event)
{
    PyObject *now = PyObject_CallNoArgs(engine->state->time);
    if (now == NULL) {
        return NULL;
    }
    double connected_at = PyFloat_AsDouble(now);
    Py_DECREF(now);
    /* Now, because its end must not need memory. */
    PyObject *id = PyLong_FromUnsignedLongLong(event->token);
    if (id == NULL) {
        return NULL;
    }
    PyTypeObject *type = engine->state->session_type;
    session_object_t *self =
        (session_object_t *)free_sessions_take(&engine->state->free_sessions, type);
    if (self == NULL) {
        Py_DECREF(id);
        return NULL;
    }
    Py_INCREF(engine);
    self->engine = engine;
    self->token = event->token;
    self->id = id;
    self->app_state = Py_NewRef(Py_None);
    self->framing = Py_XNewRef(engine->framing);
    (void)atomic_ptr_exchange(&self->net_id, Py_NewRef(Py_None));
    self->connected_at = connected_at;
    PyObject_GC_Track(self);
    return (PyObject *)self;
}

void session_end(session_object_t *session)
{
    session_info_t *final = PyMem_Malloc(sizeof *final);
    if (final == NULL) {
        return; /* whoever asks for something of it will be told */
    }
    memset(final, 0, sizeof *final);
    (void)engine_info(session->engine->engine, session->token, final);
    final->closing = true;
    (void)atomic_ptr_exchange(&session->final, final);
}

/* What is known of it now, or was at the end. False where that could not be kept. */
static bool find_info(session_object_t *self, session_info_t *out)
{
    engine_t *engine = self->engine->engine;
    if (atomic_ptr_load(&self->final) == NULL && engine_info(engine, self->token, out) == CALL_OK) {
        return true;
    }
    /* The end may have come between the two looks: it is kept before the slot goes. */
    const session_info_t *final = atomic_ptr_load(&self->final);
    if (final == NULL) {
        return engine_info_at_fork(engine, self->token, out);
    }
    *out = *final;
    return true;
}

/* The same, or an exception. */
static bool get_info(session_object_t *self, session_info_t *out)
{
    bool found = find_info(self, out);
    if (!found) {
        PyErr_SetString(PyExc_MemoryError, "there was no memory to keep what the session was");
    }
    return found;
}

/* Whether it has ended, or ends. */
static bool is_over(session_object_t *self)
{
    session_info_t info;
    return !find_info(self, &info) || info.closing;
}

static int session_traverse(session_object_t *self, visitproc visit, void *arg)
{
    Py_VISIT(Py_TYPE(self));
    Py_VISIT(self->engine);
    Py_VISIT(self->app_state);
    Py_VISIT((PyObject *)atomic_ptr_load(&self->net_id));
    Py_VISIT(self->framing);
    Py_VISIT(self->ssl_object);
    return 0;
}

static int session_clear(session_object_t *self)
{
    Py_CLEAR(self->app_state);
    Py_XDECREF((PyObject *)atomic_ptr_exchange(&self->net_id, NULL));
    Py_CLEAR(self->ssl_object);
    return 0;
}

static void session_dealloc(session_object_t *self)
{
    PyTypeObject *type = Py_TYPE(self);
    PyObject_GC_UnTrack(self);
    if (self->weakrefs != NULL) {
        PyObject_ClearWeakRefs((PyObject *)self);
    }
    (void)session_clear(self);
    Py_CLEAR(self->framing); /* not before: the slot has its own way to it */
    Py_CLEAR(self->id);
    PyMem_Free(atomic_ptr_load(&self->final));
    engine_object_t *engine = self->engine;
    free_sessions_give(&engine->state->free_sessions, (PyObject *)self);
    Py_DECREF(engine); /* keeps the list alive */
    Py_DECREF(type);
}

static PyObject *session_repr(session_object_t *self)
{
    session_info_t info;
    if (!get_info(self, &info)) {
        return NULL;
    }
    PyObject *peer = address_tuple(self->engine->state, &info.peer);
    if (peer == NULL) {
        return NULL;
    }
    PyObject *repr =
        PyUnicode_FromFormat("<Session %llu peer=%R %s>", (unsigned long long)self->token, peer,
                             info.closing ? "closing" : "open");
    Py_DECREF(peer);
    return repr;
}

static PyObject *session_send(session_object_t *self, PyObject *const *args, Py_ssize_t count)
{
    call_t result;
    bool asked = sending_queue(self->engine, self->token, args, count, &result);
    return asked ? sending_result(self->engine->state, self->token, result) : NULL;
}

static PyObject *session_send_message(session_object_t *self, PyObject *message)
{
    call_t result;
    PyObject *framing = session_framing(self, NULL);
    bool asked = sending_queue_message(self->engine, self->token, framing, message, &result);
    Py_DECREF(framing);
    return asked ? sending_result(self->engine->state, self->token, result) : NULL;
}

static PyObject *session_close(session_object_t *self, PyObject *unused)
{
    (void)unused;
    (void)engine_end(self->engine->engine, self->token, REASON_LOCAL_CLOSE,
                     roster_batch(self->engine));
    Py_RETURN_NONE;
}

static PyObject *session_abort(session_object_t *self, PyObject *unused)
{
    (void)unused;
    (void)engine_abort(self->engine->engine, self->token, REASON_LOCAL_ABORT, true);
    Py_RETURN_NONE;
}

static PyObject *session_write_eof(session_object_t *self, PyObject *unused)
{
    (void)unused;
    (void)engine_write_eof(self->engine->engine, self->token, roster_batch(self->engine));
    Py_RETURN_NONE;
}

static PyObject *session_pause_reading(session_object_t *self, PyObject *unused)
{
    (void)unused;
    (void)engine_pause_reading(self->engine->engine, self->token, true);
    Py_RETURN_NONE;
}

static PyObject *session_resume_reading(session_object_t *self, PyObject *unused)
{
    (void)unused;
    (void)engine_pause_reading(self->engine->engine, self->token, false);
    Py_RETURN_NONE;
}

static PyObject *session_is_closing(session_object_t *self, PyObject *unused)
{
    (void)unused;
    return PyBool_FromLong(is_over(self));
}

static PyObject *session_peername(session_object_t *self, void *closure)
{
    (void)closure;
    session_info_t info;
    return get_info(self, &info) ? address_tuple(self->engine->state, &info.peer) : NULL;
}

static PyObject *session_sockname(session_object_t *self, void *closure)
{
    (void)closure;
    session_info_t info;
    return get_info(self, &info) ? address_tuple(self->engine->state, &info.local) : NULL;
}

static PyObject *session_login(session_object_t *self, PyObject *args, PyObject *kwargs)
{
    static char *names[] = {"net_id", "conflict", NULL};
    PyObject *net_id;
    PyObject *conflict = NULL;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "O|$O:login", names, &net_id, &conflict)) {
        return NULL;
    }
    return naming_login(self, net_id, conflict, is_over(self));
}

static PyObject *session_begin_request(session_object_t *self, PyObject *args, PyObject *kwargs)
{
    static char *names[] = {"tag", "request", NULL};
    PyObject *tag = Py_None;
    PyObject *request = Py_None;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "|OO:begin", names, &tag, &request)) {
        return NULL;
    }
    return pending_begin(self, tag, request);
}

static PyObject *session_logged_in_at(session_object_t *self, void *closure)
{
    (void)closure;
    double at;
    Py_BEGIN_CRITICAL_SECTION(self);
    at = self->logged_in_at;
    Py_END_CRITICAL_SECTION();
    return at == 0 ? Py_NewRef(Py_None) : PyFloat_FromDouble(at);
}

static PyObject *session_priority(session_object_t *self, void *closure)
{
    (void)closure;
    return PyLong_FromLong((int)atomic_u32_load(&self->priority));
}

static int session_set_priority(session_object_t *self, PyObject *value, void *closure)
{
    (void)closure;
    if (value == NULL) {
        PyErr_SetString(PyExc_TypeError, "priority cannot be deleted");
        return -1;
    }
    long long number = PyLong_AsLongLong(value);
    if (number == -1 && PyErr_Occurred()) {
        return -1;
    }
    if (number < INT_MIN || number > INT_MAX) {
        PyErr_Format(PyExc_OverflowError, "priority must be from %d to %d", INT_MIN, INT_MAX);
        return -1;
    }
    atomic_u32_store(&self->priority, (uint32_t)number);
    return 0;
}

static PyObject *session_rtt(session_object_t *self, void *closure)
{
    (void)closure;
    uint32_t rtt_us = 0;
    if (engine_rtt(self->engine->engine, self->token, &rtt_us) != CALL_OK || rtt_us == 0) {
        Py_RETURN_NONE;
    }
    return PyFloat_FromDouble(rtt_us / 1e6);
}

static PyObject *session_id(session_object_t *self, void *closure)
{
    (void)closure;
    return Py_NewRef(self->id);
}

static PyObject *session_connected_at(session_object_t *self, void *closure)
{
    (void)closure;
    return PyFloat_FromDouble(self->connected_at);
}

/* A uint64_t of session_info_t; CLOSURE is its offset. */
static PyObject *session_counter(session_object_t *self, void *closure)
{
    session_info_t info;
    if (!get_info(self, &info)) {
        return NULL;
    }
    uint64_t value;
    memcpy(&value, (const char *)&info + (uintptr_t)closure, sizeof value);
    return PyLong_FromUnsignedLongLong(value);
}

PyDoc_STRVAR(send_doc,
             "send(*data: Buffer) -> bool\n--\n\n"
             "Queue bytes for the client, in order. Any thread; never blocks.\n\n"
             "What callbacks send leaves when they have run, gathered into one call, and so does\n"
             "what another thread sends in quick succession; bytes objects are sent from where\n"
             "they are, other buffers are copied. Returns False while more than write_high bytes\n"
             "are queued; on_drain tells when there is room.\n"
             "Raises SessionClosed once the session is closing, StaleSession when its slot\n"
             "serves another client by now, WriteOverflow beyond write_limit (the session is\n"
             "aborted then), RuntimeError after write_eof().");
PyDoc_STRVAR(send_message_doc,
             "send_message(message: Buffer) -> bool\n--\n\n"
             "send() MESSAGE with the delimiter or prefix of the session's framing. Any thread.\n\n"
             "As send(framing.pack(message)), without the object between. Raises what send()\n"
             "raises; ValueError, and nothing is sent, for one that the other side could not cut\n"
             "out again (see Framing.pack); RuntimeError where the session has no framing.");
PyDoc_STRVAR(close_doc, "close() -> None\n--\n\n"
                        "Send what is queued, then FIN, then end the session. Any thread.\n"
                        "Nothing more is received; does nothing if it is closing already.");
PyDoc_STRVAR(abort_doc, "abort() -> None\n--\n\n"
                        "End the session at once with RST; what is queued is lost. Any thread.");
PyDoc_STRVAR(write_eof_doc, "write_eof() -> None\n--\n\n"
                            "Send what is queued, then FIN; receiving goes on. Any thread.");
PyDoc_STRVAR(pause_reading_doc,
             "pause_reading() -> None\n--\n\n"
             "Receive no more for now: no on_data and no on_eof until resume_reading(). Any\n"
             "thread. A callback that runs goes on; what has been received already is kept.\n"
             "While it is paused, the client's end is noticed only by sending, and idle_timeout\n"
             "stands still unless something is being sent.");
PyDoc_STRVAR(resume_reading_doc, "resume_reading() -> None\n--\n\n"
                                 "Receive again; what was kept comes first. Any thread.");
PyDoc_STRVAR(is_closing_doc, "is_closing() -> bool\n--\n\n"
                             "Whether the end has begun: send() would raise. Any thread.");
PyDoc_STRVAR(get_extra_info_doc,
             "get_extra_info(name: str, default: Any = None) -> Any\n--\n\n"
             "'peername', 'sockname', and with TLS 'ssl_object', 'sslcontext', 'peercert',\n"
             "'cipher' and 'compression', as asyncio's transports have it; else the default.");

PyDoc_STRVAR(
    login_doc,
    "login(net_id: NetId, *, conflict: str = 'reject') -> None\n--\n\n"
    "Give the client the application's own name. Any thread.\n\n"
    "From now on it stands in Server.logged_in instead of connected_only; on_login\n"
    "is the next callback, before any other message. If another session has the name, 'reject'\n"
    "raises LoginConflict, and 'replace' takes it over: the other session ends with\n"
    "REPLACED. Raises SessionClosed, TypeError for an unhashable name, ValueError.");
PyDoc_STRVAR(begin_doc,
             "begin(tag: Hashable = None, request: bytes | None = None) -> Pending\n--\n\n"
             "Note that work for this client has begun. Any thread.\n\n"
             "The Pending's reply() answers it. If the client goes before that, on_abort says\n"
             "who gets the answer, or it is aborted. Raises SessionClosed.");

#define METHOD(name, function, flags)                                                              \
    {#name, (PyCFunction)(void (*)(void))session_##function, flags, name##_doc}

static PyMethodDef session_methods[] = {
    METHOD(send, send, METH_FASTCALL),
    METHOD(send_message, send_message, METH_O),
    METHOD(close, close, METH_NOARGS),
    METHOD(abort, abort, METH_NOARGS),
    METHOD(write_eof, write_eof, METH_NOARGS),
    METHOD(pause_reading, pause_reading, METH_NOARGS),
    METHOD(resume_reading, resume_reading, METH_NOARGS),
    METHOD(is_closing, is_closing, METH_NOARGS),
    METHOD(get_extra_info, get_extra_info, METH_FASTCALL),
    METHOD(login, login, METH_VARARGS | METH_KEYWORDS),
    METHOD(begin, begin_request, METH_VARARGS | METH_KEYWORDS),
    {NULL, NULL, 0, NULL},
};

#define GETTER(name, doc) {#name, (getter)session_##name, NULL, doc, NULL}
#define COUNTER(name, doc)                                                                         \
    {#name, (getter)session_counter, NULL, doc, (void *)offsetof(session_info_t, name)}
#define SETTER(name, doc) {#name, (getter)session_##name, (setter)session_set_##name, doc, NULL}

static PyGetSetDef session_getset[] = {
    GETTER(id, "The client's unique number; never repeats in a process."),
    GETTER(peername, "The client's address, as the socket module gives it."),
    GETTER(sockname, "The server's address on this connection."),
    GETTER(connected_at, "When the client was accepted: seconds since the epoch."),
    GETTER(logged_in_at, "When login() gave it a name: seconds since the epoch; None before."),
    SETTER(framing, "How what the client sends is cut; None = it is not. Set in a callback of the\n"
                    "session, it is the way from there on: what was received and has not been\n"
                    "told is cut anew. RuntimeError anywhere else; SessionClosed where it ends."),
    SETTER(priority, "The order of broadcasts, higher first; 0 at first."),
    GETTER(ssl_object,
           "The ssl.SSLObject of a client that speaks TLS, to be looked at; else None."),
    GETTER(rtt, "The TCP stack's round-trip time in seconds; None where it does not tell\n"
                "(TCP_INFO on Linux, SIO_TCP_INFO on Windows 10 1703 and newer), and once\n"
                "on_disconnect has returned."),
    COUNTER(bytes_received, "Bytes received from the client so far."),
    COUNTER(bytes_sent, "Bytes that the TCP stack has taken so far."),
    COUNTER(messages_received, "Calls of on_data so far."),
    COUNTER(messages_sent, "Calls of send() with data so far."),
    {NULL, NULL, NULL, NULL, NULL},
};

/* T_OBJECT is not safe to read while another thread writes; T_OBJECT_EX is, and is quicker too. */
static PyMemberDef session_members[] = {
    {"state", T_OBJECT_EX, offsetof(session_object_t, app_state), 0,
     "The application's own; None at first."},
    {"net_id", T_OBJECT_EX, offsetof(session_object_t, net_id), READONLY,
     "The application's name for the client, from login(); None before."},
    {"__weaklistoffset__", T_PYSSIZET, offsetof(session_object_t, weakrefs), READONLY, NULL},
    {NULL, 0, 0, 0, NULL},
};

static PyType_Slot session_slots[] = {
    {Py_tp_doc, "One client, from its accept to on_disconnect. Made by the engine only."},
    {Py_tp_dealloc, session_dealloc},
    {Py_tp_traverse, session_traverse},
    {Py_tp_clear, session_clear},
    {Py_tp_repr, session_repr},
    {Py_tp_methods, session_methods},
    {Py_tp_getset, session_getset},
    {Py_tp_members, session_members},
    {0, NULL},
};

PyType_Spec session_type_spec = {
    .name = "iocpreuse.Session",
    .basicsize = sizeof(session_object_t),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_IMMUTABLETYPE |
             Py_TPFLAGS_DISALLOW_INSTANTIATION,
    .slots = session_slots,
};
