/* rig.h: a port with a listener, and calls on it that are accounted for. */
#ifndef IOCPREUSE_TESTS_RIG_H
#define IOCPREUSE_TESTS_RIG_H

#include "../../csrc/io/io.h"
#include "contract.h"
#include "peer.h"

#define RIG_EVENTS_MAX 64u /* of one io_wait */

/* An operation, and what became of it. */
typedef struct {
    io_op_t op; /* the first member: an event leads back to the call */
    bool outstanding;
    uint32_t status;
    uint32_t bytes;
    int error;
    uint32_t place; /* among the rig's completions */
} call_t;

typedef struct {
    call_t call;
    io_sock_t sock;
    io_accept_buf_t buf;
    io_addr_t peer;
    io_addr_t local;
} accept_t;

typedef struct {
    io_sock_t sock;
    peer_t peer;
    call_t recv;
    call_t send;
    call_t disconnect;
    accept_t accept;
} conn_t;

typedef struct {
    test_t *t;
    io_t *io;
    io_sock_t listener;
    io_addr_t addr;
    io_listen_options_t options;
    uint32_t submitted;
    uint32_t completed;
} rig_t;

/* On 127.0.0.1, any port, concurrency 1. */
void rig_open(rig_t *rig, test_t *t);
void rig_open_for(rig_t *rig, test_t *t, uint32_t concurrency);
void rig_open_at(rig_t *rig, test_t *t, const io_addr_t *addr, bool dual_stack);

/* Also checks that every submit got its completion, and no other came. */
void rig_close(rig_t *rig);

/* Submits. They return what the seam returned, after a look at op.error. */
int rig_accept(rig_t *rig, accept_t *accept);
int rig_recv(rig_t *rig, call_t *call, io_sock_t sock, void *buf, uint32_t len);
#if IO_RECV_BORROWS
int rig_recv_borrow(rig_t *rig, call_t *call, io_sock_t sock, io_lender_t *lender);
#endif
int rig_send(rig_t *rig, call_t *call, io_sock_t sock, const void *data, uint32_t len);
int rig_send_bufs(rig_t *rig, call_t *call, io_sock_t sock, const io_buf_t *bufs, uint32_t count);
/* The same, where it may be done at once: IO_DONE, and SENT tells how much. */
int rig_send_now(rig_t *rig, call_t *call, io_sock_t sock, const io_buf_t *bufs, uint32_t count,
                 uint32_t *sent);
int rig_disconnect(rig_t *rig, call_t *call, io_sock_t *inout);

/* One io_wait. Returns the number of completions. */
uint32_t rig_pump(rig_t *rig, uint32_t timeout_ms);
uint32_t rig_pump_up_to(rig_t *rig, uint32_t max, uint32_t timeout_ms);

/* Pumps until CALL is complete. */
void rig_await(rig_t *rig, const call_t *call);

/* Requires that nothing completes for QUIET_MS. */
void rig_quiet(rig_t *rig);

/* The accept is complete and good: finishes it with the rig's options. */
void rig_finish(rig_t *rig, accept_t *accept);

/* A connection, both ends of it. */
void rig_connect(rig_t *rig, conn_t *conn);
void rig_connect_narrow(rig_t *rig, conn_t *conn);
void rig_part(rig_t *rig, conn_t *conn);

/* Receives, and requires 1 to LEN bytes; returns how many. */
uint32_t rig_recv_some(rig_t *rig, conn_t *conn, void *buf, uint32_t len);
/* Receives until LEN bytes are there. */
void rig_recv_all(rig_t *rig, conn_t *conn, void *buf, uint32_t len);
/* Sends, and sends again what a completion left over. */
void rig_send_all(rig_t *rig, conn_t *conn, const void *data, uint32_t len);

/* Whether the call ended well. */
bool call_good(const call_t *call);
/* Whether it ended as it does when the peer has sent RST. */
bool call_was_reset(const call_t *call);

void pattern_fill(void *data, uint32_t len, uint32_t seed, uint32_t offset);
bool pattern_holds(const void *data, uint32_t len, uint32_t seed, uint32_t offset);

#endif
