#include "state.h"

/* Adds NUMBER to DICT as NAME; false with an exception. */
static bool put(PyObject *dict, const char *name, uint64_t number)
{
    PyObject *value = PyLong_FromUnsignedLongLong(number);
    bool good = value != NULL && PyDict_SetItemString(dict, name, value) == 0;
    Py_XDECREF(value);
    return good;
}

/* Only the causes that occurred. */
static PyObject *causes(const engine_stats_t *stats)
{
    PyObject *dict = PyDict_New();
    for (int i = 0; dict != NULL && i < CAUSE_COUNT; i++) {
        uint64_t count = stats->replaced_by_cause[i];
        if (count != 0 && !put(dict, cause_name((cause_t)i), count)) {
            Py_CLEAR(dict);
        }
    }
    return dict;
}

PyObject *stats_dict(engine_object_t *self)
{
    engine_stats_t stats;
    engine_stats(self->engine, &stats);
    const struct {
        const char *name;
        uint64_t number;
    } fields[] = {
        {"connections_active", stats.connections_active},
        {"connections_total", stats.connections_total},
        {"accepts_pending", stats.accepts_pending},
        {"accept_errors", stats.accept_errors},
        {"accept_pool_grown", stats.accept_pool_grown},
        {"accept_pool_shrunk", stats.accept_pool_shrunk},
        {"sockets_created", stats.sockets_created},
        {"sockets_recycled", stats.sockets_recycled},
        {"sockets_replaced", stats.sockets_replaced},
        {"sockets_cooling", stats.sockets_cooling},
        {"bytes_received", stats.bytes_received},
        {"bytes_sent", stats.bytes_sent},
        {"send_queue_bytes", stats.send_queue_bytes},
        {"completions", stats.completions},
        {"batches", stats.batches},
        {"callback_errors", atomic_u64_load(&self->callback_errors)},
        {"stale_sends_blocked", stats.stale_sends_blocked},
    };
    PyObject *by_cause = causes(&stats);
    PyObject *dict = PyDict_New();
    bool good = by_cause != NULL && dict != NULL &&
                PyDict_SetItemString(dict, "replaced_by_cause", by_cause) == 0;
    for (size_t i = 0; good && i < sizeof fields / sizeof fields[0]; i++) {
        good = put(dict, fields[i].name, fields[i].number);
    }
    Py_XDECREF(by_cause);
    if (!good) {
        Py_CLEAR(dict);
    }
    return dict;
}
