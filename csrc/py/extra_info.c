/* extra_info.c: what a session tells as asyncio's transports do, of TLS above all. */
#include "state.h"

PyObject *session_ssl_object(session_object_t *self, void *closure)
{
    (void)closure;
    return Py_NewRef(self->ssl_object == NULL ? Py_None : self->ssl_object);
}

static bool is(PyObject *name, const char *text)
{
    return PyUnicode_CompareWithASCIIString(name, text) == 0;
}

/* What SSL_OBJECT tells under this NAME; NULL without an exception where it is nothing of that. */
static PyObject *tell_tls(PyObject *ssl_object, PyObject *name)
{
    static const struct {
        const char *name;
        const char *method;
    } methods[] = {
        {"peercert", "getpeercert"}, {"cipher", "cipher"}, {"compression", "compression"}};
    if (is(name, "ssl_object")) {
        return Py_NewRef(ssl_object);
    }
    if (is(name, "sslcontext")) {
        return PyObject_GetAttrString(ssl_object, "context");
    }
    for (size_t i = 0; i < sizeof methods / sizeof methods[0]; i++) {
        if (is(name, methods[i].name)) {
            return PyObject_CallMethod(ssl_object, methods[i].method, NULL);
        }
    }
    return NULL;
}

PyObject *session_get_extra_info(session_object_t *self, PyObject *const *args, Py_ssize_t count)
{
    if (count < 1 || count > 2 || !PyUnicode_Check(args[0])) {
        PyErr_SetString(PyExc_TypeError, "get_extra_info(name, default=None): name is a str");
        return NULL;
    }
    if (is(args[0], "peername") || is(args[0], "sockname")) {
        return PyObject_GetAttr((PyObject *)self, args[0]);
    }
    PyObject *told = self->ssl_object == NULL ? NULL : tell_tls(self->ssl_object, args[0]);
    if (told != NULL || PyErr_Occurred()) {
        return told;
    }
    return Py_NewRef(count == 2 ? args[1] : Py_None);
}
