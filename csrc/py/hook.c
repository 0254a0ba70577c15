/* hook.c: what the engine calls in the facade, for those who may come after it has stopped. */
#include "state.h"

PyObject *engine_hook(engine_object_t *self, PyObject **field)
{
    PyObject *hook;
    (void)self; /* which only Python without a GIL looks at */
    Py_BEGIN_CRITICAL_SECTION(self);
    hook = Py_XNewRef(*field);
    Py_END_CRITICAL_SECTION();
    return hook;
}
