/* worker.c: the body of a worker thread: one attach for each batch of events, or for more where
 * other threads want the GIL as well. */
#include "../base/spin.h"
#include "state.h"

/* An attach that took longer than this had to wait for another thread. */
#define CONTENDED_NS 500000u

/* Whether a worker is attached: others wait for it then, not for a thread of the application. */
static bool is_attached(engine_object_t *self)
{
    return atomic_u64_load(&self->attached) > 0;
}

static void release(engine_object_t *self, batch_t *batch)
{
    if (!sendq_is_empty(&batch->done)) {
        sending_release(self, &batch->done);
    }
}

/* Runs the callbacks of what has begun. Attached; returns the time. */
static uint64_t run(engine_object_t *self, worker_t *worker, uint64_t now_ns)
{
    stopwatch_start(&worker->callbacks, now_ns);
    release(self, worker->batch);
    for (event_t *event; (event = batch_take(worker->batch)) != NULL;) {
        worker->event = event;
        dispatch_event(self, event);
        worker->event = NULL;
        /* Not only at the end: the memory is still in the cache, and the next messages take it. */
        release(self, worker->batch);
        if (self->spares != NULL) {
            spares_refill(self->spares);
        }
    }
    now_ns = engine_finish(self->engine, worker->batch);
    if (self->spares != NULL) {
        spares_review(self->spares, now_ns);
    }
    stopwatch_stop(&worker->callbacks, now_ns);
    return now_ns;
}

/* Begins with what has come to a worker that is attached. */
static uint64_t begin(engine_object_t *self, worker_t *worker)
{
    (void)engine_begin(self->engine, worker->batch);
    return engine_attach(self->engine, worker->batch);
}

/* As run, and of what has come meanwhile, where their sends had better leave together. */
static uint64_t call_back(engine_object_t *self, worker_t *worker, uint64_t now_ns)
{
    now_ns = run(self, worker, now_ns);
    while (engine_gather(self->engine, worker->batch)) {
        now_ns = run(self, worker, begin(self, worker));
    }
    return now_ns;
}

/* Keeps the GIL, and serves what comes meanwhile. To get it back would take another thread's whole
 * switch interval, for each batch anew; so the time that the wait has cost is put to use. Not where
 * another worker had it: that one soon gives it up, and would wait while this one does its I/O.
 * False once the engine has stopped. */
static bool stay_attached(engine_object_t *self, worker_t *worker, uint64_t now_ns)
{
    uint64_t until_ns = now_ns + self->attach_budget_ns;
    while (now_ns < until_ns) {
        engine_settle(self->engine, worker->batch);
        bool looks = !batch_has_work(worker->batch) || engine_has_rest(worker->batch);
        if (looks && !engine_poll(self->engine, worker->batch, 0)) {
            return false;
        }
        if (batch_has_work(worker->batch)) {
            now_ns = call_back(self, worker, begin(self, worker));
        } else {
            spin_pause();
            now_ns = engine_now_ns(self->engine);
        }
    }
    return true;
}

/* Waits for events; spins first, where the application wants that. False once the engine has
 * stopped. */
static bool await_events(engine_object_t *self, batch_t *batch)
{
    if (engine_help(self->engine, batch)) {
        return true;
    }
    if (self->busy_poll_ns != 0) {
        uint64_t until_ns = engine_now_ns(self->engine) + self->busy_poll_ns;
        do {
            if (!engine_poll(self->engine, batch, 0)) {
                return false;
            }
            if (batch_has_work(batch)) {
                return true;
            }
            spin_pause();
        } while (engine_now_ns(self->engine) < until_ns);
    }
    return engine_poll(self->engine, batch, IO_INFINITE);
}

static void work(engine_object_t *self, worker_t *worker)
{
    batch_t *batch = worker->batch;
    PyThreadState *thread = PyEval_SaveThread();
    bool serves = true;
    while (serves && await_events(self, batch)) {
        while (serves && batch_has_work(batch)) {
            uint64_t begun_ns = engine_begin(self->engine, batch);
            bool among_us = is_attached(self);
            PyEval_RestoreThread(thread);
            atomic_u64_add(&self->attached, 1);
            uint64_t attached_ns = engine_attach(self->engine, batch);
            uint64_t waited_ns = attached_ns - begun_ns;
            atomic_u64_add(&self->gil_wait_ns, waited_ns);
            uint64_t now_ns = call_back(self, worker, attached_ns);
            if (waited_ns > CONTENDED_NS && !among_us && self->attach_budget_ns != 0) {
                serves = stay_attached(self, worker, now_ns);
            }
            atomic_u64_add(&self->attached, (uint64_t)-1);
            thread = PyEval_SaveThread();
            engine_settle(self->engine, batch);
            if (serves && engine_has_rest(batch)) {
                serves = engine_poll(self->engine, batch, 0);
            }
        }
    }
    PyEval_RestoreThread(thread);
}

PyObject *worker_run(engine_object_t *self)
{
    worker_t *worker = roster_join(self);
    if (worker == NULL) {
        return NULL;
    }
    worker->batch = engine_join(self->engine);
    if (worker->batch == NULL) {
        return PyErr_NoMemory();
    }
    work(self, worker);
    roster_leave(worker);
    Py_RETURN_NONE;
}
