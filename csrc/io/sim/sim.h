/* sim.h: a deterministic world behind the seam: one thread, a virtual clock, one seed.
 *
 * It models Windows: sockets that AcceptEx and DisconnectEx accept or refuse, TIME_WAIT,
 * completions in any order, cancels that win, lose or come late, and faults at every call.
 * Whatever breaks a rule of io.h ends the run.
 *
 * Nothing happens by itself. The test runs the kernel a step at a time (sim_kernel_step), moves
 * the clock, plays the clients with the calls below, and lets the engine's threads call the
 * seam. io_wait returns at once, so the test runs a worker only when sim_has_work; in
 * io_wait_starved the test itself is asked to wait. */
#ifndef IOCPREUSE_IO_SIM_SIM_H
#define IOCPREUSE_IO_SIM_SIM_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "../io.h"
#include "rng.h"

/* Connections that the model can have at once. */
#define SIM_CONNS_MAX 256u

typedef enum { SIM_ACCEPT, SIM_DISCONNECT, SIM_RECV, SIM_SEND, SIM_KINDS } sim_kind_t;

/* What can go wrong, and is counted when it does. */
#define SIM_FAULTS(X)                                                                              \
    X(submit_backoff) /* a submit fails, for want of memory, buffers or handles */                 \
    X(submit_hard)    /* a submit fails for another reason */                                      \
    X(accept_refused) /* AcceptEx does not take a recycled socket */                               \
    X(accept_fails)   /* an accept completes with an error */                                      \
    X(accept_short)   /* an accept completes with "no resources", and no client is lost */         \
    X(accept_reset)   /* a client that reset in the backlog fails an accept */                     \
    X(accept_dead)    /* a client that reset in the backlog is accepted all the same */            \
    X(accept_skipped) /* a client that reset in the backlog is never seen */                       \
    X(finish_fails)   /* SO_UPDATE_ACCEPT_CONTEXT or an option fails */                            \
    X(shutdown_fails)                                                                              \
    X(recv_fails) /* a receive completes with an error of the network */                           \
    X(recv_short) /* a receive takes less than there is */                                         \
    X(send_fails)                                                                                  \
    X(send_partial)   /* a send takes some of its bytes */                                         \
    X(send_empty)     /* a send takes none of its bytes, and is no error */                        \
    X(send_lost_tail) /* a send fails, and part of it reached the client */                        \
    X(cancel_lost)    /* a cancelled operation completes well */                                   \
    X(cancel_won)                                                                                  \
    X(cancel_late)    /* a cancelled operation takes its time */                                   \
    X(cancel_later)   /* it takes more than anybody waits for */                                   \
    X(cancel_ignored) /* a cancel does nothing */                                                  \
    X(cancel_aborts)  /* a cancel takes the connection with it */                                  \
    X(severed)        /* a socket is closed under an operation, which ends with it */              \
    X(disconnect_fails)                                                                            \
    X(disconnect_slow)      /* slower than a tick, without TIME_WAIT */                            \
    X(disconnect_time_wait) /* held up by TIME_WAIT */                                             \
    X(fd_accept_lost)       /* FD_ACCEPT is not signalled */                                       \
    X(client_reset)                                                                                \
    X(client_died) /* a client that vanished times out */                                          \
    X(reordered)   /* completions are dequeued in another order than they came */

typedef enum {
#define SIM_FAULT_ENUM(name) SIM_FAULT_##name,
    SIM_FAULTS(SIM_FAULT_ENUM)
#undef SIM_FAULT_ENUM
        SIM_FAULT_COUNT
} sim_fault_t;

/* Odds are of 65536. */
typedef struct {
    uint64_t seed;
    uint32_t hosts;  /* addresses that clients come from, at least 1 */
    bool reuse;      /* io_disconnect leaves a socket; else none */
    bool tells_acks; /* io_unacked knows */
    uint32_t odds_submit[SIM_KINDS];
    uint32_t odds_completion; /* that an operation completes with an error of its own */
    uint32_t odds_refused;    /* of AcceptEx on a recycled socket */
    uint32_t odds_setup;      /* io_accept_finish, io_shutdown */
    uint32_t odds_short;      /* less than all is received or sent */
    uint32_t odds_lazy;       /* that what could complete now does so later */
    uint32_t odds_slow;       /* of a DisconnectEx that is slow */
    uint32_t odds_fd_lost;
    uint32_t odds_cancel_ignored;
    uint32_t odds_cancel_aborts;
    uint32_t odds_cancel_later;
    uint64_t submit_fail_at; /* the number of the one submit that fails, from 1; 0 = none */
    int submit_fail_error;   /* its Winsock code */
} sim_config_t;

typedef struct {
    void *context;
    void (*fail)(void *context, const char *what); /* does not return */
    void (*manager_sleeps)(void *context);         /* returns when sim_manager_is_due, or later */
    /* How many of LEN bytes are what the client of CONN should get at POSITION. */
    size_t (*match)(void *context, uint32_t conn, uint64_t position, const char *bytes, size_t len);
    /* LEN bytes of what the client NUMBER says, from POSITION on. */
    void (*fill)(void *context, uint64_t number, uint64_t position, char *out, size_t len);
} sim_hooks_t;

/* Before the first operation; what was made until then (the listener) stays. */
void sim_configure(io_t *io, const sim_config_t *config, const sim_hooks_t *hooks);

/* Ends the run with a message that says which rule was broken. */
_Noreturn void sim_fail(io_t *io, const char *format, ...);

/* Adds what happened to the run's trace, one number that stands for it all. */
void sim_trace(io_t *io, const char *what, uint64_t a, uint64_t b);
uint64_t sim_trace_hash(const io_t *io);
/* And prints it from now on. */
void sim_trace_to(io_t *io, FILE *file);

/* Whether the thread that runs from now on is one of the application's; returns what stood
 * before. */
bool sim_set_foreign(io_t *io, bool foreign);

/* Time. The clock never goes back. */
void sim_advance(io_t *io, uint64_t to_ns);
uint64_t sim_next_timer_ns(const io_t *io); /* UINT64_MAX = none */

/* The kernel. */
bool sim_kernel_is_busy(const io_t *io);
void sim_kernel_step(io_t *io);

/* Workers: whether io_wait has something to return. */
bool sim_has_work(const io_t *io);
uint32_t sim_wakes(const io_t *io);
/* A worker that sleeps in io_wait takes a wake-up, if there is one. */
void sim_take_wake(io_t *io);

/* The manager, asleep. */
bool sim_manager_is_due(const io_t *io);
uint64_t sim_manager_due_ns(const io_t *io); /* 0 = now */

/* Clients. A connection is named by its index, which is free again after sim_client_leave. */
#define SIM_CONN_NONE UINT32_MAX

/* WINDOW bytes may be on their way to a client that does not read. NONE if nobody listens. */
uint32_t sim_connect(io_t *io, uint32_t window);
uint64_t sim_client_number(const io_t *io, uint32_t conn); /* unique, from 1 */
void sim_client_write(io_t *io, uint32_t index, uint32_t bytes);
uint64_t sim_client_written(const io_t *io, uint32_t conn);
uint32_t sim_client_read(io_t *io, uint32_t index, uint32_t max);
uint64_t sim_client_has_read(const io_t *io, uint32_t conn);
bool sim_client_is_served(const io_t *io, uint32_t conn); /* taken out of the backlog */
bool sim_client_sees_end(const io_t *io, uint32_t index); /* all is read, and there was a FIN */
bool sim_client_is_reset(const io_t *io, uint32_t conn);
void sim_client_shutdown(io_t *io, uint32_t index);
void sim_client_reset(io_t *io, uint32_t index);
void sim_client_vanish(io_t *io, uint32_t index, uint64_t dies_ns); /* UINT64_MAX = never */
void sim_client_leave(io_t *io, uint32_t index); /* closes: what still comes is answered with RST */

/* From KEPT to not KEPT a connection's index stays its own, whatever becomes of it. */
void sim_conn_keep(io_t *io, uint32_t index, bool kept);

/* The connection that SOCK serves, and what good completions told of bytes sent on it. */
uint32_t sim_conn_of(io_t *io, io_sock_t sock);
uint64_t sim_conn_taken(const io_t *io, uint32_t conn); /* bytes that reached it in truth */
uint64_t sim_conn_reported(const io_t *io, uint32_t conn);
uint64_t sim_conn_heard(const io_t *io, uint32_t conn);    /* bytes from it, as the server knows */
uint64_t sim_conn_since_ns(const io_t *io, uint32_t conn); /* when it was made */
/* When the server last heard of bytes that came from it or were taken for it; 0 = never. */
uint64_t sim_conn_heard_ns(const io_t *io, uint32_t conn);
/* When bytes for it were last taken, as the server knows, and when it last read some; 0 = never. */
uint64_t sim_conn_went_ns(const io_t *io, uint32_t conn);
uint64_t sim_conn_read_ns(const io_t *io, uint32_t conn);
/* Whether it has sent something that the server has not received. */
bool sim_conn_is_unread(const io_t *io, uint32_t conn);
/* Whether the client's FIN, or its reset, has come. */
bool sim_conn_has_fin(const io_t *io, uint32_t conn);

/* What the peer's address tells about its connection, and about the host it comes from. */
uint64_t sim_number_of(const io_addr_t *peer);
uint32_t sim_host_of(const io_addr_t *peer);

/* For the invariants. */
bool sim_is_outstanding(const io_t *io, const io_op_t *op);
bool sim_is_ending(const io_t *io, const io_op_t *op); /* a cancel was tried, or it is complete */
bool sim_is_ready(const io_t *io, const io_op_t *op);  /* it is complete */
bool sim_is_open(const io_t *io, io_sock_t sock);
uint32_t sim_open_socks(const io_t *io); /* the listener counts */
uint32_t sim_outstanding(const io_t *io);
uint32_t sim_accepts(const io_t *io);           /* that are pending */
uint64_t sim_last_accept_ns(const io_t *io);    /* when one was last tried */
uint64_t sim_last_trouble_ns(const io_t *io);   /* when an accept last failed */
uint64_t sim_oldest_waiting_ns(const io_t *io); /* since when a client waits; UINT64_MAX = none */
uint64_t sim_socks_made(const io_t *io);
uint64_t sim_submits(const io_t *io);
void sim_bytes(const io_t *io, uint64_t *received, uint64_t *sent); /* as completions told */
const uint64_t *sim_faults(const io_t *io);                         /* SIM_FAULT_COUNT of them */
const char *sim_fault_name(sim_fault_t fault);
void sim_count_fault(io_t *io, sim_fault_t fault);

#endif
