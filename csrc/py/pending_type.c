/* pending_type.c: iocpreuse.Pending, a request that somebody works on: an engine's request, with
 * what the application keeps with it.
 *
 * While the request is open, the engine's list of it counts as a reference. It is let go where the
 * engine says that the request has ended, which it says once, to one caller; never under a lock. */
#include "state.h"

#include <structmember.h>

typedef struct {
    PyObject_HEAD engine_object_t *engine;
    request_t request;
    PyObject *tag;
    PyObject *asked; /* the request, as the application has noted it */
    PyObject *weakrefs;
} pending_object_t;

#define PENDING_OF(of) LIST_ENTRY(of, pending_object_t, request)

PyObject *pending_begin(session_object_t *session, PyObject *tag, PyObject *asked)
{
    engine_object_t *engine = session->engine;
    PyTypeObject *type = engine->state->pending_type;
    pending_object_t *self = (pending_object_t *)type->tp_alloc(type, 0);
    if (self == NULL) {
        return NULL;
    }
    self->engine = (engine_object_t *)Py_NewRef(engine);
    self->tag = Py_NewRef(tag);
    self->asked = Py_NewRef(asked);
    request_init(&self->request);
    Py_INCREF(self); /* the list's */
    call_t result = engine_begin_request(engine->engine, session->token, &self->request);
    if (result != CALL_OK) {
        Py_DECREF(self);
        Py_DECREF(self);
        return sending_result(engine->state, session->token, CALL_CLOSED);
    }
    return (PyObject *)self;
}

PyObject *pending_list_lost(const event_t *event, size_t count)
{
    PyObject *lost = PyTuple_New((Py_ssize_t)count);
    if (lost == NULL) {
        return NULL;
    }
    request_t *request = engine_lost_request(event);
    for (size_t i = 0; i < count; i++, request = request->next) {
        PyTuple_SET_ITEM(lost, (Py_ssize_t)i, Py_NewRef((PyObject *)PENDING_OF(request)));
    }
    return lost;
}

void pending_pass_on(engine_object_t *self, const event_t *event, token_t heir)
{
    request_t *request;
    while ((request = engine_lost_request(event)) != NULL) {
        sendq_t kept;
        handover_t handover =
            engine_pass_on(self->engine, request, heir, roster_batch(self), &kept);
        sending_release(self, &kept);
        if (handover != HANDOVER_OPEN) {
            Py_DECREF(PENDING_OF(request)); /* the list's */
        }
    }
}

static int pending_traverse(pending_object_t *self, visitproc visit, void *arg)
{
    Py_VISIT(Py_TYPE(self));
    Py_VISIT(self->engine);
    Py_VISIT(self->tag);
    Py_VISIT(self->asked);
    return 0;
}

static int pending_clear(pending_object_t *self)
{
    Py_CLEAR(self->tag);
    Py_CLEAR(self->asked);
    return 0;
}

static void pending_dealloc(pending_object_t *self)
{
    PyTypeObject *type = Py_TYPE(self);
    PyObject_GC_UnTrack(self);
    if (self->weakrefs != NULL) {
        PyObject_ClearWeakRefs((PyObject *)self);
    }
    (void)pending_clear(self);
    Py_CLEAR(self->engine);
    type->tp_free(self);
    Py_DECREF(type);
}

static token_t get_owner(pending_object_t *self)
{
    return atomic_u64_load(&self->request.owner);
}

static PyObject *pending_repr(pending_object_t *self)
{
    static const char *const states[] = {
        [REQUEST_OPEN] = "open", [REQUEST_ANSWERED] = "answered", [REQUEST_ABORTED] = "aborted"};
    PyObject *tag = PyObject_GetAttrString((PyObject *)self, "tag");
    PyObject *id = PyLong_FromUnsignedLongLong(get_owner(self));
    PyObject *hex = id == NULL ? NULL : PyNumber_ToBase(id, 16);
    PyObject *repr = NULL;
    if (tag != NULL && hex != NULL) {
        repr = PyUnicode_FromFormat("<Pending %R for %U %s>", tag, hex,
                                    states[request_state(&self->request)]);
    }
    Py_XDECREF(tag);
    Py_XDECREF(id);
    Py_XDECREF(hex);
    return repr;
}

static PyObject *refuse(pending_object_t *self, const char *format)
{
    PyErr_Format(self->engine->state->server_state_error, format, self);
    return NULL;
}

static PyObject *reply_result(pending_object_t *self, reply_t reply, call_t why, token_t owner)
{
    switch (reply) {
    case REPLY_SENT:
        Py_DECREF(self); /* the list's; the caller has one more */
        Py_RETURN_TRUE;
    case REPLY_PASSED:
        Py_RETURN_TRUE;
    case REPLY_WAITS:
    case REPLY_ABORTED:
        Py_RETURN_FALSE;
    case REPLY_REFUSED:
        return sending_result(self->engine->state, owner, why);
    case REPLY_TWICE:
        return refuse(self, "%R cannot be answered twice");
    case REPLY_DISOWNED:
        return refuse(self, "%R is another process's, from which this one was forked");
    case REPLY_MOVED:
        break;
    }
    Py_UNREACHABLE();
}

static PyObject *pending_reply(pending_object_t *self, PyObject *data)
{
    engine_object_t *engine = self->engine;
    sendq_t answer;
    if (!sending_chain(engine, &data, 1, &answer)) {
        return NULL;
    }
    call_t why = CALL_OK;
    token_t owner = TOKEN_NONE;
    batch_t *batch = roster_batch(engine);
    reply_t reply;
    if (sending_is_long(&answer)) {
        Py_BEGIN_ALLOW_THREADS;
        reply = engine_reply(engine->engine, &self->request, &answer, batch, &why, &owner);
        Py_END_ALLOW_THREADS;
    } else {
        reply = engine_reply(engine->engine, &self->request, &answer, batch, &why, &owner);
    }
    sending_release(engine, &answer);
    return reply_result(self, reply, why, owner);
}

static PyObject *pending_handoff(pending_object_t *self, PyObject *to)
{
    engine_object_t *engine = self->engine;
    token_t token;
    if (!naming_who(engine, to, &token)) {
        return NULL;
    }
    handover_t handover = HANDOVER_NONE;
    if (token != TOKEN_NONE) {
        handover = engine_hand_over(engine->engine, &self->request, token, roster_batch(engine));
    }
    if (handover == HANDOVER_ANSWERED) {
        Py_DECREF(self); /* the list's */
    }
    return PyBool_FromLong(handover != HANDOVER_NONE);
}

static PyObject *pending_session_id(pending_object_t *self, void *closure)
{
    (void)closure;
    return PyLong_FromUnsignedLongLong(get_owner(self));
}

static PyObject *pending_aborted(pending_object_t *self, void *closure)
{
    (void)closure;
    return PyBool_FromLong(request_state(&self->request) == REQUEST_ABORTED);
}

PyDoc_STRVAR(
    pending_doc,
    "A request the application is still working on when its client may already be gone.\n\n"
    "Session.begin makes one; tag and request are the application's own. aborted is True\n"
    "once it is certain that nobody gets the answer.");
PyDoc_STRVAR(
    reply_doc,
    "reply(data: Buffer) -> bool\n--\n\n"
    "Answer it: DATA goes to its client. Any thread.\n\n"
    "False once that client is going, and then not a byte is sent to it or to a stranger:\n"
    "either on_abort hands the request to another session, or it is aborted. Until one of\n"
    "them has come, the first answer is kept: the session that takes the request over gets\n"
    "it at once, and the next reply() says so with True, and sends nothing.\n"
    "An answered request is closed; a second reply is a ServerStateError. Raises what\n"
    "Session.send raises of a client that is there; the request stays open then.");
PyDoc_STRVAR(handoff_doc,
             "handoff(to: Session | NetId) -> bool\n--\n\n"
             "Make another session the one that gets the answer. Any thread.\n\n"
             "False if that one is not there, or the request has ended, or is just being told to\n"
             "on_abort; then nothing has changed.");

static PyMethodDef pending_methods[] = {
    {"reply", (PyCFunction)pending_reply, METH_O, reply_doc},
    {"handoff", (PyCFunction)pending_handoff, METH_O, handoff_doc},
    {NULL, NULL, 0, NULL},
};

static PyGetSetDef pending_getset[] = {
    {"session_id", (getter)pending_session_id, NULL,
     "Whose answer it is: another one's after a hand-off.", NULL},
    {"aborted", (getter)pending_aborted, NULL, "Whether it is certain that nobody gets the answer.",
     NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyMemberDef pending_members[] = {
    {"tag", T_OBJECT_EX, offsetof(pending_object_t, tag), 0, "The application's own."},
    {"request", T_OBJECT_EX, offsetof(pending_object_t, asked), 0, "The application's own."},
    {"__weaklistoffset__", T_PYSSIZET, offsetof(pending_object_t, weakrefs), READONLY, NULL},
    {NULL, 0, 0, 0, NULL},
};

static PyType_Slot pending_slots[] = {
    {Py_tp_doc, (void *)pending_doc},
    {Py_tp_dealloc, pending_dealloc},
    {Py_tp_traverse, pending_traverse},
    {Py_tp_clear, pending_clear},
    {Py_tp_repr, pending_repr},
    {Py_tp_methods, pending_methods},
    {Py_tp_getset, pending_getset},
    {Py_tp_members, pending_members},
    {0, NULL},
};

PyType_Spec pending_type_spec = {
    .name = "iocpreuse.Pending",
    .basicsize = sizeof(pending_object_t),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_IMMUTABLETYPE |
             Py_TPFLAGS_DISALLOW_INSTANTIATION,
    .slots = pending_slots,
};
