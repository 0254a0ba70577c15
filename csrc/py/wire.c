/* wire.c: a session's filter as this layer has it. */
#include "wire.h"

#include "state.h"

/* How the objects of _ssl begin, behind what all objects have. CPython does not promise it: what
 * stands in CONTEXT proves it, before SSL is touched. */
typedef struct {
    PyObject_HEAD PyObject *socket;
    SSL *ssl;
    PyObject *context;
} ssl_socket_t;

typedef struct {
    PyObject_HEAD SSL_CTX *ctx;
} ssl_context_t;

static PyObject *refuse(const char *what)
{
    PyErr_Format(PyExc_RuntimeError, "this interpreter's ssl objects are not laid out as known: %s",
                 what);
    return NULL;
}

/* The SSL in OBJECT, an SSLObject; NULL with an exception. */
static SSL *find_ssl(const tls_library_t *library, PyObject *object)
{
    PyObject *inner = PyObject_GetAttrString(object, "_sslobj");
    PyObject *context = inner == NULL ? NULL : PyObject_GetAttrString(object, "context");
    SSL *ssl = NULL;
    if (context != NULL) {
        const ssl_socket_t *socket = (ssl_socket_t *)(void *)inner;
        const ssl_context_t *known = (ssl_context_t *)(void *)context;
        if (Py_TYPE(inner)->tp_basicsize < (Py_ssize_t)sizeof *socket ||
            strcmp(Py_TYPE(inner)->tp_name, "_ssl._SSLSocket") != 0) {
            refuse("their size");
        } else if (socket->context != context || socket->ssl == NULL) {
            refuse("the place of the context");
        } else if (library->calls.SSL_get_SSL_CTX(socket->ssl) != known->ctx) {
            refuse("the place of the SSL");
        } else {
            ssl = socket->ssl;
        }
    }
    Py_XDECREF(context);
    Py_XDECREF(inner);
    return ssl;
}

wire_t *wire_new(const tls_library_t *library, PyObject *made)
{
    wire_t *wire = PyMem_RawCalloc(1, sizeof *wire);
    if (wire == NULL) {
        PyErr_NoMemory();
        return NULL;
    }
    if (library == NULL) {
        wire->tunnel = Py_NewRef(made);
        return wire;
    }
    SSL *ssl = find_ssl(library, made);
    if (ssl == NULL || !tls_attach(&wire->tls, library, ssl)) {
        PyMem_RawFree(wire);
        return ssl == NULL ? NULL : (wire_t *)(void *)PyErr_NoMemory();
    }
    wire->ssl_object = Py_NewRef(made);
    return wire;
}

void wire_free(wire_t *wire)
{
    if (wire == NULL) {
        return;
    }
    if (wire->ssl_object != NULL) {
        tls_detach(&wire->tls);
    }
    Py_XDECREF(wire->ssl_object);
    Py_XDECREF(wire->tunnel);
    PyMem_RawFree(wire);
}

PyObject *wire_ssl_object(const wire_t *wire)
{
    return wire->tunnel == NULL ? Py_NewRef(wire->ssl_object)
                                : PyObject_GetAttrString(wire->tunnel, "ssl_object");
}

PyObject *wire_error(const wire_t *wire)
{
    if (wire->tunnel != NULL) {
        return PyObject_GetAttrString(wire->tunnel, "error");
    }
    const tls_error_t *error = &wire->tls.error;
    const char *verify = NULL;
    if (error->verify != 0) {
        verify = wire->tls.library->calls.X509_verify_cert_error_string(error->verify);
    }
    if (error->code == 0 && verify == NULL) {
        Py_RETURN_NONE;
    }
    return Py_BuildValue("kzzlz", error->code, error->library, error->reason, error->verify,
                         verify);
}

/* Copies what TOLD, the answer of the tunnel's step, has: (result, in, plain, out, more). */
static filter_result_t read_answer(step_t *step, PyObject *told)
{
    int result;
    int more;
    Py_ssize_t taken;
    const char *plain;
    const char *out;
    Py_ssize_t plain_len;
    Py_ssize_t out_len;
    if (!PyArg_ParseTuple(told, "iny#y#p", &result, &taken, &plain, &plain_len, &out, &out_len,
                          &more) ||
        taken > (Py_ssize_t)step->in_len || plain_len > (Py_ssize_t)step->room) {
        return FILTER_NO_MEMORY;
    }
    step->in += taken;
    step->in_len -= (uint32_t)taken;
    if (plain_len > 0) {
        memcpy(step->plain, plain, (size_t)plain_len);
    }
    step->len = (uint32_t)plain_len;
    step->more = more != 0;
    return filter_put(step, out, (size_t)out_len) ? (filter_result_t)result : FILTER_NO_MEMORY;
}

/* Has the tunnel make the step that KIND names, of LEN bytes of DATA. A worker's thread takes the
 * interpreter for it, whether it has it or not. */
static filter_result_t ask(void *self, step_t *step, const char *kind, const char *data,
                           uint32_t len)
{
    const wire_t *wire = self;
    PyGILState_STATE gil = PyGILState_Ensure();
    PyObject *told = PyObject_CallMethod(wire->tunnel, kind, "y#n", data == NULL ? "" : data,
                                         (Py_ssize_t)len, (Py_ssize_t)step->room);
    filter_result_t result = FILTER_NO_MEMORY;
    if (told != NULL && PyTuple_Check(told)) {
        result = read_answer(step, told);
    }
    Py_XDECREF(told);
    if (PyErr_Occurred()) {
        if (!PyErr_ExceptionMatches(PyExc_MemoryError)) {
            PyErr_WriteUnraisable(wire->tunnel);
        }
        PyErr_Clear();
    }
    PyGILState_Release(gil);
    return result;
}

static filter_result_t tunnel_open(void *self, step_t *step)
{
    return ask(self, step, "open", step->in, step->in_len);
}

static filter_result_t tunnel_feed(void *self, step_t *step)
{
    return ask(self, step, "feed", step->in, step->in_len);
}

static filter_result_t tunnel_seal(void *self, step_t *step)
{
    return ask(self, step, "seal", step->data, step->data_len);
}

static filter_result_t tunnel_shut(void *self, step_t *step)
{
    return ask(self, step, "shut", NULL, 0);
}

const filter_type_t tunnel_filter = {
    TLS_RECORD_MAX, sizeof(chunk_t) + TLS_RECORD_MAX + TLS_RECORD_MORE,
    tunnel_open,    tunnel_feed,
    tunnel_seal,    tunnel_shut};

static PyObject *tls_names(PyObject *module, PyObject *unused)
{
    (void)module;
    (void)unused;
    PyObject *names = PyList_New(0);
    const char *name;
    for (size_t i = 0; names != NULL && (name = tls_library_name(i)) != NULL; i++) {
        PyObject *text = PyUnicode_FromString(name);
        if (text == NULL || PyList_Append(names, text) < 0) {
            Py_CLEAR(names);
        }
        Py_XDECREF(text);
    }
    return names;
}

static PyObject *tls_bind(PyObject *module, PyObject *addresses)
{
    module_state_t *state = PyModule_GetState(module);
    if (state->tls != NULL) {
        Py_RETURN_NONE;
    }
    /* Never freed: SSL objects that have one of its BIOs may outlive this module. */
    tls_library_t *library = PyMem_RawCalloc(1, sizeof *library);
    if (library == NULL) {
        return PyErr_NoMemory();
    }
    for (size_t i = 0; tls_library_name(i) != NULL; i++) {
        PyObject *number = PySequence_GetItem(addresses, (Py_ssize_t)i);
        void *address = number == NULL ? NULL : PyLong_AsVoidPtr(number);
        Py_XDECREF(number);
        if (address == NULL) {
            PyMem_RawFree(library);
            return PyErr_Occurred() ? NULL : refuse("a function is missing");
        }
        tls_library_set(library, i, address);
    }
    if (!tls_library_open(library)) {
        PyMem_RawFree(library);
        return PyErr_NoMemory();
    }
    state->tls = library;
    Py_RETURN_NONE;
}

static const char capsule_name[] = "iocpreuse.wire";

static void free_capsule(PyObject *capsule)
{
    wire_free(PyCapsule_GetPointer(capsule, capsule_name));
}

static PyObject *tls_wrap(PyObject *module, PyObject *ssl_object)
{
    module_state_t *state = PyModule_GetState(module);
    if (state->tls == NULL) {
        return refuse("tls_bind comes first");
    }
    wire_t *wire = wire_new(state->tls, ssl_object);
    PyObject *capsule = wire == NULL ? NULL : PyCapsule_New(wire, capsule_name, free_capsule);
    if (capsule == NULL) {
        wire_free(wire);
    }
    return capsule;
}

static PyObject *gather(outbox_t *out)
{
    PyObject *bytes = PyBytes_FromStringAndSize(NULL, 0);
    io_buf_t bufs[IO_SEND_BUFS_MAX];
    uint32_t count = outbox_gather(out, bufs, IO_SEND_BUFS_MAX);
    for (uint32_t i = 0; bytes != NULL && i < count; i++) {
        PyBytes_ConcatAndDel(
            &bytes, PyBytes_FromStringAndSize(io_buf_data(&bufs[i]), io_buf_len(&bufs[i])));
    }
    return bytes;
}

/* One step of the native filter, for the probe: (wire, "open" | "feed" | "seal" | "shut", data). */
static PyObject *tls_step(PyObject *module, PyObject *args)
{
    (void)module;
    PyObject *capsule;
    const char *kind;
    const char *data;
    Py_ssize_t len;
    if (!PyArg_ParseTuple(args, "Osy#", &capsule, &kind, &data, &len)) {
        return NULL;
    }
    wire_t *wire = PyCapsule_GetPointer(capsule, capsule_name);
    if (wire == NULL) {
        return NULL;
    }
    char plain[TLS_RECORD_MAX];
    slab_t slab;
    slab_init(&slab, SLAB_CHUNKS, tls_filter.chunk_size, UINT32_MAX);
    step_t step = {.in = data,
                   .in_len = (uint32_t)len,
                   .plain = plain,
                   .room = sizeof plain,
                   .data = data,
                   .data_len = (uint32_t)len,
                   .chunks = &slab};
    filter_result_t (*function)(void *, step_t *) = kind[0] == 'o'   ? tls_filter.open
                                                    : kind[0] == 'f' ? tls_filter.feed
                                                    : kind[1] == 'e' ? tls_filter.seal
                                                                     : tls_filter.shut;
    filter_result_t result;
    Py_BEGIN_ALLOW_THREADS;
    result = function(wire, &step);
    Py_END_ALLOW_THREADS;
    PyObject *out = gather(&step.out);
    outbox_clear(&step.out, &slab, NULL);
    slab_destroy(&slab);
    return out == NULL ? NULL
                       : Py_BuildValue("iy#N", (int)result, plain, (Py_ssize_t)step.len, out);
}

PyMethodDef wire_functions[] = {
    {"tls_names", tls_names, METH_NOARGS, NULL},
    {"tls_bind", tls_bind, METH_O, NULL},
    {"tls_wrap", tls_wrap, METH_O, NULL},
    {"tls_step", tls_step, METH_VARARGS, NULL},
    {NULL, NULL, 0, NULL},
};
