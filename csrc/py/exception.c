/* exception.c: exceptions about a session, and which one it is. */
#include "state.h"

PyObject *exception_take(void)
{
#if PY_VERSION_HEX >= 0x030C0000
    return PyErr_GetRaisedException();
#else
    PyObject *type, *value, *traceback;
    PyErr_Fetch(&type, &value, &traceback);
    PyErr_NormalizeException(&type, &value, &traceback);
    if (traceback != NULL) {
        PyException_SetTraceback(value, traceback);
    }
    Py_XDECREF(type);
    Py_XDECREF(traceback);
    return value;
#endif
}

/* The other way round; EXCEPTION is given away. */
static void put_back(PyObject *exception)
{
#if PY_VERSION_HEX >= 0x030C0000
    PyErr_SetRaisedException(exception);
#else
    PyErr_Restore(Py_NewRef(Py_TYPE(exception)), exception, PyException_GetTraceback(exception));
#endif
}

static bool is_about_a_session(module_state_t *state, PyObject *exception)
{
    return PyErr_GivenExceptionMatches(exception, state->session_closed) ||
           PyErr_GivenExceptionMatches(exception, state->write_overflow);
}

void exception_is_about(module_state_t *state, PyObject *id)
{
    PyObject *exception = exception_take();
    if (is_about_a_session(state, exception) &&
        PyObject_SetAttrString(exception, "session_id", id) < 0) {
        PyErr_Clear(); /* then it does not say which one */
    }
    put_back(exception);
}

bool exception_tells(module_state_t *state, PyObject *exception, token_t *token)
{
    *token = TOKEN_NONE;
    if (!is_about_a_session(state, exception)) {
        return false;
    }
    PyObject *id = PyObject_GetAttrString(exception, "session_id");
    if (id != NULL && PyLong_Check(id)) {
        *token = PyLong_AsUnsignedLongLong(id);
    }
    if (PyErr_Occurred()) {
        PyErr_Clear();
        *token = TOKEN_NONE;
    }
    Py_XDECREF(id);
    return true;
}
