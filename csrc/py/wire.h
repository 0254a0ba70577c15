/* wire.h: a session's filter as this layer has it: an SSLObject of the ssl module's, driven by
 * csrc/tls, or, where that cannot be, by its own methods (a tunnel of iocpreuse/tls.py). */
#ifndef IOCPREUSE_PY_WIRE_H
#define IOCPREUSE_PY_WIRE_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include "../tls/tls.h"

typedef struct {
    tls_t tls;            /* is first: the native filter's SELF */
    PyObject *ssl_object; /* or NULL, where the tunnel has it */
    PyObject *tunnel;     /* or NULL */
} wire_t;

/* The filter whose steps take the interpreter, and call the tunnel's. */
extern const filter_type_t tunnel_filter;

/* For MADE, an SSLObject that has done nothing yet or a tunnel, by whether there is a LIBRARY. NULL
 * with an exception. */
wire_t *wire_new(const tls_library_t *library, PyObject *made);

void wire_free(wire_t *wire);

/* The SSLObject, a new reference; NULL with an exception. */
PyObject *wire_ssl_object(const wire_t *wire);

/* (code, library, reason, verify message or None) of what has failed, or the tunnel's exception, or
 * None. NULL with an exception. */
PyObject *wire_error(const wire_t *wire);

/* The module's functions for iocpreuse/tls.py. */
extern PyMethodDef wire_functions[];

#endif
