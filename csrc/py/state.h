/* state.h: the module's state and the types' structures, for the files of this folder. */
#ifndef IOCPREUSE_PY_STATE_H
#define IOCPREUSE_PY_STATE_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <stdbool.h>

#include "../base/atomics.h"
#include "../base/stopwatch.h"
#include "../engine/engine.h"
#include "free_sessions.h"
#include "spares.h"
#include "wire.h"

/* Without a GIL there is a lock in each object: it is held where a field that others read is
 * changed, and where such a field is read. With one, and before 3.13, these are braces and no more.
 */
#ifndef Py_BEGIN_CRITICAL_SECTION
#define Py_BEGIN_CRITICAL_SECTION(object) {
#define Py_END_CRITICAL_SECTION()         }
#endif

/* Workers that one engine can have; options.py refuses more. */
#define WORKERS_MAX 256

typedef struct {
    PyTypeObject *engine_type;
    PyTypeObject *session_type;
    PyTypeObject *packer_type;
    PyTypeObject *pending_type;
    PyObject *session_closed; /* exceptions of iocpreuse.errors */
    PyObject *stale_session;
    PyObject *write_overflow;
    PyObject *server_state_error;
    PyObject *login_conflict;
    PyObject *inet_ntop; /* socket.inet_ntop */
    PyObject *af_inet6;
    PyObject *time;
    free_sessions_t free_sessions;
    const tls_library_t *tls; /* OpenSSL, once tls_bind has told where it is; or NULL */
    atomic_u64_t *generation; /* clients so far, in all engines of this interpreter */
} module_state_t;

typedef struct {
    atomic_ptr_t thread; /* PyThreadState of a worker, or NULL */
    batch_t *batch;
    event_t *event;        /* whose callback runs; the worker's own */
    stopwatch_t callbacks; /* runs while the worker does */
} worker_t;

typedef struct {
    PyObject_HEAD module_state_t *state;
    PyObject *module; /* keeps STATE alive */
    engine_t *engine;
    spares_t *spares;     /* or NULL */
    PyObject *sessions;   /* dict: SessionId to Session */
    PyObject *framing;    /* of a session to begin with; NULL = none */
    PyObject *on_connect; /* callbacks: NULL where the application has none */
    PyObject *on_data;
    PyObject *on_drain;
    PyObject *on_eof;
    PyObject *on_disconnect;
    PyObject *on_error;
    PyObject *on_farewell; /* like on_error, for a callback that its client's end cut short */
    PyObject *make_disconnect;
    PyObject *on_login;
    PyObject *lose;        /* lose(session, requests, unsent, partial), when it ends with some: who
                              takes them over, a Session, a net_id or None */
    PyObject *on_pool;     /* told the pool's new size */
    PyObject *on_shortage; /* told of accepts that cannot be posted: on_shortage(stage, times,
                              error, seconds) */
    PyObject *make_tls;    /* makes an SSLObject, or a tunnel, for a client that has come; NULL =
                              no TLS */
    PyObject *tls_failed;  /* tls_failed(peername, reason, error, disconnect): a handshake failed */
    PyObject *plain_ends;  /* tuple: a Disconnect for each reason, for when there is no memory to
                              make one */
    bool tls_is_native;    /* what it makes is an SSLObject, which csrc/tls drives */
    bool wants_unsent;     /* LOSE wants to hear of unsent messages even without requests */
    atomic_u64_t callback_errors;
    uint64_t callback_ns_told; /* by the last statistics: they never go back */
    uint64_t attach_budget_ns; /* how long a worker may keep a GIL that others want */
    uint64_t busy_poll_ns;     /* how long it spins before it sleeps */
    atomic_u64_t attached;     /* workers that have attached and not yet detached */
    atomic_u64_t gil_wait_ns;  /* workers' waits for the GIL that have ended */
    atomic_u32_t started;
    atomic_u32_t stopped;
    worker_t workers[WORKERS_MAX];
} engine_object_t;

typedef struct {
    PyObject_HEAD engine_object_t *engine;
    token_t token;
    PyObject *id;        /* TOKEN as an int, the key in the registry */
    atomic_ptr_t net_id; /* PyObject: None until login; written under the object's own lock */
    PyObject *app_state; /* what the application keeps with its client */
    PyObject *framing;   /* how its stream is cut; NULL = it is not */
    PyObject *weakrefs;
    PyObject *ssl_object; /* NULL without TLS; set before the application knows of the session */
    atomic_ptr_t final;   /* session_info_t: what its slot knew of it at the end; NULL before */
    double connected_at;
    double logged_in_at;   /* 0 = not */
    atomic_u32_t priority; /* an int */
    atomic_u32_t is_there; /* on_connect has returned, and broadcasts reach it */
} session_object_t;

extern PyType_Spec engine_type_spec;
extern PyType_Spec session_type_spec;
extern PyType_Spec packer_type_spec;
extern PyType_Spec pending_type_spec;

/* How the Framing OBJECT cuts, borrowed from it; NULL with a TypeError for anything else. */
const framing_t *framing_of(module_state_t *state, PyObject *object);

/* What a message has at most, besides its own bytes. */
#define FRAMING_EXTRA_MAX FRAMING_DELIMITER_MAX

/* Writes a message of LEN bytes to OUT as it goes over the wire: up to FRAMING_EXTRA_MAX more. How
 * many there are; -1 with a ValueError for one that could not be cut out again. */
Py_ssize_t framing_pack(const framing_t *framing, const char *bytes, Py_ssize_t len, char *out);

/* The same in PARTS, one or two objects, which together are that: MESSAGE, which has LEN bytes, is
 * not copied where it can be helped. How many; -1 with an exception. */
int framing_split(const framing_t *framing, PyObject *message, const char *bytes, Py_ssize_t len,
                  PyObject *parts[2]);

/* A new Session for the client of EVENT. */
PyObject *session_new(engine_object_t *engine, const event_t *event);

/* How the session's stream is cut: a new reference to a Framing or None. It is set in its callbacks
 * only. */
PyObject *session_framing(session_object_t *self, void *closure);
int session_set_framing(session_object_t *self, PyObject *value, void *closure);
/* Session.get_extra_info, and Session.ssl_object. */
PyObject *session_get_extra_info(session_object_t *self, PyObject *const *args, Py_ssize_t count);
PyObject *session_ssl_object(session_object_t *self, void *closure);

/* Keeps the addresses and counters of a session that is about to lose its slot. */
void session_end(session_object_t *session);

/* A new reference to the hook in FIELD; NULL without an exception where the server has stopped. */
PyObject *engine_hook(engine_object_t *self, PyObject **field);

/* Session.login; CONFLICT is NULL where it was not given, OVER tells whether the session has ended
 * or ends. NULL with an exception. */
PyObject *naming_login(session_object_t *session, PyObject *net_id, PyObject *conflict, bool over);

/* The engine tells of a login of SESSION's: returns when whoever called it has noted the name. */
void naming_await(session_object_t *session);

/* In the callback of EVENT_CLOSED: the name of its client, whose it is no more, is let go of. */
void naming_leave(engine_object_t *self, const event_t *event);

/* The Session that has the name NET_ID, a new reference; NULL where none has, or with an exception.
 */
PyObject *naming_find(engine_object_t *self, PyObject *net_id);

/* The client that WHO is, or is the name of, in TOKEN; TOKEN_NONE where there is none. False with
 * an exception. */
bool naming_who(engine_object_t *self, PyObject *who, token_t *token);

/* All that have one, by net_id, in the order of their logins: a new dict. */
PyObject *naming_dict(engine_object_t *self);

/* A new Pending: a request of SESSION's client, with what the application keeps with it. */
PyObject *pending_begin(session_object_t *session, PyObject *tag, PyObject *asked);

/* In the callback of EVENT_CLOSED: its COUNT open requests, as a tuple of Pending. */
PyObject *pending_list_lost(const event_t *event, size_t count);

/* And when that has been told: they become HEIR's, or (TOKEN_NONE) are aborted. */
void pending_pass_on(engine_object_t *self, const event_t *event, token_t heir);

/* Takes a place for the calling thread, which becomes a worker. NULL with an exception where there
 * is none. */
worker_t *roster_join(engine_object_t *self);

/* The calling thread, whose place this is, is no worker any more. */
void roster_leave(worker_t *worker);

/* The batch of the calling thread if it is one of the engine's workers, else NULL. */
batch_t *roster_batch(engine_object_t *self);

/* The event whose callback the calling thread runs; NULL = none. */
const event_t *roster_event(engine_object_t *self);

/* The body of a worker: events to callbacks, until the engine stops. NULL with an
 * exception where it cannot begin. */
PyObject *worker_run(engine_object_t *self);

/* Calls back for EVENT. */
void dispatch_event(engine_object_t *self, event_t *event);

/* Queues the bytes of ARGS. False with an exception for what is not bytes-like. */
bool sending_queue(engine_object_t *self, token_t token, PyObject *const *args, Py_ssize_t count,
                   call_t *result);

/* Makes the CHAIN of one message of the bytes of ARGS. False with an exception. */
bool sending_chain(engine_object_t *self, PyObject *const *args, Py_ssize_t count, sendq_t *chain);

/* Whether the system call that sends CHAIN is long enough to let other threads run. */
bool sending_is_long(const sendq_t *chain);

/* Queues MESSAGE as FRAMING, a Framing or None, has it. False with an exception where it cannot. */
bool sending_queue_message(engine_object_t *self, token_t token, PyObject *framing,
                           PyObject *message, call_t *result);

/* The exception that is set, where it tells that a session takes nothing more, is about the one
 * with this ID. */
void exception_is_about(module_state_t *state, PyObject *id);

/* Whether EXCEPTION tells that of a session: of which one, in TOKEN, or TOKEN_NONE if it does not
 * say. */
bool exception_tells(module_state_t *state, PyObject *exception, token_t *token);

/* The exception that is set, with its traceback; none is set then. */
PyObject *exception_take(void);

/* What send() to the session TOKEN tells of RESULT: True, False (it is full), or NULL with an
 * exception. */
PyObject *sending_result(module_state_t *state, token_t token, call_t result);

/* OBJECT, which VIEW shows, as a message for COUNT sessions. NULL with an exception. */
shared_t *sending_share(PyObject *object, const Py_buffer *view, size_t count);

/* Queues DATA to the sessions with the ids in TO, or to all (None); how many took it, as an int. */
PyObject *broadcasting_send(engine_object_t *self, PyObject *data, PyObject *to);

/* The whole messages of QUEUE of which the peer certainly has nothing, as a list of bytes.
 * PARTIAL: it may have others in part. */
PyObject *sending_unsent(const sendq_t *queue, uint64_t attempted, bool *partial);

/* Releases what was pinned. */
void sending_release(engine_object_t *self, sendq_t *done);

/* (host, port) or (host, port, flow, scope), as the socket module has it. */
PyObject *address_tuple(module_state_t *state, const io_addr_t *addr);

/* Reads (version, packed ip, port, flow, scope). */
bool address_parse(PyObject *tuple, io_addr_t *out);

/* The keyword arguments of Engine. */
bool options_parse(engine_object_t *self, PyObject *args, PyObject *kwargs,
                   engine_options_t *options, io_addr_t *addr);

PyObject *stats_dict(engine_object_t *self);

#endif
