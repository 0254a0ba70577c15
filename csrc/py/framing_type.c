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
    long long adjust;
    framing_t framing = {0};
    if (kwargs != NULL && PyDict_GET_SIZE(kwargs) != 0) {
        PyErr_SetString(PyExc_TypeError, "Packer takes no keyword arguments");
        return NULL;
    }
    if (!PyArg_ParseTuple(args,
                          "iIIpy#IIIL;kind, length, prefix, little, delimiter, max_length, "
                          "offset, strip, adjust",
                          &kind, &framing.length, &framing.prefix, &little, &delimiter,
                          &delimiter_len, &framing.max_length, &framing.offset, &framing.strip,
                          &adjust)) {
        return NULL;
    }
    bool known = kind > FRAMING_NONE && kind <= FRAMING_LENGTH_FIELD;
    if (!known || delimiter_len > (Py_ssize_t)FRAMING_DELIMITER_MAX || framing.prefix > 8 ||
        framing.offset > FRAMING_HEADER_MAX || framing.strip > FRAMING_HEADER_MAX) {
        PyErr_SetString(PyExc_ValueError,
                        "made by Framing.lines, length_prefix, length_field and fixed only");
        return NULL;
    }
    packer_object_t *self = (packer_object_t *)type->tp_alloc(type, 0);
    if (self == NULL) {
        return NULL;
    }
    framing.kind = (framing_kind_t)kind;
    framing.little = little;
    framing.adjust = adjust;
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

/* How many bytes stand before a message on the wire. */
static uint32_t head_len(const framing_t *framing)
{
    return framing->kind == FRAMING_LENGTH_FIELD ? framing->strip : framing->prefix;
}

/* The most that a prefix, or field, can tell. */
static uint64_t told_max(const framing_t *framing)
{
    return framing->prefix == 8 ? UINT64_MAX : ((uint64_t)1 << 8 * framing->prefix) - 1;
}

/* What a message of LEN bytes may have at most; 0 bytes fit always. */
static uint64_t most_bytes(const framing_t *framing)
{
    uint64_t most = framing->max_length;
    if (framing->kind == FRAMING_LENGTH_PREFIX) {
        uint64_t told = told_max(framing);
        most = told < most ? told : most;
    }
    return most;
}

/* A message with the header that it is kept with: what its field tells is to be its length. */
static bool check_header(const framing_t *framing, const char *bytes, Py_ssize_t len)
{
    int64_t header = (int64_t)framing->offset + framing->prefix;
    if (len < header) {
        PyErr_Format(PyExc_ValueError,
                     "the message must begin with its header of %lld bytes, and has %zd",
                     (long long)header, len);
        return false;
    }
    uint64_t told = framing_told(framing, bytes + framing->offset);
    if ((int64_t)len - header - framing->adjust == (int64_t)told && told <= INT64_MAX) {
        return true;
    }
    PyErr_Format(PyExc_ValueError,
                 "the message has %zd bytes, and the field in its header, %llu, "
                 "tells of another length",
                 len, (unsigned long long)told);
    return false;
}

/* A message that its field is put before. */
static bool check_field(const framing_t *framing, Py_ssize_t len)
{
    int64_t told = (int64_t)len - framing->adjust;
    if (told >= 0 && (uint64_t)told <= told_max(framing)) {
        return true;
    }
    PyErr_Format(PyExc_ValueError,
                 "a message of %zd bytes has no length that a field of %u bytes could tell: it "
                 "would be %lld",
                 len, framing->prefix, (long long)told);
    return false;
}

static bool check_length(const framing_t *framing, const char *bytes, Py_ssize_t len)
{
    if (framing->kind == FRAMING_FIXED) {
        if ((uint64_t)len == framing->length) {
            return true;
        }
        PyErr_Format(PyExc_ValueError, "the message must have %u bytes, not %zd", framing->length,
                     len);
        return false;
    }
    if ((uint64_t)len > most_bytes(framing)) {
        PyErr_Format(PyExc_ValueError, "the message must have at most %llu bytes, not %zd",
                     (unsigned long long)most_bytes(framing), len);
        return false;
    }
    if (framing->kind != FRAMING_LENGTH_FIELD) {
        return true;
    }
    if (framing->strip == 0) {
        return check_header(framing, bytes, len);
    }
    if (framing->strip == framing->prefix && framing->offset == 0) {
        return check_field(framing, len);
    }
    PyErr_Format(PyExc_RuntimeError,
                 "nobody can tell which %u bytes strip has taken off: with this framing, send() a "
                 "message with its header",
                 framing->strip);
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

/* Puts the prefix, or field, of a message of LEN bytes to OUT: head_len of them. */
static void put_head(const framing_t *framing, char *out, Py_ssize_t len)
{
    if (head_len(framing) > 0) {
        put_prefix(framing, out, (uint64_t)((int64_t)len - framing->adjust));
    }
}

static bool put_packed(const framing_t *framing, const char *bytes, Py_ssize_t len, char *out)
{
    put_head(framing, out, len);
    out += head_len(framing);
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
    return (Py_ssize_t)head_len(framing) + len + (Py_ssize_t)framing->delimiter_len;
}

Py_ssize_t framing_pack(const framing_t *framing, const char *bytes, Py_ssize_t len, char *out)
{
    bool good = check_length(framing, bytes, len) && put_packed(framing, bytes, len, out);
    return good ? packed_len(framing, len) : -1;
}

static PyObject *pack(const framing_t *framing, const char *bytes, Py_ssize_t len)
{
    if (!check_length(framing, bytes, len)) {
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
    if (!check_length(framing, bytes, len)) {
        return -1;
    }
    int count = 0;
    if (head_len(framing) > 0) {
        char head[8];
        put_head(framing, head, len);
        parts[count] = PyBytes_FromStringAndSize(head, (Py_ssize_t)head_len(framing));
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

PyDoc_STRVAR(
    pack_doc,
    "pack(message: Buffer) -> bytes\n--\n\n"
    "MESSAGE as it goes over the wire, for Session.send: with its delimiter or prefix.\n\n"
    "Where length_field keeps the header, MESSAGE has its own, and that is checked; where\n"
    "strip takes off the field alone, it is made; where it takes off what nobody else\n"
    "knows, there is a RuntimeError.\n\n"
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
