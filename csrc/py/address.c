/* address.c: socket addresses as Python has them, and back. */
#include "state.h"

PyObject *address_tuple(module_state_t *state, const io_addr_t *addr)
{
    if (addr->version == 4) {
        PyObject *host =
            PyUnicode_FromFormat("%d.%d.%d.%d", addr->ip[0], addr->ip[1], addr->ip[2], addr->ip[3]);
        return host == NULL ? NULL : Py_BuildValue("(NH)", host, addr->port);
    }
    if (addr->version == 6) {
        PyObject *host = PyObject_CallFunction(state->inet_ntop, "Oy#", state->af_inet6,
                                               (const char *)addr->ip, (Py_ssize_t)16);
        return host == NULL ? NULL
                            : Py_BuildValue("(NHII)", host, addr->port, addr->flow, addr->scope);
    }
    return PyTuple_New(0);
}

bool address_parse(PyObject *tuple, io_addr_t *out)
{
    const char *packed;
    Py_ssize_t len;
    int version;
    *out = (io_addr_t){0};
    if (!PyArg_ParseTuple(tuple, "iy#HII;address: (version, packed, port, flow, scope)", &version,
                          &packed, &len, &out->port, &out->flow, &out->scope)) {
        return false;
    }
    if (!(version == 4 && len == 4) && !(version == 6 && len == 16)) {
        PyErr_Format(PyExc_ValueError, "address: version %d with %zd packed bytes; 4 or 16 fit",
                     version, len);
        return false;
    }
    out->version = (uint8_t)version;
    memcpy(out->ip, packed, (size_t)len);
    return true;
}
