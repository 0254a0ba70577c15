/* sock.c: the seam's calls on a socket, and the rules for them. */
#include "model.h"

#include <string.h>

#include "stream.h"

#define CANARY 0xA5

/* The socket, which CALL needs connected; else the run ends. */
static sim_sock_t *sock__connected(io_t *io, io_sock_t sock, const char *call)
{
    sim_sock_t *place = sim_sock_at(io, sock);
    if (place->state == SOCK_ACCEPTED) {
        sim_fail(io, "%s on a socket before io_accept_finish", call);
    }
    if (place->state != SOCK_CONNECTED) {
        sim_fail(io, "%s on a socket in state %d", call, (int)place->state);
    }
    return place;
}

/* What the model's first look may come to at once, or later. */
static void sock__submitted(io_t *io, io_sock_t sock)
{
    sim_look_at(io, sock);
    if (!rng_chance(&io->rng, io->config.odds_lazy)) {
        sim_kernel_look(io, sock);
    }
}

int io_listen(io_t *io, const io_addr_t *addr, const io_listen_options_t *options, io_sock_t *out)
{
    (void)addr;
    (void)options;
    io->listener = sim_sock_make(io, SOCK_LISTENING);
    *out = io->listener;
    return 0;
}

int io_listen_adopt(io_t *io, uintptr_t handle, const io_listen_options_t *options, io_sock_t *out)
{
    (void)handle; /* no socket is made outside of the model */
    return io_listen(io, NULL, options, out);
}

int io_sock_name(io_t *io, io_sock_t sock, io_addr_t *out)
{
    (void)sim_sock_at(io, sock);
    *out = (io_addr_t){.version = 4, .port = 1, .ip = {127, 0, 0, 1}};
    return 0;
}

uintptr_t io_sock_handle(io_t *io, io_sock_t sock)
{
    (void)sim_sock_at(io, sock);
    return sock;
}

bool io_is_due(io_t *io, io_sock_t sock, io_op_t *op)
{
    const sim_sock_t *place = sock__connected(io, sock, "io_is_due");
    if (!sim_is_outstanding(io, op) || io->ops[op->record - 1].ready) {
        return true;
    }
    const sim_conn_t *conn = &io->conns[place->conn];
    if (io->ops[op->record - 1].kind == SIM_RECV) {
        return conn->death != 0 || conn->client_fin || conn->written > conn->received;
    }
    return conn->death != 0 || conn->client_left || conn->taken - conn->read < conn->window;
}

uint32_t io_rtt_us(io_t *io, io_sock_t sock)
{
    (void)sock__connected(io, sock, "io_rtt_us");
    return rng_below(&io->rng, 1000);
}

/* AcceptEx takes a socket that is new, or free again; of those, it may refuse the latter. */
static bool sock__may_accept(io_t *io, io_sock_t sock)
{
    const sim_sock_t *place = sim_sock_at(io, sock);
    if (place->life != SIM_INDEX_NONE) {
        sim_fail(io, "an accept on a socket that is in one already");
    }
    if (place->state != SOCK_CREATED && place->state != SOCK_REUSABLE) {
        sim_fail(io, "an accept on a socket in state %d", (int)place->state);
    }
    if (place->state == SOCK_REUSABLE && rng_chance(&io->rng, io->config.odds_refused)) {
        sim_count_fault(io, SIM_FAULT_accept_refused);
        return false;
    }
    return true;
}

/* What an accept that failed at once has left is only to be closed. */
static int sock__accept_failed(io_t *io, io_op_t *op, io_sock_t sock, int error)
{
    if (sock != IO_SOCK_NONE) {
        sim_sock_at(io, sock)->state = SOCK_DEAD;
    }
    io->last_trouble_ns = io->now_ns;
    return sim_submit_failed(op, error);
}

int io_accept(io_t *io, io_op_t *op, io_sock_t listener, io_sock_t *inout, io_accept_buf_t *buf)
{
    int error;
    if (listener != io->listener) {
        sim_fail(io, "an accept on what is not the listener");
    }
    io->last_accept_ns = io->now_ns;
    bool fails = sim_fault_submit(io, SIM_ACCEPT, &error);
    /* It may fail before its socket is made, or after. */
    if (*inout == IO_SOCK_NONE && IO_ACCEPT_MAKES_SOCK && (!fails || rng_chance(&io->rng, 32768))) {
        *inout = sim_sock_make(io, SOCK_CREATED);
        if (*inout == IO_SOCK_NONE) {
            return sim_submit_failed(op, SIM_WSAEMFILE);
        }
    }
    bool refused = *inout != IO_SOCK_NONE && !sock__may_accept(io, *inout);
    if (fails || refused) {
        return sock__accept_failed(io, op, *inout, fails ? error : SIM_WSAEINVAL);
    }
    sim_op_t *record = sim_op_begin(io, op, SIM_ACCEPT, *inout);
    if (record == NULL) {
        return sock__accept_failed(io, op, *inout, SIM_WSAENOBUFS);
    }
    if (*inout != IO_SOCK_NONE) {
        sim_sock_at(io, *inout)->state = SOCK_ACCEPT_POSTED;
        sim_sock_at(io, *inout)->life = sim_op_index(io, record);
    }
    record->inout = inout;
    record->accept_buf = buf;
    io->accepts[io->accepts_count++] = sim_op_index(io, record);
    io->fd_enabled = true;
    sim_trace(io, "accept", *inout, io->accepts_count);
    sim_look_at_listener(io);
    return 0;
}

int io_accept_finish(io_t *io, io_sock_t listener, io_sock_t sock, const io_accept_buf_t *buf,
                     const io_sock_options_t *options, io_addr_t *peer, io_addr_t *local)
{
    sim_sock_t *place = sim_sock_at(io, sock);
    int error;
    (void)options;
    if (listener != io->listener || place->state != SOCK_ACCEPTED) {
        sim_fail(io, "io_accept_finish on a socket in state %d", (int)place->state);
    }
    sim_conn_t *conn = &io->conns[place->conn];
    if (buf->peer != conn->number) {
        sim_fail(io, "io_accept_finish with another client's address");
    }
    if (sim_fault_setup(io, &error)) {
        sim_count_fault(io, SIM_FAULT_finish_fails);
        io->last_trouble_ns = io->now_ns;
        place->state = SOCK_DEAD;
        return (int)(int32_t)ntstatus_from_wsa(error);
    }
    uint64_t number = conn->number;
    /* Every second client of a host has its IPv4 address mapped into IPv6. */
    uint8_t host = (uint8_t)(number % io->config.hosts);
    *peer = (io_addr_t){.version = 4, .ip = {10, 0, 0, host}};
    if (number / io->config.hosts % 2 != 0) {
        *peer = (io_addr_t){.version = 6, .ip = {[10] = 0xFF, [11] = 0xFF, [12] = 10, [15] = host}};
    }
    peer->port = (uint16_t)number;
    peer->flow = (uint32_t)(number >> 16);
    *local = (io_addr_t){.version = 4, .port = 1, .ip = {127, 0, 0, 1}};
    place->state = SOCK_CONNECTED;
    return 0;
}

static sim_op_t *sock__recv(io_t *io, io_op_t *op, io_sock_t sock, uint32_t len, int *status)
{
    sim_sock_t *place = sock__connected(io, sock, "a receive");
    int error;
    if (place->recv != SIM_INDEX_NONE) {
        sim_fail(io, "a second receive on a socket");
    }
    if (sim_fault_submit(io, SIM_RECV, &error)) {
        *status = sim_submit_failed(op, error);
        return NULL;
    }
    sim_op_t *record = sim_op_begin(io, op, SIM_RECV, sock);
    if (record == NULL) {
        *status = sim_submit_failed(op, SIM_WSAENOBUFS);
        return NULL;
    }
    record->data = NULL;
    record->len = len;
    record->lender = NULL;
    place->recv = sim_op_index(io, record);
    *status = 0;
    return record;
}

int io_recv(io_t *io, io_op_t *op, io_sock_t sock, void *buf, uint32_t len)
{
    int status;
    sim_op_t *record = sock__recv(io, op, sock, len, &status);
    if (record == NULL) {
        return status;
    }
    if (len > 0) {
        memset(buf, CANARY, len);
    }
    record->data = buf;
    record->sum = stream_sum(0, record->data, len);
    sock__submitted(io, sock);
    return 0;
}

#if IO_RECV_BORROWS
int io_recv_borrow(io_t *io, io_op_t *op, io_sock_t sock, io_lender_t *lender)
{
    int status;
    sim_op_t *record = sock__recv(io, op, sock, lender->size, &status);
    if (record == NULL) {
        return status;
    }
    record->lender = lender;
    record->sum = stream_sum(0, NULL, 0);
    sock__submitted(io, sock);
    return 0;
}
#endif

int io_send(io_t *io, io_op_t *op, io_sock_t sock, const io_buf_t *bufs, uint32_t count,
            uint32_t *sent)
{
    sim_sock_t *place = sock__connected(io, sock, "a send");
    int error;
    uint32_t len = 0;
    if (place->send != SIM_INDEX_NONE) {
        sim_fail(io, "a second send on a socket");
    }
    if (place->fin_sent) {
        sim_fail(io, "a send after io_shutdown");
    }
    for (uint32_t i = 0; i < count; i++) {
        len += bufs[i].len;
    }
    if (count > IO_SEND_BUFS_MAX || len == 0) {
        sim_fail(io, "a send of %u buffers and %u bytes", count, len);
    }
    if (sim_fault_submit(io, SIM_SEND, &error)) {
        return sim_submit_failed(op, error);
    }
    if (SIM_SENDS_AT_ONCE && sent != NULL && rng_chance(&io->rng, 40000)) {
        *sent = sim_send_now(io, place, bufs, len);
        if (*sent > 0) {
            sim_trace(io, "sent", sock, *sent);
            return IO_DONE;
        }
    }
    sim_op_t *record = sim_op_begin(io, op, SIM_SEND, sock);
    if (record == NULL) {
        return sim_submit_failed(op, SIM_WSAENOBUFS);
    }
    record->len = len;
    record->bufs_count = count;
    memcpy(record->bufs, bufs, count * sizeof *bufs);
    for (uint32_t i = 0; i < count; i++) {
        record->sum = stream_sum(record->sum, bufs[i].data, bufs[i].len);
    }
    place->send = sim_op_index(io, record);
    sock__submitted(io, sock);
    return 0;
}

bool io_unacked(io_t *io, io_sock_t sock, uint64_t taken, uint64_t *bytes)
{
    const sim_sock_t *place = sim_sock_at(io, sock);
    if (place->state != SOCK_DISCONNECTING && place->state != SOCK_REUSABLE &&
        place->state != SOCK_DEAD) {
        (void)sock__connected(io, sock, "io_unacked");
    }
    if (!io->config.tells_acks || place->conn == SIM_INDEX_NONE) {
        return false;
    }
    const sim_conn_t *conn = &io->conns[place->conn];
    /* What is read is acknowledged, and nothing else. */
    *bytes = taken > conn->read ? taken - conn->read : 0;
    return true;
}

int io_shutdown(io_t *io, io_sock_t sock, int *error)
{
    sim_sock_t *place = sock__connected(io, sock, "io_shutdown");
    if (place->fin_sent) {
        sim_fail(io, "io_shutdown twice");
    }
    if (place->send != SIM_INDEX_NONE) {
        sim_fail(io, "io_shutdown in the middle of a send");
    }
    if (io->conns[place->conn].death != 0) {
        *error = SIM_WSAENOTCONN;
        return (int)(int32_t)ntstatus_from_wsa(*error);
    }
    if (sim_fault_setup(io, error)) {
        sim_count_fault(io, SIM_FAULT_shutdown_fails);
        return (int)(int32_t)ntstatus_from_wsa(*error);
    }
    place->fin_sent = true;
    place->time_wait = !io->conns[place->conn].client_fin;
    sim_conn_fin(io, place->conn);
    sim_trace(io, "shutdown", sock, 0);
    return 0;
}

/* How long a DisconnectEx takes. */
static uint64_t sock__parting_ns(io_t *io, const sim_sock_t *place)
{
    if (place->time_wait && io->conns[place->conn].death == 0) {
        sim_count_fault(io, SIM_FAULT_disconnect_time_wait);
        return rng_between(&io->rng, 20, 300) * NS_PER_S;
    }
    if (rng_chance(&io->rng, io->config.odds_slow)) {
        sim_count_fault(io, SIM_FAULT_disconnect_slow);
        return rng_between(&io->rng, 20, 4000) * NS_PER_MS;
    }
    return rng_below(&io->rng, 4) == 0 ? rng_below(&io->rng, NS_PER_MS) : 0;
}

/* A receive that is still pending stays so, as on Windows: DisconnectEx does not end it, and it
 * may take what the next client sends. */
int io_disconnect(io_t *io, io_op_t *op, io_sock_t *inout)
{
    sim_sock_t *place = sim_sock_at(io, *inout);
    int error;
    if (place->state == SOCK_CREATED || place->state == SOCK_REUSABLE) {
        sim_fail(io, "io_disconnect on a socket that is not connected");
    }
    (void)sock__connected(io, *inout, "io_disconnect");
    if (sim_fault_submit(io, SIM_DISCONNECT, &error)) {
        place->state = SOCK_DEAD;
        return sim_submit_failed(op, error);
    }
    sim_op_t *record = sim_op_begin(io, op, SIM_DISCONNECT, *inout);
    if (record == NULL) {
        place->state = SOCK_DEAD;
        return sim_submit_failed(op, SIM_WSAENOBUFS);
    }
    place->state = SOCK_DISCONNECTING;
    place->time_wait |= !io->conns[place->conn].client_fin;
    place->life = sim_op_index(io, record);
    record->inout = inout;
    record->due_ns = io->now_ns + sock__parting_ns(io, place);
    record->held = record->due_ns > io->now_ns;
    if (record->held) {
        sim_timer_add(io, record->due_ns, TIMER_SOCK, *inout, 0);
    }
    sim_conn_fin(io, place->conn);
    sim_trace(io, "disconnect", *inout, record->due_ns);
    sock__submitted(io, *inout);
    return 0;
}

/* Whether a cancel of RECORD, on PLACE's socket, is none; it may take the connection with it. */
static bool sock__ignores_cancel(io_t *io, const sim_sock_t *place, sim_op_t *record)
{
    if (rng_chance(&io->cancels, io->config.odds_cancel_ignored)) {
        record->ignores = true;
        sim_count_fault(io, SIM_FAULT_cancel_ignored);
        sim_trace(io, "cancel ignored", record->kind, record->sock);
        return true;
    }
    if (place->conn != SIM_INDEX_NONE && rng_chance(&io->cancels, io->config.odds_cancel_aborts)) {
        sim_count_fault(io, SIM_FAULT_cancel_aborts);
        sim_conn_kill(io, place->conn, NT_CONNECTION_ABORTED);
    }
    return false;
}

void io_cancel(io_t *io, io_sock_t sock, io_op_t *op)
{
    if (!sim_is_outstanding(io, op)) {
        return; /* it was dequeued, and its worker is not there yet */
    }
    const sim_sock_t *place = sim_sock_at(io, sock);
    sim_op_t *record = &io->ops[op->record - 1];
    bool listens = record->kind == SIM_ACCEPT;
    if (listens != (place->state == SOCK_LISTENING) || (!listens && record->sock != sock)) {
        sim_fail(io, "io_cancel with another socket than the operation's");
    }
    if (record->ready || record->cancelled) {
        return;
    }
    if (record->ignores || sock__ignores_cancel(io, place, record)) {
        return;
    }
    record->cancelled = true;
    record->held = false;
    sim_trace(io, "cancel", record->kind, sock);
    /* Not of an accept: one that takes nobody meanwhile is not known of. */
    if (!listens && rng_chance(&io->cancels, io->config.odds_cancel_later)) {
        sim_count_fault(io, SIM_FAULT_cancel_later);
        sim_hold(io, record, 10 * NS_PER_S);
    } else if (rng_chance(&io->rng, 16384)) {
        sim_count_fault(io, SIM_FAULT_cancel_late);
        sim_hold(io, record, 40 * NS_PER_MS);
    }
    if (listens) {
        sim_look_at_listener(io);
    } else {
        sim_look_at(io, sock);
    }
}

void io_sock_sever(io_t *io, io_sock_t *inout, bool reset)
{
    sim_sock_t *place = sim_sock_at(io, *inout);
    sim_trace(io, "sever", *inout, reset);
    if (place->state == SOCK_LISTENING) {
        sim_listener_close(io);
    } else {
        sim_kernel_sever(io, place);
        place->recv = SIM_INDEX_NONE;
        place->send = SIM_INDEX_NONE;
        place->life = SIM_INDEX_NONE;
    }
    io_sock_close(io, inout, reset);
}

void io_sock_close(io_t *io, io_sock_t *inout, bool reset)
{
    sim_sock_t *place = sim_sock_at(io, *inout);
    if (place->recv != SIM_INDEX_NONE || place->send != SIM_INDEX_NONE ||
        place->life != SIM_INDEX_NONE) {
        sim_fail(io, "a socket is closed with an operation outstanding");
    }
    if (place->state == SOCK_LISTENING) {
        if (io->accepts_count != 0) {
            sim_fail(io, "the listener is closed with %u accepts outstanding", io->accepts_count);
        }
        sim_listener_close(io);
    } else if (place->conn != SIM_INDEX_NONE) {
        const sim_conn_t *conn = &io->conns[place->conn];
        /* What is unread when a socket is closed makes its FIN an RST. */
        if (reset || conn->received < conn->written) {
            sim_conn_kill(io, place->conn, NT_CONNECTION_RESET);
        }
        sim_conn_fin(io, place->conn);
        sim_conn_part(io, place->conn);
    }
    sim_trace(io, "close", *inout, reset);
    sim_sock_free(io, *inout);
    *inout = IO_SOCK_NONE;
}
