/* naming.c: the names that the application gives its clients: hashed and compared here, where that
 * may run any code, and had in the engine, which knows them by their hashes and numbers.
 *
 * No lock is held while Python runs. A net_id is compared while its name is held, and if one that
 * may be the same has been entered meanwhile, the search begins anew: so each stands in the engine
 * once, and which session has it is the engine's decision. */
#include "state.h"

typedef struct {
    name_t name;
    PyObject *net_id;
} naming_t;

#define NAMING_OF(of) LIST_ENTRY(of, naming_t, name)

/* Frees NAME, if it is one (NULL = none), and with it perhaps the net_id, whose finalizer may do
 * whatever it likes. */
static void free_name(name_t *name)
{
    if (name != NULL) {
        naming_t *naming = NAMING_OF(name);
        PyObject *net_id = naming->net_id;
        PyMem_Free(naming);
        Py_DECREF(net_id);
    }
}

static void let_go(engine_object_t *self, name_t *name)
{
    if (name != NULL && engine_let_go_name(self->engine, name)) {
        free_name(name);
    }
}

/* The name that is equal to NET_ID, held; NULL where there is none, and SEEN is the number of the
 * newest that was compared, or (with an exception) where comparing has failed. */
static name_t *look_up(engine_object_t *self, PyObject *net_id, Py_hash_t hash, uint64_t *seen)
{
    name_t *name = engine_find_name(self->engine, (uint64_t)hash, NULL);
    *seen = name == NULL ? 0 : name->number;
    while (name != NULL) {
        int equal = PyObject_RichCompareBool(NAMING_OF(name)->net_id, net_id, Py_EQ);
        if (equal > 0) {
            return name;
        }
        name_t *older = equal < 0 ? NULL : engine_find_name(self->engine, (uint64_t)hash, name);
        let_go(self, name);
        name = older;
    }
    return NULL;
}

static naming_t *make_name(PyObject *net_id)
{
    naming_t *fresh = PyMem_Malloc(sizeof *fresh);
    if (fresh == NULL) {
        PyErr_NoMemory();
        return NULL;
    }
    fresh->net_id = Py_NewRef(net_id);
    return fresh;
}

/* The name of NET_ID, held, which is entered where it is not there. NULL with an exception. */
static name_t *get_name(engine_object_t *self, PyObject *net_id, Py_hash_t hash)
{
    naming_t *fresh = NULL;
    name_t *name = NULL;
    name_entry_t entry = NAME_OVERTAKEN;
    while (entry == NAME_OVERTAKEN) {
        uint64_t seen;
        name = look_up(self, net_id, hash, &seen);
        if (name != NULL || PyErr_Occurred()) {
            break;
        }
        fresh = fresh == NULL ? make_name(net_id) : fresh;
        if (fresh == NULL) {
            return NULL;
        }
        entry = engine_enter_name(self->engine, &fresh->name, (uint64_t)hash, seen);
    }
    if (entry == NAME_ENTERED) {
        return &fresh->name;
    }
    if (entry == NAME_NO_MEMORY) {
        PyErr_NoMemory();
    }
    free_name(fresh == NULL ? NULL : &fresh->name);
    return name;
}

/* The Session of TOKEN, a new reference; NULL where it has ended, or with an exception. */
static PyObject *find_session(engine_object_t *self, token_t token)
{
    PyObject *sessions = engine_hook(self, &self->sessions);
    PyObject *id = sessions == NULL ? NULL : PyLong_FromUnsignedLongLong(token);
    PyObject *session = NULL;
    if (id != NULL) {
#if PY_VERSION_HEX >= 0x030D0000
        (void)PyDict_GetItemRef(sessions, id, &session);
#else
        session = Py_XNewRef(PyDict_GetItemWithError(sessions, id));
#endif
        Py_DECREF(id);
    }
    Py_XDECREF(sessions);
    return session;
}

/* The engine's decision: SESSION has NAME, or who has it instead. Without a GIL the session's own
 * lock sees to it that what is noted here of several logins is what was decided last. */
static login_t decide(session_object_t *session, name_t *name, PyObject *net_id, double at,
                      bool replaces, token_t *other, name_t **left)
{
    engine_object_t *self = session->engine;
    PyObject *old = NULL;
    login_t login;
    Py_BEGIN_CRITICAL_SECTION(session);
    login =
        engine_login(self->engine, session->token, name, replaces, roster_batch(self), other, left);
    if (login == LOGIN_DONE) {
        session->logged_in_at = at;
        old = atomic_ptr_exchange(&session->net_id, Py_NewRef(net_id));
    }
    Py_END_CRITICAL_SECTION();
    Py_XDECREF(old);
    return login;
}

void naming_await(session_object_t *session)
{
    Py_BEGIN_CRITICAL_SECTION(session);
    Py_END_CRITICAL_SECTION();
    (void)session; /* with a GIL there is nothing to wait for */
}

/* Says who has NET_ID. False, without an exception, where that one has ended meanwhile. */
static bool tell_conflict(engine_object_t *self, PyObject *net_id, token_t other)
{
    PyObject *session = find_session(self, other);
    if (session != NULL) {
        PyErr_Format(self->state->login_conflict, "%R is logged in already, as %R", net_id,
                     session);
        Py_DECREF(session);
    }
    return PyErr_Occurred() != NULL;
}

/* SESSION gets the name of NET_ID; false with an exception where it does not. */
static bool log_in(session_object_t *session, PyObject *net_id, Py_hash_t hash, bool replaces)
{
    engine_object_t *self = session->engine;
    PyObject *now = PyObject_CallNoArgs(self->state->time);
    if (now == NULL) {
        return false;
    }
    double at = PyFloat_AsDouble(now);
    Py_DECREF(now);
    name_t *name = get_name(self, net_id, hash);
    if (name == NULL) {
        return false;
    }
    token_t other;
    name_t *left;
    login_t login;
    do {
        login = decide(session, name, net_id, at, replaces, &other, &left);
    } while (login == LOGIN_CONFLICT && !tell_conflict(self, net_id, other));
    if (login == LOGIN_CLOSED) {
        (void)sending_result(self->state, session->token, CALL_CLOSED);
    }
    let_go(self, left);
    let_go(self, name);
    return login == LOGIN_DONE;
}

PyObject *naming_login(session_object_t *session, PyObject *net_id, PyObject *conflict, bool over)
{
    bool text = conflict != NULL && PyUnicode_Check(conflict);
    bool replaces = text && PyUnicode_CompareWithASCIIString(conflict, "replace") == 0;
    if (conflict != NULL && !replaces &&
        !(text && PyUnicode_CompareWithASCIIString(conflict, "reject") == 0)) {
        return PyErr_Format(PyExc_ValueError, "conflict must be 'reject' or 'replace', not %R",
                            conflict);
    }
    if (net_id == Py_None) {
        PyErr_SetString(PyExc_ValueError,
                        "net_id must be the application's name for the client, not None");
        return NULL;
    }
    Py_hash_t hash = PyObject_Hash(net_id); /* TypeError where it cannot be a name */
    if (hash == -1) {
        return NULL;
    }
    if (over) {
        return sending_result(session->engine->state, session->token, CALL_CLOSED);
    }
    if (!log_in(session, net_id, hash, replaces)) {
        return NULL;
    }
    Py_RETURN_NONE;
}

void naming_leave(engine_object_t *self, const event_t *event)
{
    free_name(engine_leave_name(self->engine, event));
}

/* Who has the name NET_ID, or TOKEN_NONE. False with an exception. */
static bool find_owner(engine_object_t *self, PyObject *net_id, token_t *owner)
{
    *owner = TOKEN_NONE;
    Py_hash_t hash = PyObject_Hash(net_id);
    if (hash == -1) {
        return false;
    }
    uint64_t seen;
    name_t *name = look_up(self, net_id, hash, &seen);
    if (name == NULL) {
        return !PyErr_Occurred();
    }
    *owner = engine_name_owner(self->engine, name);
    let_go(self, name);
    return true;
}

PyObject *naming_find(engine_object_t *self, PyObject *net_id)
{
    token_t owner;
    bool found = find_owner(self, net_id, &owner) && owner != TOKEN_NONE;
    return found ? find_session(self, owner) : NULL;
}

bool naming_who(engine_object_t *self, PyObject *who, token_t *token)
{
    if (Py_TYPE(who) == self->state->session_type) {
        *token = ((session_object_t *)who)->token;
        return true;
    }
    return find_owner(self, who, token);
}

/* Names that are held, and who has them. */
typedef struct {
    name_t **names;
    token_t *owners;
    uint32_t count;
} roll_t;

static void free_roll(engine_object_t *self, roll_t *roll)
{
    for (uint32_t i = 0; i < roll->count; i++) {
        let_go(self, roll->names[i]);
    }
    PyMem_Free(roll->names);
    PyMem_Free(roll->owners);
}

/* All names that somebody has at one moment. False with an exception. */
static bool call_roll(engine_object_t *self, roll_t *roll)
{
    uint32_t most = engine_count_names(self->engine);
    for (;;) {
        *roll = (roll_t){.names = PyMem_New(name_t *, most), .owners = PyMem_New(token_t, most)};
        if (roll->names == NULL || roll->owners == NULL) {
            free_roll(self, roll);
            PyErr_NoMemory();
            return false;
        }
        uint32_t count = engine_list_names(self->engine, roll->names, roll->owners, most);
        roll->count = count < most ? count : most;
        if (count <= most) {
            return true;
        }
        free_roll(self, roll);
        most = count + count / 8 + 8; /* some may come meanwhile */
    }
}

PyObject *naming_dict(engine_object_t *self)
{
    PyObject *dict = PyDict_New();
    roll_t roll;
    if (dict == NULL || !call_roll(self, &roll)) {
        Py_XDECREF(dict);
        return NULL;
    }
    bool good = true;
    for (uint32_t i = 0; i < roll.count && good; i++) {
        PyObject *session = find_session(self, roll.owners[i]);
        good = session == NULL
                   ? !PyErr_Occurred()
                   : PyDict_SetItem(dict, NAMING_OF(roll.names[i])->net_id, session) == 0;
        Py_XDECREF(session);
    }
    free_roll(self, &roll);
    if (!good) {
        Py_CLEAR(dict);
    }
    return dict;
}
