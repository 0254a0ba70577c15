/* roster.c: an engine's workers, each in its place, and which of them the calling thread is. */
#include "state.h"

worker_t *roster_join(engine_object_t *self)
{
    for (int i = 0; i < WORKERS_MAX; i++) {
        void *none = NULL;
        if (atomic_ptr_load(&self->workers[i].thread) == NULL &&
            atomic_ptr_cas(&self->workers[i].thread, &none, PyThreadState_Get())) {
            return &self->workers[i];
        }
    }
    PyErr_Format(PyExc_RuntimeError, "an engine has at most %d workers", WORKERS_MAX);
    return NULL;
}

void roster_leave(worker_t *worker)
{
    /* The place stays taken, so that roster_batch may stop at the first free one; but a later
     * thread may get this one's thread state, so it is no longer a worker's. */
    worker->batch = NULL;
}

/* The place of the calling thread, if it is a worker. */
static worker_t *find(engine_object_t *self)
{
    PyThreadState *thread = PyThreadState_Get();
    for (int i = 0; i < WORKERS_MAX; i++) {
        void *seen = atomic_ptr_load(&self->workers[i].thread);
        if (seen == thread) {
            return &self->workers[i];
        }
        if (seen == NULL) {
            break; /* places are taken in order, and freed only when all is over */
        }
    }
    return NULL;
}

batch_t *roster_batch(engine_object_t *self)
{
    const worker_t *worker = find(self);
    return worker == NULL ? NULL : worker->batch;
}

const event_t *roster_event(engine_object_t *self)
{
    const worker_t *worker = find(self);
    return worker == NULL ? NULL : worker->event;
}
