/* options.c: the keyword arguments of Engine. iocpreuse/engine.py is their only caller, and
 * iocpreuse/options.py has checked what came from the application. */
#include "state.h"

typedef enum {
    NUMBER_U32,
    NUMBER_U64,
    NUMBER_LIMIT,  /* a uint64_t; 0 means that there is none */
    NUMBER_SECONDS /* kept as nanoseconds */
} number_kind_t;

static const struct {
    const char *name;
    number_kind_t kind;
    size_t offset;
} numbers[] = {
    {"concurrency", NUMBER_U32, offsetof(engine_options_t, concurrency)},
    {"accept_pool", NUMBER_U32, offsetof(engine_options_t, accept_pool)},
    {"accept_pool_max", NUMBER_U32, offsetof(engine_options_t, accept_pool_max)},
    {"spare_sockets", NUMBER_U32, offsetof(engine_options_t, spare_max)},
    {"quiet_time", NUMBER_SECONDS, offsetof(engine_options_t, quiet_ns)},
    {"cooling_max", NUMBER_U32, offsetof(engine_options_t, cooling_max)},
    {"max_connections", NUMBER_LIMIT, offsetof(engine_options_t, max_connections)},
    {"max_connections_per_ip", NUMBER_U32, offsetof(engine_options_t, max_connections_per_ip)},
    {"first_byte_timeout", NUMBER_SECONDS, offsetof(engine_options_t, first_byte_timeout_ns)},
    {"login_timeout", NUMBER_SECONDS, offsetof(engine_options_t, login_timeout_ns)},
    {"idle_timeout", NUMBER_SECONDS, offsetof(engine_options_t, idle_timeout_ns)},
    {"message_timeout", NUMBER_SECONDS, offsetof(engine_options_t, message_timeout_ns)},
    {"ip_prefix_4", NUMBER_U32, offsetof(engine_options_t, ip_prefix_4)},
    {"ip_prefix_6", NUMBER_U32, offsetof(engine_options_t, ip_prefix_6)},
    {"send_buffer", NUMBER_U32, offsetof(engine_options_t, listen.accepted.send_buffer)},
    {"handshake_timeout", NUMBER_SECONDS, offsetof(engine_options_t, handshake_timeout_ns)},
    {"max_handshakes", NUMBER_U32, offsetof(engine_options_t, handshakes_max)},
    {"linger", NUMBER_SECONDS, offsetof(engine_options_t, linger_ns)},
    {"read_size", NUMBER_U32, offsetof(engine_options_t, read_size)},
    {"write_high", NUMBER_U64, offsetof(engine_options_t, write_high)},
    {"write_low", NUMBER_U64, offsetof(engine_options_t, write_low)},
    {"write_limit", NUMBER_LIMIT, offsetof(engine_options_t, write_limit)},
};

/* The same, of the layer itself. */
static const struct {
    const char *name;
    size_t offset;
} seconds[] = {
    {"attach_budget", offsetof(engine_object_t, attach_budget_ns)},
    {"busy_poll", offsetof(engine_object_t, busy_poll_ns)},
};

static const struct {
    const char *name;
    size_t offset;
} flags[] = {
    {"dual_stack", offsetof(engine_options_t, listen.dual_stack)},
    {"nodelay", offsetof(engine_options_t, listen.accepted.nodelay)},
    {"recycle", offsetof(engine_options_t, recycle)},
};

static const struct {
    const char *name;
    size_t offset;
} objects[] = {
    {"sessions", offsetof(engine_object_t, sessions)},
    {"on_connect", offsetof(engine_object_t, on_connect)},
    {"on_data", offsetof(engine_object_t, on_data)},
    {"on_drain", offsetof(engine_object_t, on_drain)},
    {"on_eof", offsetof(engine_object_t, on_eof)},
    {"on_login", offsetof(engine_object_t, on_login)},
    {"on_disconnect", offsetof(engine_object_t, on_disconnect)},
    {"on_error", offsetof(engine_object_t, on_error)},
    {"on_farewell", offsetof(engine_object_t, on_farewell)},
    {"on_pool", offsetof(engine_object_t, on_pool)},
    {"on_shortage", offsetof(engine_object_t, on_shortage)},
    {"make_tls", offsetof(engine_object_t, make_tls)},
    {"tls_failed", offsetof(engine_object_t, tls_failed)},
    {"make_disconnect", offsetof(engine_object_t, make_disconnect)},
    {"plain_ends", offsetof(engine_object_t, plain_ends)},
    {"lose", offsetof(engine_object_t, lose)},
};

#define COUNT_OF(table) (sizeof(table) / sizeof((table)[0]))

/* The argument NAME, borrowed; NULL with a TypeError where it is missing. Each that is there is
 * counted in TAKEN. */
static PyObject *take(PyObject *kwargs, const char *name, Py_ssize_t *taken)
{
    PyObject *value = kwargs == NULL ? NULL : PyDict_GetItemString(kwargs, name);
    if (value == NULL) {
        PyErr_Format(PyExc_TypeError, "Engine: the argument %s is missing", name);
    }
    *taken += value != NULL;
    return value;
}

static bool put_number(void *to, number_kind_t kind, PyObject *value)
{
    double seconds = kind == NUMBER_SECONDS ? PyFloat_AsDouble(value) : 0;
    unsigned long long number = kind == NUMBER_SECONDS ? 0 : PyLong_AsUnsignedLongLong(value);
    if (PyErr_Occurred()) {
        return false;
    }
    switch (kind) {
    case NUMBER_U32:
        *(uint32_t *)to = (uint32_t)number;
        break;
    case NUMBER_U64:
        *(uint64_t *)to = number;
        break;
    case NUMBER_LIMIT:
        *(uint64_t *)to = number == 0 ? UINT64_MAX : number;
        break;
    case NUMBER_SECONDS:
        *(uint64_t *)to = (uint64_t)(seconds * 1e9);
        break;
    }
    return true;
}

static bool parse_tables(engine_object_t *self, PyObject *kwargs, engine_options_t *options,
                         Py_ssize_t *taken)
{
    for (size_t i = 0; i < COUNT_OF(numbers); i++) {
        PyObject *value = take(kwargs, numbers[i].name, taken);
        void *to = (char *)options + numbers[i].offset;
        if (value == NULL || !put_number(to, numbers[i].kind, value)) {
            return false;
        }
    }
    for (size_t i = 0; i < COUNT_OF(seconds); i++) {
        PyObject *value = take(kwargs, seconds[i].name, taken);
        if (value == NULL || !put_number((char *)self + seconds[i].offset, NUMBER_SECONDS, value)) {
            return false;
        }
    }
    for (size_t i = 0; i < COUNT_OF(flags); i++) {
        PyObject *value = take(kwargs, flags[i].name, taken);
        int truth = value == NULL ? -1 : PyObject_IsTrue(value);
        if (truth < 0) {
            return false;
        }
        *(bool *)((char *)options + flags[i].offset) = truth;
    }
    for (size_t i = 0; i < COUNT_OF(objects); i++) {
        PyObject *value = take(kwargs, objects[i].name, taken);
        if (value == NULL) {
            return false;
        }
        /* None becomes NULL: a callback that the application does not have. */
        *(PyObject **)(void *)((char *)self + objects[i].offset) =
            value == Py_None ? NULL : Py_NewRef(value);
    }
    return true;
}

static bool parse_keepalive(PyObject *object, io_sock_options_t *out)
{
    if (object == Py_None) {
        return true;
    }
    out->keepalive = true;
    return PyArg_ParseTuple(object, "III;keepalive: (idle s, interval s, count), 0 = default",
                            &out->keepalive_idle_s, &out->keepalive_interval_s,
                            &out->keepalive_count) != 0;
}

static bool parse_framing(engine_object_t *self, PyObject *object, framing_t *out)
{
    const framing_t *framing = object == Py_None ? NULL : framing_of(self->state, object);
    if (framing != NULL) {
        *out = *framing;
        self->framing = Py_NewRef(object);
    }
    return !PyErr_Occurred();
}

static bool parse_listener(PyObject *address, PyObject *handle, engine_options_t *options,
                           io_addr_t *addr)
{
    if (address != Py_None) {
        options->address = addr;
        return address_parse(address, addr);
    }
    unsigned long long number = PyLong_AsUnsignedLongLong(handle);
    options->handle = (uintptr_t)number;
    return !PyErr_Occurred();
}

/* What has a form of its own. */
static bool parse_others(engine_object_t *self, PyObject *kwargs, engine_options_t *options,
                         io_addr_t *addr, Py_ssize_t *taken)
{
    PyObject *address = take(kwargs, "address", taken);
    PyObject *handle = address == NULL ? NULL : take(kwargs, "handle", taken);
    PyObject *backlog = handle == NULL ? NULL : take(kwargs, "backlog", taken);
    PyObject *keepalive = backlog == NULL ? NULL : take(kwargs, "keepalive", taken);
    PyObject *framing = keepalive == NULL ? NULL : take(kwargs, "framing", taken);
    PyObject *wants_unsent = framing == NULL ? NULL : take(kwargs, "wants_unsent", taken);
    PyObject *native = wants_unsent == NULL ? NULL : take(kwargs, "tls_is_native", taken);
    if (native == NULL) {
        return false;
    }
    self->tls_is_native = PyObject_IsTrue(native) > 0;
    self->wants_unsent = PyObject_IsTrue(wants_unsent) > 0;
    options->listen.backlog = (int)PyLong_AsLong(backlog);
    return !PyErr_Occurred() && parse_keepalive(keepalive, &options->listen.accepted) &&
           parse_framing(self, framing, &options->framing) &&
           parse_listener(address, handle, options, addr);
}

bool options_parse(engine_object_t *self, PyObject *args, PyObject *kwargs,
                   engine_options_t *options, io_addr_t *addr)
{
    Py_ssize_t taken = 0;
    if (!parse_others(self, kwargs, options, addr, &taken) ||
        !parse_tables(self, kwargs, options, &taken)) {
        return false;
    }
    if (PyTuple_GET_SIZE(args) != 0 || taken != PyDict_Size(kwargs)) {
        PyErr_SetString(PyExc_TypeError, "Engine: arguments that it does not know");
        return false;
    }
    if (self->make_tls != NULL) {
        options->filter = self->tls_is_native ? &tls_filter : &tunnel_filter;
    }
    if (self->tls_is_native && self->state->tls == NULL) {
        PyErr_SetString(PyExc_RuntimeError, "Engine: tls_bind comes first");
        return false;
    }
    if (self->sessions == NULL || !PyDict_Check(self->sessions)) {
        PyErr_SetString(PyExc_TypeError, "Engine: sessions must be a dict");
        return false;
    }
    if (self->plain_ends == NULL || !PyTuple_Check(self->plain_ends) ||
        PyTuple_GET_SIZE(self->plain_ends) != REASON_COUNT) {
        PyErr_Format(PyExc_TypeError, "Engine: plain_ends must be a tuple of %d", REASON_COUNT);
        return false;
    }
    return true;
}
