/* stats.c: what the engine and its workers have counted, as a dict. */
#include "state.h"

/* Adds NUMBER to DICT as NAME; false with an exception. */
static bool put(PyObject *dict, const char *name, uint64_t number)
{
    PyObject *value = PyLong_FromUnsignedLongLong(number);
    bool good = value != NULL && PyDict_SetItemString(dict, name, value) == 0;
    Py_XDECREF(value);
    return good;
}

/* The same with the seconds that NS nanoseconds are. */
static bool put_seconds(PyObject *dict, const char *name, uint64_t ns)
{
    PyObject *value = PyFloat_FromDouble((double)ns / 1e9);
    bool good = value != NULL && PyDict_SetItemString(dict, name, value) == 0;
    Py_XDECREF(value);
    return good;
}

/* What the workers have spent in callbacks, with those that run now. */
static uint64_t callback_ns(engine_object_t *self)
{
    uint64_t sum_ns = 0;
    for (int i = 0; i < WORKERS_MAX; i++) {
        worker_t *worker = &self->workers[i];
        if (atomic_ptr_load(&worker->thread) == NULL) {
            break; /* places are taken in order */
        }
        uint64_t word = atomic_u64_load(&worker->callbacks.word);
        sum_ns += stopwatch_read(word, engine_now_ns(self->engine));
    }
    /* One that ended while it was looked at may have been told a little more of than it took. */
    Py_BEGIN_CRITICAL_SECTION(self);
    sum_ns = sum_ns < self->callback_ns_told ? self->callback_ns_told : sum_ns;
    self->callback_ns_told = sum_ns;
    Py_END_CRITICAL_SECTION();
    return sum_ns;
}

/* By the reason's number, which the facade knows the member for; only those that occurred. */
static PyObject *reasons(const uint64_t *counts)
{
    PyObject *dict = PyDict_New();
    for (int i = 0; dict != NULL && i < REASON_COUNT; i++) {
        uint64_t count = counts[i];
        if (count == 0) {
            continue;
        }
        PyObject *key = PyLong_FromLong(i);
        PyObject *value = PyLong_FromUnsignedLongLong(count);
        if (key == NULL || value == NULL || PyDict_SetItem(dict, key, value) < 0) {
            Py_CLEAR(dict);
        }
        Py_XDECREF(key);
        Py_XDECREF(value);
    }
    return dict;
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
        {"sockets_spare", stats.sockets_spare},
        {"bytes_received", stats.bytes_received},
        {"bytes_sent", stats.bytes_sent},
        {"send_queue_bytes", stats.send_queue_bytes},
        {"completions", stats.completions},
        {"batches", stats.batches},
        {"callback_errors", atomic_u64_load(&self->callback_errors)},
        {"stale_sends_blocked", stats.stale_sends_blocked},
        {"handshakes", stats.handshakes},
    };
    PyObject *by_cause = causes(&stats);
    PyObject *by_reason = reasons(stats.closed_by_reason);
    PyObject *failed = reasons(stats.failed_by_reason);
    PyObject *dict = PyDict_New();
    bool good = by_cause != NULL && by_reason != NULL && failed != NULL && dict != NULL &&
                PyDict_SetItemString(dict, "replaced_by_cause", by_cause) == 0 &&
                PyDict_SetItemString(dict, "closed_by_reason", by_reason) == 0 &&
                PyDict_SetItemString(dict, "handshakes_failed", failed) == 0 &&
                put_seconds(dict, "callback_seconds", callback_ns(self)) &&
                put_seconds(dict, "gil_wait_seconds", atomic_u64_load(&self->gil_wait_ns));
    for (size_t i = 0; good && i < sizeof fields / sizeof fields[0]; i++) {
        good = put(dict, fields[i].name, fields[i].number);
    }
    Py_XDECREF(by_cause);
    Py_XDECREF(by_reason);
    Py_XDECREF(failed);
    if (!good) {
        Py_CLEAR(dict);
    }
    return dict;
}
