/* framing_type.c: iocpreuse._engine.Packer, which iocpreuse.Framing is built on: how a stream is
 * cut, for the engine, and how a message is packed, for the application. */
#include "state.h"

typedef struct {
    PyObject_HEAD framing_t framing;
} packer_object_t;

const framing_t *framing_of(module_state_t *state, PyObject *object)
{
    if (!PyObject_TypeCheck(object, state->packer_type)) {
        PyErr_SetString(PyExc_TypeError, "framing must be a Framing or None");
        return NULL;
    }
    return &((packer_object_t *)object)->framing;
}

static PyObject *packer_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    const char *delimiter;
    Py_ssize_t delimiter_len;
    int kind, little;
    framing_t framing = {0};
    if (kwargs != NULL && PyDict_GET_SIZE(kwargs) != 0) {
        PyErr_SetString(PyExc_TypeError, "Packer takes no keyword arguments");
        return NULL;
    }
    if (!PyArg_ParseTuple(args, "iIIpy#I;kind, length, prefix, little, delimiter, max_length",
                          &kind, &framing.length, &framing.prefix, &little, &delimiter,
                          &delimiter_len, &framing.max_length)) {
        return NULL;
    }
    bool known = kind == FRAMING_LINES || kind == FRAMING_LENGTH_PREFIX || kind == FRAMING_FIXED;
    if (!known || delimiter_len > (Py_ssize_t)FRAMING_DELIMITER_MAX || framing.prefix > 8) {
        PyErr_SetString(PyExc_ValueError, "made by Framing.lines, length_prefix and fixed only");
        return NULL;
    }
    packer_object_t *self = (packer_object_t *)type->tp_alloc(type, 0);
    if (self == NULL) {
        return NULL;
    }
    framing.kind = (framing_kind_t)kind;
    framing.little = little;
    framing.delimiter_len = (uint32_t)delimiter_len;
    memcpy(framing.delimiter, delimiter, (size_t)delimiter_len);
    self->framing = framing;
    return (PyObject *)self;
}

static void packer_dealloc(packer_object_t *self)
{
    PyTypeObject *type = Py_TYPE(self);
    type->tp_free(self);
    Py_DECREF(type);
}

/* What a message of LEN bytes may have at most; 0 bytes fit always. */
static uint64_t most_bytes(const framing_t *framing)
{
    uint64_t most = framing->max_length;
    if (framing->kind == FRAMING_LENGTH_PREFIX && framing->prefix < 4) {
        uint64_t told = (1u << 8 * framing->prefix) - 1;
        most = told < most ? told : most;
    }
    return most;
}

static bool check_length(const framing_t *framing, Py_ssize_t len)
{
    if (framing->kind == FRAMING_FIXED) {
        if ((uint64_t)len == framing->length) {
            return true;
        }
        PyErr_Format(PyExc_ValueError, "the message must have %u bytes, not %zd", framing->length,
                     len);
        return false;
    }
    if ((uint64_t)len <= most_bytes(framing)) {
        return true;
    }
    PyErr_Format(PyExc_ValueError, "the message must have at most %llu bytes, not %zd",
                 (unsigned long long)most_bytes(framing), len);
    return false;
}

/* Where in the packed LINE the other side would cut: behind the message, or in it. The end of the
 * message and the delimiter may make a delimiter that begins earlier. */
static bool check_line(const framing_t *framing, const char *line, Py_ssize_t len)
{
    const char *at = line;
    const char *end = line + len;
    while ((at = memchr(at, framing->delimiter[0], (size_t)(end - at))) != NULL) {
        if (memcmp(at, framing->delimiter, framing->delimiter_len) == 0) {
            PyObject *delimiter =
                PyBytes_FromStringAndSize(framing->delimiter, (Py_ssize_t)framing->delimiter_len);
            if (delimiter != NULL) {
                PyErr_Format(PyExc_ValueError, "the message has the delimiter %R in it, at %zd",
                             delimiter, (Py_ssize_t)(at - line));
                Py_DECREF(delimiter);
            }
            return false;
        }
        at++;
    }
    return true;
}

static void put_prefix(const framing_t *framing, char *out, uint64_t len)
{
    if (framing->prefix == 4 && !framing->little) { /* as most have it: two instructions */
        out[0] = (char)(len >> 24);
        out[1] = (char)(len >> 16);
        out[2] = (char)(len >> 8);
        out[3] = (char)len;
        return;
    }
    for (uint32_t i = 0; i < framing->prefix; i++) {
        uint32_t place = framing->little ? i : framing->prefix - 1 - i;
        out[place] = (char)(len & 0xff);
        len >>= 8;
    }
}

static bool put_packed(const framing_t *framing, const char *bytes, Py_ssize_t len, char *out)
{
    put_prefix(framing, out, (uint64_t)len);
    out += framing->prefix;
    if (len > 0) {
        memcpy(out, bytes, (size_t)len);
    }
    if (framing->kind != FRAMING_LINES) {
        return true;
    }
    memcpy(out + len, framing->delimiter, framing->delimiter_len);
    return check_line(framing, out, len);
}

static Py_ssize_t packed_len(const framing_t *framing, Py_ssize_t len)
{
    return (Py_ssize_t)framing->prefix + len + (Py_ssize_t)framing->delimiter_len;
}

Py_ssize_t framing_pack(const framing_t *framing, const char *bytes, Py_ssize_t len, char *out)
{
    bool good = check_length(framing, len) && put_packed(framing, bytes, len, out);
    return good ? packed_len(framing, len) : -1;
}

static PyObject *pack(const framing_t *framing, const char *bytes, Py_ssize_t len)
{
    if (!check_length(framing, len)) {
        return NULL;
    }
    PyObject *packed = PyBytes_FromStringAndSize(NULL, packed_len(framing, len));
    if (packed != NULL && !put_packed(framing, bytes, len, PyBytes_AS_STRING(packed))) {
        Py_CLEAR(packed);
    }
    return packed;
}

int framing_split(const framing_t *framing, PyObject *message, const char *bytes, Py_ssize_t len,
                  PyObject *parts[2])
{
    if (framing->kind == FRAMING_LINES) {
        parts[0] = pack(framing, bytes, len); /* to look for the delimiter */
        return parts[0] == NULL ? -1 : 1;
    }
    if (!check_length(framing, len)) {
        return -1;
    }
    int count = 0;
    if (framing->prefix > 0) {
        char prefix[8];
        put_prefix(framing, prefix, (uint64_t)len);
        parts[count] = PyBytes_FromStringAndSize(prefix, (Py_ssize_t)framing->prefix);
        if (parts[count++] == NULL) {
            return -1;
        }
    }
    parts[count++] = Py_NewRef(message);
    return count;
}

static PyObject *packer_pack(packer_object_t *self, PyObject *message)
{
    if (PyBytes_CheckExact(message)) {
        return pack(&self->framing, PyBytes_AS_STRING(message), PyBytes_GET_SIZE(message));
    }
    Py_buffer view;
    if (PyObject_GetBuffer(message, &view, PyBUF_SIMPLE) < 0) {
        return NULL;
    }
    PyObject *packed = pack(&self->framing, view.buf, view.len);
    PyBuffer_Release(&view);
    return packed;
}

PyDoc_STRVAR(pack_doc,
             "pack(message: Buffer) -> bytes\n--\n\n"
             "MESSAGE as it goes over the wire, for Session.send: with its delimiter or prefix.\n\n"
             "Raises ValueError for one that the other side could not cut out again: too long, of\n"
             "the wrong length, or with the delimiter in it; TypeError for what is not\n"
             "bytes-like. Any thread.");

static PyMethodDef packer_methods[] = {
    {"pack", (PyCFunction)packer_pack, METH_O, pack_doc},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot packer_slots[] = {
    {Py_tp_doc, "How a stream is cut into messages. Made by iocpreuse.Framing only."},
    {Py_tp_new, packer_new},
    {Py_tp_dealloc, packer_dealloc},
    {Py_tp_methods, packer_methods},
    {0, NULL},
};

PyType_Spec packer_type_spec = {
    .name = "iocpreuse._engine.Packer",
    .basicsize = sizeof(packer_object_t),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = packer_slots,
};
