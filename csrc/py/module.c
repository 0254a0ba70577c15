/* module.c: the extension module: its state, its types, what it takes from Python. */
#include "state.h"

static PyObject *import_name(const char *module_name, const char *name)
{
    PyObject *module = PyImport_ImportModule(module_name);
    if (module == NULL) {
        return NULL;
    }
    PyObject *object = PyObject_GetAttrString(module, name);
    Py_DECREF(module);
    return object;
}

static int import_names(module_state_t *state)
{
    const struct {
        PyObject **to;
        const char *module;
        const char *name;
    } wanted[] = {
        {&state->session_closed, "iocpreuse.errors", "SessionClosed"},
        {&state->stale_session, "iocpreuse.errors", "StaleSession"},
        {&state->write_overflow, "iocpreuse.errors", "WriteOverflow"},
        {&state->login_conflict, "iocpreuse.errors", "LoginConflict"},
        {&state->server_state_error, "iocpreuse.errors", "ServerStateError"},
        {&state->inet_ntop, "socket", "inet_ntop"},
        {&state->af_inet6, "socket", "AF_INET6"},
        {&state->time, "time", "time"},
    };
    for (size_t i = 0; i < sizeof wanted / sizeof wanted[0]; i++) {
        *wanted[i].to = import_name(wanted[i].module, wanted[i].name);
        if (*wanted[i].to == NULL) {
            return -1;
        }
    }
    return 0;
}

static PyTypeObject *add_type(PyObject *module, PyType_Spec *spec)
{
    PyTypeObject *type = (PyTypeObject *)PyType_FromModuleAndSpec(module, spec, NULL);
    if (type != NULL && PyModule_AddType(module, type) < 0) {
        Py_CLEAR(type);
    }
    return type;
}

/* A SessionId is unique in the process, but the count of clients is each interpreter's own; and a
 * subinterpreter has neither signals nor the right to threads that its end does not wait for. */
static int refuse_subinterpreter(void)
{
    if (PyInterpreterState_Get() == PyInterpreterState_Main()) {
        return 0;
    }
    PyErr_SetString(PyExc_ImportError, "iocpreuse works in the main interpreter only, "
                                       "not in a subinterpreter");
    return -1;
}

static int module_exec(PyObject *module)
{
    if (refuse_subinterpreter() < 0) {
        return -1;
    }
    module_state_t *state = PyModule_GetState(module);
    state->generation = PyMem_RawCalloc(1, sizeof *state->generation);
    if (state->generation == NULL) {
        PyErr_NoMemory();
        return -1;
    }
    state->engine_type = add_type(module, &engine_type_spec);
    state->session_type = add_type(module, &session_type_spec);
    state->packer_type = add_type(module, &packer_type_spec);
    state->pending_type = add_type(module, &pending_type_spec);
    if (state->engine_type == NULL || state->session_type == NULL || state->packer_type == NULL ||
        state->pending_type == NULL || import_names(state) < 0) {
        return -1;
    }
    const char *backend = IO_NATIVE_NTSTATUS ? "iocp" : "epoll";
    if (PyModule_AddStringConstant(module, "__version__", IOCPREUSE_VERSION) < 0 ||
        PyModule_AddStringConstant(module, "backend", backend) < 0) {
        return -1;
    }
    return 0;
}

static int module_traverse(PyObject *module, visitproc visit, void *arg)
{
    module_state_t *state = PyModule_GetState(module);
    Py_VISIT(state->engine_type);
    Py_VISIT(state->session_type);
    Py_VISIT(state->packer_type);
    Py_VISIT(state->pending_type);
    Py_VISIT(state->session_closed);
    Py_VISIT(state->stale_session);
    Py_VISIT(state->write_overflow);
    Py_VISIT(state->server_state_error);
    Py_VISIT(state->login_conflict);
    Py_VISIT(state->inet_ntop);
    Py_VISIT(state->af_inet6);
    Py_VISIT(state->time);
    return 0;
}

static int module_clear(PyObject *module)
{
    module_state_t *state = PyModule_GetState(module);
    free_sessions_close(&state->free_sessions);
    Py_CLEAR(state->engine_type);
    Py_CLEAR(state->session_type);
    Py_CLEAR(state->packer_type);
    Py_CLEAR(state->pending_type);
    Py_CLEAR(state->session_closed);
    Py_CLEAR(state->stale_session);
    Py_CLEAR(state->write_overflow);
    Py_CLEAR(state->server_state_error);
    Py_CLEAR(state->login_conflict);
    Py_CLEAR(state->inet_ntop);
    Py_CLEAR(state->af_inet6);
    Py_CLEAR(state->time);
    return 0;
}

static void module_free(void *module)
{
    module_state_t *state = PyModule_GetState((PyObject *)module);
    (void)module_clear((PyObject *)module);
    PyMem_RawFree(state->generation);
}

static PyModuleDef_Slot module_slots[] = {
    {Py_mod_exec, module_exec},
#if PY_VERSION_HEX >= 0x030C0000
    /* Said here as well, it is an error before anything is loaded; some interpreters do not ask. */
    {Py_mod_multiple_interpreters, Py_MOD_MULTIPLE_INTERPRETERS_NOT_SUPPORTED},
#endif
#ifdef Py_mod_gil
    {Py_mod_gil, Py_MOD_GIL_NOT_USED},
#endif
    {0, NULL},
};

static struct PyModuleDef module_def = {
    PyModuleDef_HEAD_INIT,
    .m_name = "iocpreuse._engine",
    .m_doc = "The engine of iocpreuse. Private; use iocpreuse.Server.",
    .m_size = sizeof(module_state_t),
    .m_methods = wire_functions,
    .m_slots = module_slots,
    .m_traverse = module_traverse,
    .m_clear = module_clear,
    .m_free = module_free,
};

PyMODINIT_FUNC PyInit__engine(void)
{
    return PyModuleDef_Init(&module_def);
}
