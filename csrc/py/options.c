#include "state.h"

/* None becomes NULL: a callback that the application does not have. */
static PyObject *callback(PyObject *object)
{
    return object == Py_None ? NULL : Py_NewRef(object);
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

bool options_parse(engine_object_t *self, PyObject *args, PyObject *kwargs,
                   engine_options_t *options, io_addr_t *addr)
{
    static char *names[] = {
        "address",
        "handle",
        "backlog",
        "dual_stack",
        "concurrency",
        "accept_pool",
        "accept_pool_max",
        "recycle",
        "cooling_max",
        "max_connections",
        "nodelay",
        "keepalive",
        "read_size",
        "write_high",
        "write_low",
        "write_limit",
        "sessions",
        "on_connect",
        "on_data",
        "on_drain",
        "on_eof",
        "on_disconnect",
        "on_error",
        "make_disconnect",
        "connected_only",
        "on_login",
        "login",
        "logout",
        "begin",
        "lose",
        "on_pool",
        "on_farewell",
        "wants_unsent",
        "max_connections_per_ip",
        "first_byte_timeout",
        "login_timeout",
        "idle_timeout",
        NULL,
    };
    double first_byte_timeout, login_timeout, idle_timeout;
    PyObject *address, *handle, *keepalive, *sessions;
    PyObject *connected_only, *on_login, *login, *logout, *begin, *lose, *on_pool, *on_farewell;
    PyObject *on_connect, *on_data, *on_drain, *on_eof, *on_disconnect, *on_error, *make_disconnect;
    int dual_stack, recycle, nodelay, wants_unsent;
    unsigned long long max_connections, write_high, write_low, write_limit;
    if (!PyArg_ParseTupleAndKeywords(
            args, kwargs, "$OOipIIIpIKpOIKKKO!OOOOOOOO!OOOOOOOpIddd", names, &address, &handle,
            &options->listen.backlog, &dual_stack, &options->concurrency, &options->accept_pool,
            &options->accept_pool_max, &recycle, &options->cooling_max, &max_connections, &nodelay,
            &keepalive, &options->read_size, &write_high, &write_low, &write_limit, &PyDict_Type,
            &sessions, &on_connect, &on_data, &on_drain, &on_eof, &on_disconnect, &on_error,
            &make_disconnect, &PyDict_Type, &connected_only, &on_login, &login, &logout, &begin,
            &lose, &on_pool, &on_farewell, &wants_unsent, &options->max_connections_per_ip,
            &first_byte_timeout, &login_timeout, &idle_timeout)) {
        return false;
    }
    options->listen.dual_stack = dual_stack;
    options->listen.accepted.nodelay = nodelay;
    options->recycle = recycle;
    options->max_connections = max_connections == 0 ? UINT64_MAX : max_connections;
    options->first_byte_timeout_ns = (uint64_t)(first_byte_timeout * 1e9);
    options->login_timeout_ns = (uint64_t)(login_timeout * 1e9);
    options->idle_timeout_ns = (uint64_t)(idle_timeout * 1e9);
    options->write_high = write_high;
    options->write_low = write_low;
    options->write_limit = write_limit == 0 ? UINT64_MAX : write_limit;
    self->sessions = Py_NewRef(sessions);
    self->on_connect = callback(on_connect);
    self->on_data = callback(on_data);
    self->on_drain = callback(on_drain);
    self->on_eof = callback(on_eof);
    self->on_disconnect = callback(on_disconnect);
    self->on_error = Py_NewRef(on_error);
    self->make_disconnect = Py_NewRef(make_disconnect);
    self->connected_only = Py_NewRef(connected_only);
    self->on_login = callback(on_login);
    self->login = Py_NewRef(login);
    self->logout = Py_NewRef(logout);
    self->begin = Py_NewRef(begin);
    self->lose = Py_NewRef(lose);
    self->on_pool = Py_NewRef(on_pool);
    self->on_farewell = Py_NewRef(on_farewell);
    self->wants_unsent = wants_unsent;
    return parse_keepalive(keepalive, &options->listen.accepted) &&
           parse_listener(address, handle, options, addr);
}
