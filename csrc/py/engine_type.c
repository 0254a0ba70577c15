/* engine_type.c: iocpreuse._engine.Engine, which the facade drives. */
#include "shortage.h"
#include "state.h"

/* The OSError for a native error: a Winsock code on Windows, errno elsewhere. */
static void set_os_error(int error)
{
#if IO_NATIVE_NTSTATUS
    PyErr_SetExcFromWindowsErr(PyExc_OSError, error);
#else
    errno = error;
    PyErr_SetFromErrno(PyExc_OSError);
#endif
}

static PyObject *engine_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    engine_object_t *self = (engine_object_t *)type->tp_alloc(type, 0);
    if (self == NULL) {
        return NULL;
    }
    self->state = PyType_GetModuleState(type);
    self->module = Py_NewRef(PyType_GetModule(type));
    engine_options_t options = {.generation = self->state->generation};
    io_addr_t addr;
    if (!options_parse(self, args, kwargs, &options, &addr)) {
        Py_DECREF(self);
        return NULL;
    }
    self->spares = self->on_data == NULL ? NULL : spares_new(&options);
    options.direct = spares_lender(self->spares);
    int status;
    Py_BEGIN_ALLOW_THREADS;
    status = engine_open(&self->engine, &options);
    Py_END_ALLOW_THREADS;
    if (status < 0) {
        if (status == ENGINE_NO_MEMORY) {
            PyErr_NoMemory();
        } else {
            set_os_error(-status);
        }
        Py_DECREF(self);
        return NULL;
    }
    return (PyObject *)self;
}

static int engine_traverse(engine_object_t *self, visitproc visit, void *arg)
{
    Py_VISIT(Py_TYPE(self));
    Py_VISIT(self->module);
    Py_VISIT(self->sessions);
    Py_VISIT(self->framing);
    Py_VISIT(self->on_connect);
    Py_VISIT(self->on_data);
    Py_VISIT(self->on_drain);
    Py_VISIT(self->on_eof);
    Py_VISIT(self->on_disconnect);
    Py_VISIT(self->on_error);
    Py_VISIT(self->make_disconnect);
    Py_VISIT(self->on_login);
    Py_VISIT(self->lose);
    Py_VISIT(self->on_pool);
    Py_VISIT(self->on_shortage);
    Py_VISIT(self->make_tls);
    Py_VISIT(self->tls_failed);
    Py_VISIT(self->plain_ends);
    Py_VISIT(self->on_farewell);
    return 0;
}

static int engine_clear(engine_object_t *self)
{
    Py_CLEAR(self->sessions);
    Py_CLEAR(self->on_connect);
    Py_CLEAR(self->on_data);
    Py_CLEAR(self->on_drain);
    Py_CLEAR(self->on_eof);
    Py_CLEAR(self->on_disconnect);
    Py_CLEAR(self->on_error);
    Py_CLEAR(self->make_disconnect);
    Py_CLEAR(self->on_login);
    Py_CLEAR(self->lose);
    Py_CLEAR(self->on_pool);
    Py_CLEAR(self->on_shortage);
    Py_CLEAR(self->make_tls);
    Py_CLEAR(self->tls_failed);
    Py_CLEAR(self->plain_ends);
    Py_CLEAR(self->on_farewell);
    return 0;
}

/* The threads' bodies hold references, so an engine that serves is never freed; one that was
 * started and lost its threads leaks on purpose, because the kernel owns parts of it. */
static void engine_free(engine_object_t *self)
{
    if (self->engine == NULL) {
        return;
    }
    if (atomic_u32_load(&self->started) != 0 && atomic_u32_load(&self->stopped) == 0) {
        if (PyErr_ResourceWarning(NULL, 1, "an engine was dropped without stop(): it leaks") < 0) {
            PyErr_WriteUnraisable(NULL);
        }
        return;
    }
    engine_close(self->engine);
    self->engine = NULL;
}

/* After the engine, which has given back all that it had borrowed; never before it. */
static void free_spares(engine_object_t *self)
{
    if (self->spares != NULL && self->engine == NULL) {
        spares_free(self->spares);
        self->spares = NULL;
    }
}

static void engine_dealloc(engine_object_t *self)
{
    PyTypeObject *type = Py_TYPE(self);
    PyObject_GC_UnTrack(self);
    engine_free(self);
    free_spares(self);
    (void)engine_clear(self);
    Py_CLEAR(self->framing);
    Py_CLEAR(self->module);
    type->tp_free(self);
    Py_DECREF(type);
}

static PyObject *engine_type_start(engine_object_t *self, PyObject *unused)
{
    (void)unused;
    if (atomic_u32_exchange(&self->started, 1) != 0) {
        PyErr_SetString(PyExc_RuntimeError, "the engine is started already");
        return NULL;
    }
    Py_BEGIN_ALLOW_THREADS;
    engine_start(self->engine);
    Py_END_ALLOW_THREADS;
    Py_RETURN_NONE;
}

static PyObject *engine_type_open_pool(engine_object_t *self, PyObject *unused)
{
    (void)unused;
    Py_BEGIN_ALLOW_THREADS;
    engine_open_pool(self->engine);
    Py_END_ALLOW_THREADS;
    Py_RETURN_NONE;
}

static PyObject *engine_type_work(engine_object_t *self, PyObject *unused)
{
    (void)unused;
    return worker_run(self);
}

/* Tells the facade that the pool has another size. */
static void tell_pool(engine_object_t *self, uint32_t size)
{
    PyObject *result = PyObject_CallFunction(self->on_pool, "I", size);
    if (result == NULL) {
        PyErr_WriteUnraisable(self->on_pool);
    }
    Py_XDECREF(result);
}

/* Tells the facade of a shortage. */
static void tell_shortage(engine_object_t *self, shortage_t *shortage, shortage_news_t news)
{
    static const char *const stages[] = {NULL, "begins", "lasts", "over"};
    PyObject *result = PyObject_CallFunction(
        self->on_shortage, "sKid", stages[news], (unsigned long long)shortage->told,
        shortage->error, (double)(shortage->last_ns - shortage->since_ns) / 1e9);
    if (result == NULL) {
        PyErr_WriteUnraisable(self->on_shortage);
    }
    Py_XDECREF(result);
}

static PyObject *engine_type_manage(engine_object_t *self, PyObject *unused)
{
    (void)unused;
    uint32_t told = engine_pool_size(self->engine);
    shortage_t shortage = {0};
    bool more = true;
    while (more) {
        uint32_t size;
        shortage_news_t news;
        Py_BEGIN_ALLOW_THREADS;
        do {
            more = engine_manage(self->engine);
            size = engine_pool_size(self->engine);
            news = shortage_look(&shortage, self->engine);
        } while (more && size == told && news == SHORTAGE_NO_NEWS);
        Py_END_ALLOW_THREADS;
        if (size != told) {
            told = size;
            tell_pool(self, size);
        }
        if (news != SHORTAGE_NO_NEWS) {
            tell_shortage(self, &shortage, news);
        }
    }
    atomic_u32_store(&self->stopped, 1);
    Py_RETURN_NONE;
}

/* When all threads have ended: without the callbacks, and so without a reference cycle through
 * the server, reference counting alone frees everything. The application's threads may still be
 * about to call what is forgotten here. */
static PyObject *engine_type_forget(engine_object_t *self, PyObject *unused)
{
    (void)unused;
    Py_BEGIN_CRITICAL_SECTION(self);
    (void)engine_clear(self);
    Py_END_CRITICAL_SECTION();
    Py_RETURN_NONE;
}

/* In a forked child: the threads are not there, and the sockets are the parent's. */
static PyObject *engine_type_disown(engine_object_t *self, PyObject *unused)
{
    (void)unused;
    engine_disown(self->engine);
    if (self->spares != NULL) {
        spares_disown(self->spares);
    }
    atomic_u32_store(&self->stopped, 1);
    Py_RETURN_NONE;
}

static PyObject *engine_type_stop(engine_object_t *self, PyObject *drain)
{
    double seconds = PyFloat_AsDouble(drain);
    if (seconds == -1.0 && PyErr_Occurred()) {
        return NULL;
    }
    /* A century is as good as for ever, and fits in the clock. */
    if (!(seconds <= 3.0e9)) {
        seconds = 3.0e9;
    }
    engine_stop(self->engine, seconds <= 0 ? 0 : (uint64_t)(seconds * 1e9));
    Py_RETURN_NONE;
}

static PyObject *engine_type_pause(engine_object_t *self, PyObject *paused)
{
    int truth = PyObject_IsTrue(paused);
    if (truth < 0) {
        return NULL;
    }
    engine_pause(self->engine, truth);
    Py_RETURN_NONE;
}

/* What is told where the session is not at hand: whether the client is still there. */
static PyObject *result_by_id(engine_object_t *self, token_t token, call_t result)
{
    if (result == CALL_FULL) {
        Py_RETURN_TRUE;
    }
    if (result == CALL_CLOSED || result == CALL_STALE) {
        Py_RETURN_FALSE;
    }
    return sending_result(self->state, token, result);
}

static PyObject *engine_type_send(engine_object_t *self, PyObject *const *args, Py_ssize_t count)
{
    if (count < 1) {
        PyErr_SetString(PyExc_TypeError, "send(to, *data): to is missing");
        return NULL;
    }
    unsigned long long token = PyLong_AsUnsignedLongLong(args[0]);
    if (PyErr_Occurred()) {
        return NULL;
    }
    call_t result;
    bool asked = sending_queue(self, token, args + 1, count - 1, &result);
    return asked ? result_by_id(self, token, result) : NULL;
}

/* The framing of the session with this ID; the server's, where there is none. */
static PyObject *framing_by_id(engine_object_t *self, PyObject *id)
{
    PyObject *sessions = engine_hook(self, &self->sessions);
    PyObject *session = sessions == NULL ? NULL : PyObject_GetItem(sessions, id);
    Py_XDECREF(sessions);
    if (session == NULL) {
        if (PyErr_Occurred() && !PyErr_ExceptionMatches(PyExc_KeyError)) {
            return NULL;
        }
        PyErr_Clear();
        return Py_NewRef(self->framing == NULL ? Py_None : self->framing);
    }
    PyObject *framing = session_framing((session_object_t *)session, NULL);
    Py_DECREF(session);
    return framing;
}

static PyObject *engine_type_send_message(engine_object_t *self, PyObject *const *args,
                                          Py_ssize_t count)
{
    if (count != 2) {
        PyErr_SetString(PyExc_TypeError, "send_message(to, message) takes two arguments");
        return NULL;
    }
    unsigned long long token = PyLong_AsUnsignedLongLong(args[0]);
    if (PyErr_Occurred()) {
        return NULL;
    }
    PyObject *framing = framing_by_id(self, args[0]);
    if (framing == NULL) {
        return NULL;
    }
    call_t result;
    bool asked = sending_queue_message(self, token, framing, args[1], &result);
    Py_DECREF(framing);
    return asked ? result_by_id(self, token, result) : NULL;
}

static PyObject *engine_type_broadcast(engine_object_t *self, PyObject *const *args,
                                       Py_ssize_t count)
{
    if (count != 2) {
        PyErr_SetString(PyExc_TypeError, "broadcast(data, to) takes two arguments");
        return NULL;
    }
    return broadcasting_send(self, args[0], args[1]);
}

/* The Session that has this name, or None. */
static PyObject *engine_type_named(engine_object_t *self, PyObject *net_id)
{
    PyObject *session = naming_find(self, net_id);
    return session != NULL || PyErr_Occurred() ? session : Py_NewRef(Py_None);
}

static PyObject *engine_type_count_named(engine_object_t *self, PyObject *unused)
{
    (void)unused;
    return PyLong_FromUnsignedLong(engine_count_names(self->engine));
}

static PyObject *engine_type_all_named(engine_object_t *self, PyObject *unused)
{
    (void)unused;
    return naming_dict(self);
}

static PyObject *engine_type_is_worker(engine_object_t *self, PyObject *unused)
{
    (void)unused;
    return PyBool_FromLong(roster_batch(self) != NULL);
}

static PyObject *engine_type_stats(engine_object_t *self, PyObject *unused)
{
    (void)unused;
    return stats_dict(self);
}

static PyObject *engine_type_address(engine_object_t *self, void *closure)
{
    (void)closure;
    io_addr_t addr;
    int status = engine_address(self->engine, &addr);
    if (status < 0) {
        set_os_error(-status);
        return NULL;
    }
    return address_tuple(self->state, &addr);
}

static PyObject *engine_type_recycling(engine_object_t *self, void *closure)
{
    (void)closure;
    switch (engine_recycling(self->engine)) {
    case RECYCLING_OFF:
        break;
    case RECYCLING_UNSUPPORTED:
        return PyUnicode_FromString("unsupported");
    case RECYCLING_VERIFIED:
        return PyUnicode_FromString("verified");
    }
    return PyUnicode_FromString("off");
}

#define METHOD(name, flags) {#name, (PyCFunction)(void (*)(void))engine_type_##name, flags, NULL}

static PyMethodDef engine_methods[] = {
    METHOD(start, METH_NOARGS),
    METHOD(open_pool, METH_NOARGS),
    METHOD(work, METH_NOARGS),
    METHOD(manage, METH_NOARGS),
    METHOD(forget, METH_NOARGS),
    METHOD(disown, METH_NOARGS),
    METHOD(stop, METH_O),
    METHOD(send, METH_FASTCALL),
    METHOD(send_message, METH_FASTCALL),
    METHOD(broadcast, METH_FASTCALL),
    METHOD(is_worker, METH_NOARGS),
    METHOD(named, METH_O),
    METHOD(count_named, METH_NOARGS),
    METHOD(all_named, METH_NOARGS),
    METHOD(stats, METH_NOARGS),
    METHOD(pause, METH_O),
    {NULL, NULL, 0, NULL},
};

static PyGetSetDef engine_getset[] = {
    {"address", (getter)engine_type_address, NULL, NULL, NULL},
    {"recycling", (getter)engine_type_recycling, NULL, NULL, NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyType_Slot engine_slots[] = {
    {Py_tp_doc, "One completion port with its listener, slots and accept pool."},
    {Py_tp_new, engine_new},
    {Py_tp_dealloc, engine_dealloc},
    {Py_tp_traverse, engine_traverse},
    {Py_tp_clear, engine_clear},
    {Py_tp_methods, engine_methods},
    {Py_tp_getset, engine_getset},
    {0, NULL},
};

PyType_Spec engine_type_spec = {
    .name = "iocpreuse._engine.Engine",
    .basicsize = sizeof(engine_object_t),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = engine_slots,
};
