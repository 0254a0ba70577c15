/* io.h: the seam. Overlapped I/O as Windows' completion ports define it.
 *
 * There is one implementation for each platform (io/iocp, io/epoll), chosen by
 * the build; nothing above this header calls an operating system. One contract
 * suite (tests/io_contract) runs against each of them.
 *
 * The rules, for every backend:
 *
 *  - A submit call (io_accept, io_recv, io_send, io_disconnect) returns 0:
 *    exactly one completion for OP will come from io_wait; or a negative number,
 *    the NTSTATUS as int32_t: none will come, and op->error holds the native
 *    error (a Winsock code on Windows, errno elsewhere). No completion is
 *    delivered from inside a submit call.
 *  - From a submit that returned 0 until its completion is dequeued, the
 *    operation and its buffers belong to the backend: not moved, freed or reused.
 *  - At most one receive, one send, and one of accept/disconnect are outstanding on a socket.
 *  - A completion may be dequeued by another thread before the submit has returned.
 *  - io_cancel is advisory: the completion still comes, cancelled or not.
 *  - A socket is closed only when nothing is outstanding on it. The exception is io_sock_sever.
 *  - All calls may be made from any thread, except that two calls which submit,
 *    cancel or close on one and the same socket are serialized by the caller. A
 *    listener takes accepts and cancels from several threads at once; it is closed
 *    when no accept is outstanding, each that completed is finished, and nobody is
 *    in io_wait_starved.
 *
 * Set-up calls return 0 or a negated native error. */
#ifndef IOCPREUSE_IO_IO_H
#define IOCPREUSE_IO_IO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "addr.h"
#include "ntstatus.h"

/* From the chosen backend's folder: io_sock_t, IO_SOCK_NONE, io_buf_t, io_op_t
 * (with a public member `int error`), io_event_t, io_accept_buf_t. */
#include "io_types.h"

#define IO_INFINITE UINT32_MAX

/* What io_send alone may return. */
#define IO_DONE 1

typedef struct io io_t;

typedef struct {
    uint32_t concurrency; /* workers that may run at once; 0 = the number of processors */
} io_options_t;

/* What every accepted socket carries. */
typedef struct {
    bool nodelay;
    bool keepalive;
    uint32_t keepalive_idle_s; /* 0 = the system's default, as below */
    uint32_t keepalive_interval_s;
    uint32_t keepalive_count;
    uint32_t send_buffer; /* bytes */
} io_sock_options_t;

typedef struct {
    int backlog;     /* <= 0 = the system's maximum */
    bool dual_stack; /* an IPv6 wildcard address takes IPv4 as well */
    io_sock_options_t accepted;
} io_listen_options_t;

int io_open(io_t **out, const io_options_t *options);

/* Closes the port. No socket is open and nothing is outstanding; no thread waits. */
void io_close(io_t *io);

/* In a forked child, whose only thread this is: closes its copies of all descriptors, so that
 * a connection does not outlive its end in the parent, and events stay the parent's. All sockets
 * are gone, what was outstanding never completes; only io_now_ns and io_close may follow. Where
 * processes do not fork it does nothing. */
void io_disown(io_t *io);

/* A bound, listening socket that this backend may accept on. An address that is in
 * use is an error here, also where another socket has it (SO_EXCLUSIVEADDRUSE). */
int io_listen(io_t *io, const io_addr_t *addr, const io_listen_options_t *options, io_sock_t *out);

/* The same for a listening stream socket made elsewhere. HANDLE belongs to the
 * backend if and only if 0 is returned. */
int io_listen_adopt(io_t *io, uintptr_t handle, const io_listen_options_t *options, io_sock_t *out);

/* The smoothed round-trip time of SOCK's connection, in microseconds; 0 where the stack does
 * not tell. */
uint32_t io_rtt_us(io_t *io, io_sock_t sock);

/* The address that SOCK is bound to. */
int io_sock_name(io_t *io, io_sock_t sock, io_addr_t *out);

/* The native handle, a descriptor or a SOCKET: to look at the socket, or to set an option
 * that the seam lacks. It stays the backend's, and is good until SOCK is closed. */
uintptr_t io_sock_handle(io_t *io, io_sock_t sock);

/* Takes one connection from LISTENER. *INOUT is a socket that io_disconnect left for
 * reuse, or IO_SOCK_NONE: then one is made. *INOUT may be set at once or only when the
 * completion is dequeued, so it and BUF live until then. After a failed submit or
 * completion *INOUT holds a socket to be closed, or none. */
int io_accept(io_t *io, io_op_t *op, io_sock_t listener, io_sock_t *inout, io_accept_buf_t *buf);

/* To be called once after each accept that completed well, before any other call on
 * SOCK: makes it a full socket and applies OPTIONS, anew for every client.
 * Returns 0 or a negative NTSTATUS: then the socket is to be closed. */
int io_accept_finish(io_t *io, io_sock_t listener, io_sock_t sock, const io_accept_buf_t *buf,
                     const io_sock_options_t *options, io_addr_t *peer, io_addr_t *local);

/* Completes with 1 to LEN bytes; with 0 bytes at the peer's FIN. LEN = 0 (BUF may be
 * NULL) completes with 0 bytes as soon as there is data, a FIN or an error to read, and
 * takes none of it. */
int io_recv(io_t *io, io_op_t *op, io_sock_t sock, void *buf, uint32_t len);

/* Buffers that one loan has at most. */
#define IO_LOAN_BUFS_MAX 8

/* Lends buffers to receives. Its functions are called by the threads in io_wait, under locks of the
 * backend's: what they take themselves are leaves. */
typedef struct io_lender {
    uint32_t size; /* bytes that a loan has room for, more or less; not 0 */

    /* Makes a loan for BORROWER, whom the thread in io_wait has named: writes its buffers, which
     * are filled in this order, to BUFS, and its name, which is the lender's own matter, to *LOAN.
     * Returns their number; 0 = it has none. */
    uint32_t (*lend)(struct io_lender *lender, void *borrower, io_buf_t *bufs, void **loan);

    /* Takes back those that begin behind the first KEPT bytes of the loan: all of it, if 0. Not
     * asked where that is none: the loan has one buffer, and something was received into it. */
    void (*take_back)(struct io_lender *lender, void *borrower, void *loan, uint32_t kept);

    struct io_lender *next; /* who is asked where this one has none, but nobody after it; or NULL */
} io_lender_t;

#if IO_RECV_BORROWS
/* As io_recv into a loan of LENDER's, which is made only when there is something to receive. The
 * buffers that it does not reach go back at once. The others come with a completion of 1 byte and
 * more, and are the caller's to give back: io_op_loan tells the loan's name, and io_op_is_passed_on
 * whether it is of the lender next to LENDER. Any other completion comes without; where nobody
 * lends, as an error. */
int io_recv_borrow(io_t *io, io_op_t *op, io_sock_t sock, io_lender_t *lender);
#endif

/* Completes with the number of bytes that the stack has taken: all of them, or fewer, also
 * 0 (then it is worth trying again now); or with an error. At most IO_SEND_BUFS_MAX buffers
 * and at least 1 byte. The bytes stay put until the completion, the io_buf_t array only
 * during the call. Where the caller can take that (SENT is not NULL) it may instead be done at
 * once: then IO_DONE is returned, *SENT tells the number of bytes, at least 1, and no completion
 * will come. */
int io_send(io_t *io, io_op_t *op, io_sock_t sock, const io_buf_t *bufs, uint32_t count,
            uint32_t *sent);

/* Sends our FIN; reading goes on. Returns 0, or a negative NTSTATUS, and the native error in
 * *ERROR: what broke the connection, where the stack still knows. Serialized with the submit calls
 * on SOCK. */
int io_shutdown(io_t *io, io_sock_t sock, int *error);

/* Of the TAKEN bytes that the stack has taken for SOCK's connection, by the caller's count, those
 * that are known not to have been acknowledged by the peer's: so many at least, in *BYTES. A FIN
 * does not count. False where the stack does not tell. Serialized with the submit calls on SOCK. */
bool io_unacked(io_t *io, io_sock_t sock, uint64_t taken, uint64_t *bytes);

/* Disconnects for reuse. After a good completion *INOUT is a socket for io_accept on the
 * same listener, or IO_SOCK_NONE where the platform cannot reuse (it is closed then).
 * After a failed submit or completion *INOUT is to be closed. */
int io_disconnect(io_t *io, io_op_t *op, io_sock_t *inout);

/* Whether OP, a receive or a send that is outstanding on SOCK, need wait no longer: it has
 * completed, or would if a worker looked. It may do so the moment after. Serialized with the
 * submit calls on SOCK. */
bool io_is_due(io_t *io, io_sock_t sock, io_op_t *op);

/* Asks for OP to end soon. SOCK is the socket it was submitted on; the listener for an accept. */
void io_cancel(io_t *io, io_sock_t sock, io_op_t *op);

/* Closes *INOUT and sets it to IO_SOCK_NONE; RESET sends RST instead of FIN. */
void io_sock_close(io_t *io, io_sock_t *inout, bool reset);

/* The last resort, where an io_cancel has brought nothing: what is outstanding on *INOUT, be it a
 * listener or not, completes, because its handle is closed, as by io_sock_close, or because a
 * cancel always brings something here. *INOUT is then IO_SOCK_NONE, or still to be closed. */
void io_sock_sever(io_t *io, io_sock_t *inout, bool reset);

/* Up to MAX completions; waits for the first up to TIMEOUT_MS. Returns their number: 0
 * after a time-out, and for a wake-up alone. A worker that calls it has finished with the
 * batch before (this is what the concurrency value counts). BORROWER is for lenders alone: in whose
 * name this thread borrows. */
uint32_t io_wait(io_t *io, io_event_t *events, uint32_t max, uint32_t timeout_ms, void *borrower);

/* The calling worker, which has events, is going to block: another may run in its stead until its
 * next io_wait. For backends whose system does not see that by itself. */
void io_yield(io_t *io);

/* Makes WORKERS calls of io_wait return, now or the next time they are made. */
void io_wake(io_t *io, uint32_t workers);

/* For one thread, the manager: waits until a connection arrives at LISTENER while no
 * accept is outstanding (returns 1), io_wake_manager was called (0), or TIMEOUT_MS passed (0). */
int io_wait_starved(io_t *io, io_sock_t listener, uint32_t timeout_ms);
void io_wake_manager(io_t *io);

/* A monotonic clock. */
uint64_t io_now_ns(io_t *io);

/* Proves on loopback that a disconnected socket serves a second client: accept, data both
 * ways, disconnect for reuse, accept on the same socket, data both ways. Returns within
 * about TIMEOUT_MS. True only if every step worked. */
bool io_probe_recycling(uint32_t timeout_ms);

/* What a dequeued event tells. io_event_op is never NULL; status is an NTSTATUS, and
 * error the native error of a failed operation, 0 of a good one.
 *
 *   static inline io_op_t *io_event_op(const io_event_t *);
 *   static inline uint32_t io_event_bytes(const io_event_t *);
 *   static inline uint32_t io_event_status(const io_event_t *);
 *   static inline int      io_event_error(const io_event_t *);
 *
 * io_types.h defines them, and IO_NATIVE_NTSTATUS: 1 where the status came from the system
 * itself (error is then its Winsock code), 0 where the backend made it from an errno; and
 * IO_ACCEPT_MAKES_SOCK: 1 where io_accept makes a missing socket in the call, 0 where it
 * comes with the completion; and IO_FAILED_SEND_IS_UNSENT: 1 where a send that failed has
 * certainly put nothing on the wire; and IO_THREAD_EXIT_CANCELS: 1 where operations end with
 * the thread that started them, so that only long-lived threads may submit; and IO_RECV_BORROWS:
 * 1 where a receive needs no buffer while it waits, and io_recv_borrow is there, and with it
 *
 *   static inline void *io_op_loan(const io_op_t *);
 *   static inline bool  io_op_is_passed_on(const io_op_t *); */

#endif
