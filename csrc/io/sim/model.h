/* model.h: the simulated system, for the files of this folder. */
#ifndef IOCPREUSE_IO_SIM_MODEL_H
#define IOCPREUSE_IO_SIM_MODEL_H

#include "sim.h"

/* What the system has. Submits fail for want of resources beyond it; the memory is bounded. */
#define SIM_SOCKS_MAX  1024u
#define SIM_OPS_MAX    2048u
#define SIM_TIMERS_MAX 2048u

#define SIM_INDEX_NONE UINT32_MAX

#define NS_PER_US 1000ull
#define NS_PER_MS 1000000ull
#define NS_PER_S  1000000000ull

/* Winsock's names, on every OS. */
enum {
    SIM_NETNAME_DELETED = 64,
    SIM_WSAEFAULT = 10014,
    SIM_WSAEINVAL = 10022,
    SIM_WSAEMFILE = 10024,
    SIM_WSAENOTSOCK = 10038,
    SIM_WSAENETDOWN = 10050,
    SIM_WSAECONNABORTED = 10053,
    SIM_WSAECONNRESET = 10054,
    SIM_WSAENOBUFS = 10055,
    SIM_WSAENOTCONN = 10057,
    SIM_WSAETIMEDOUT = 10060
};

/* One operation that is outstanding. */
typedef struct {
    io_op_t *op; /* NULL = the record is free */
    uint64_t ticket;
    sim_kind_t kind;
    io_sock_t sock;  /* of an accept: the one that it is to fill, perhaps none */
    bool ready;      /* complete, and not dequeued */
    bool cancelled;  /* it was asked to end */
    bool ignores;    /* so it was, and that does nothing */
    bool held;       /* the model takes its time until DUE_NS */
    bool sets_sock;  /* *INOUT = SOCK when it is dequeued */
    bool frees_sock; /* it is closed then, and *INOUT is none */
    uint64_t due_ns;
    io_sock_t *inout;
    io_accept_buf_t *accept_buf;
    char *data;        /* of a receive; NULL of one that borrows */
    uint64_t received; /* what it brings begins so far from the stream's beginning, */
    uint64_t number;   /* which is this connection's */
    struct io_lender *lender;
    uint32_t len;
    uint32_t bufs_count; /* of a send */
    uint64_t sum;        /* of the buffers, which nobody else may change */
    uint32_t status;
    uint32_t bytes;
    io_buf_t bufs[IO_SEND_BUFS_MAX];
} sim_op_t;

typedef enum {
    SOCK_FREE, /* the place is */
    SOCK_LISTENING,
    SOCK_CREATED, /* never connected */
    SOCK_ACCEPT_POSTED,
    SOCK_ACCEPTED, /* io_accept_finish has not been called */
    SOCK_CONNECTED,
    SOCK_DISCONNECTING,
    SOCK_REUSABLE,
    SOCK_DEAD /* good for nothing but its close */
} sock_state_t;

typedef struct {
    sock_state_t state;
    uint32_t generation;
    uint32_t conn; /* SIM_INDEX_NONE = none */
    uint32_t recv; /* records, or SIM_INDEX_NONE */
    uint32_t send;
    uint32_t life;
    bool fin_sent;
    bool time_wait; /* our FIN was first: what becomes of the socket next takes minutes */
    bool queued;    /* on the kernel's list of work */
} sim_sock_t;

typedef enum {
    CONN_FREE,
    CONN_WAITING, /* in the backlog */
    CONN_SERVED,
    CONN_PARTED /* the server's side is closed */
} conn_state_t;

typedef struct {
    conn_state_t state;
    uint64_t number;
    uint64_t since_ns;
    io_sock_t sock; /* that serves it */
    uint32_t window;
    uint64_t written;  /* by the client */
    uint64_t received; /* of these, by the server */
    uint64_t taken;    /* by the stack, from the server */
    uint64_t reported; /* of these, to the server */
    uint64_t read;     /* of these, by the client */
    uint64_t heard;    /* of those received, what the server was told of */
    uint64_t heard_ns; /* when the server last heard of bytes that came or went, */
    uint64_t went_ns;  /* of bytes that went, */
    uint64_t read_ns;  /* and when the client last read some */
    uint64_t dies_ns;
    uint32_t death; /* the status that operations get now; 0 = alive */
    bool client_fin;
    bool client_left; /* its socket is closed */
    bool client_gone; /* and the test has forgotten it */
    bool kept;        /* but is not through with it */
    bool vanished;
    bool server_fin;
} sim_conn_t;

typedef enum { TIMER_SOCK, TIMER_CONN, TIMER_LISTENER } sim_timer_kind_t;

typedef struct {
    uint64_t due_ns;
    sim_timer_kind_t kind;
    uint64_t what; /* a handle, or a connection's number */
    uint32_t conn;
} sim_timer_t;

struct io {
    sim_config_t config;
    sim_hooks_t hooks;
    rng_t rng;
    rng_t cancels; /* what becomes of cancels: worlds without such faults go on as they did */
    uint64_t now_ns;
    uint64_t trace;
    FILE *trace_file;

    bool foreign; /* a thread runs that is not the engine's, and may end at any time */

    io_sock_t listener;
    bool fd_enabled; /* FD_ACCEPT may be signalled: an accept was posted since the last one */
    bool fd_signalled;
    bool listener_queued;

    bool manager_woken;
    uint64_t manager_due_ns;
    uint32_t wakes;

    uint64_t tickets;
    uint64_t conn_numbers;
    uint64_t submits;
    uint64_t last_accept_ns;
    uint64_t last_trouble_ns;
    uint64_t socks_made;
    uint64_t bytes_received;
    uint64_t bytes_sent;
    uint64_t faults[SIM_FAULT_COUNT];

    uint32_t socks_open;
    uint32_t socks_top; /* places ever used */
    uint32_t socks_free_count;
    uint32_t ops_top;
    uint32_t ops_free_count;
    uint32_t ops_out;
    uint32_t conns_top;
    uint32_t conns_free_count;
    uint32_t ready_count;
    uint32_t accepts_count;
    uint32_t backlog_count;
    uint32_t work_count;
    uint32_t timers_count;
    uint64_t timers_next_ns;

    uint32_t socks_free[SIM_SOCKS_MAX];
    uint32_t ops_free[SIM_OPS_MAX];
    uint32_t conns_free[SIM_CONNS_MAX];
    uint32_t ready[SIM_OPS_MAX];   /* records, in the order of their completion */
    uint32_t accepts[SIM_OPS_MAX]; /* records that wait for a client */
    uint32_t backlog[SIM_CONNS_MAX];
    io_sock_t work[2 * SIM_SOCKS_MAX]; /* sockets that the kernel must look at; some closed since */
    sim_timer_t timers[SIM_TIMERS_MAX];
    sim_sock_t socks[SIM_SOCKS_MAX];
    sim_conn_t conns[SIM_CONNS_MAX];
    sim_op_t ops[SIM_OPS_MAX];
};

/* table.c: places are taken and given back. */

/* IO_SOCK_NONE when there are too many. */
io_sock_t sim_sock_make(io_t *io, sock_state_t state);
void sim_sock_free(io_t *io, io_sock_t handle);
/* Ends the run where HANDLE is not an open socket. */
sim_sock_t *sim_sock_at(io_t *io, io_sock_t handle);
/* NULL then. */
sim_sock_t *sim_sock_find(io_t *io, io_sock_t handle);

void sim_timer_add(io_t *io, uint64_t due_ns, sim_timer_kind_t kind, uint64_t what, uint32_t conn);

/* The kernel will look at the socket, or at the listener. */
void sim_look_at(io_t *io, io_sock_t handle);
void sim_look_at_listener(io_t *io);

/* op.c */

/* An outstanding operation's record; NULL when there are too many. */
sim_op_t *sim_op_begin(io_t *io, io_op_t *op, sim_kind_t kind, io_sock_t sock);
uint32_t sim_op_index(const io_t *io, const sim_op_t *record);
void sim_op_free(io_t *io, sim_op_t *record);
/* The operation is complete. */
void sim_op_end(io_t *io, sim_op_t *record, uint32_t status, uint32_t bytes);
/* The buffers of a record are as they were left. */
void sim_op_check(io_t *io, const sim_op_t *record);
/* Holds back the end of RECORD, for up to MAX_NS. */
void sim_hold(io_t *io, sim_op_t *record, uint64_t max_ns);
bool sim_is_held(io_t *io, const sim_op_t *record);
/* A cancelled operation could end well, too: whether the cancel wins. */
bool sim_cancel_wins(io_t *io);

/* kernel.c */
void sim_kernel_look(io_t *io, io_sock_t handle);
/* Sends at once what there is room for: the number of bytes, 0 where it is not to be. */
uint32_t sim_send_now(io_t *io, const sim_sock_t *sock, const io_buf_t *bufs, uint32_t len);
/* SOCK's handle is closed: what is outstanding on it ends. */
void sim_kernel_sever(io_t *io, const sim_sock_t *sock);

/* backlog.c */
void sim_listener_look(io_t *io);
/* The listener is closed: accepts end, and who waits is reset. */
void sim_listener_close(io_t *io);

/* conn.c */
/* The connection is no more, and its operations end with STATUS. */
void sim_conn_kill(io_t *io, uint32_t index, uint32_t status);
/* The server's socket is closed, or free for the next client. */
void sim_conn_part(io_t *io, uint32_t index);
void sim_conn_fin(io_t *io, uint32_t index); /* by the server */
void sim_conn_die(io_t *io, uint32_t index, uint64_t number);

/* fault.c */
/* Whether this submit fails, with *ERROR. */
bool sim_fault_submit(io_t *io, sim_kind_t kind, int *error);
/* Whether a completion is to be spoiled, with *STATUS. */
bool sim_fault_completion(io_t *io, uint32_t *status);
bool sim_fault_setup(io_t *io, int *error);
int sim_submit_failed(io_op_t *op, int error);

#endif
