/* test_borrow.c: receives that borrow their buffers, and many that have much to bring at once. */
#include <stdlib.h>
#include <string.h>

#include "rig.h"

#define CROWD      6u
#define CROWD_SIZE 120000u

/* More than one wait may bring: all of it comes all the same. */
static void borrow_or_not_much_comes_at_once(test_t *t)
{
    rig_t rig;
    conn_t conns[CROWD];
    rig_open(&rig, t);
    uint8_t *data = malloc(CROWD_SIZE);
    uint8_t *got = malloc((size_t)CROWD * CROWD_SIZE);
    REQUIRE(t, data != NULL && got != NULL);
    for (uint32_t i = 0; i < CROWD; i++) {
        rig_connect(&rig, &conns[i]);
        pattern_fill(data, CROWD_SIZE, i, 0);
        REQUIRE(t, peer_send(conns[i].peer, data, CROWD_SIZE));
    }
    uint32_t have[CROWD] = {0};
    for (uint32_t left = CROWD * CROWD_SIZE; left > 0;) {
        for (uint32_t i = 0; i < CROWD; i++) {
            if (have[i] < CROWD_SIZE && !conns[i].recv.outstanding) {
                uint8_t *to = got + (size_t)i * CROWD_SIZE + have[i];
                REQUIRE(t, rig_recv(&rig, &conns[i].recv, conns[i].sock, to,
                                    CROWD_SIZE - have[i]) == 0);
            }
        }
        REQUIRE(t, rig_pump(&rig, DEADLINE_MS) > 0);
        for (uint32_t i = 0; i < CROWD; i++) {
            if (have[i] < CROWD_SIZE && !conns[i].recv.outstanding) {
                REQUIRE(t, call_good(&conns[i].recv) && conns[i].recv.bytes > 0);
                have[i] += conns[i].recv.bytes;
                left -= conns[i].recv.bytes;
            }
        }
    }
    for (uint32_t i = 0; i < CROWD; i++) {
        REQUIRE(t, pattern_holds(got + (size_t)i * CROWD_SIZE, CROWD_SIZE, i, 0));
        rig_part(&rig, &conns[i]);
    }
    free(got);
    free(data);
    rig_close(&rig);
}

#if IO_RECV_BORROWS

#define LENT_SIZE  8u
#define PIECE_SIZE 16u /* one piece is not the continuation of another */
#define PIECES_MAX 4u

/* A lender with one loan, in one piece or several. */
typedef struct {
    io_lender_t lender; /* is first */
    uint32_t pieces;
    char buf[PIECES_MAX * PIECE_SIZE];
    bool is_lent;
    bool is_poor; /* it has no memory */
    uint32_t lent;
    uint32_t kept;
    void *borrower; /* of the last call */
} purse_t;

typedef struct {
    rig_t rig;
    conn_t conn;
    purse_t purse;
    purse_t other; /* who is asked where PURSE has nothing */
} loan_t;

static uint32_t lend(io_lender_t *lender, void *borrower, io_buf_t *bufs, void **loan)
{
    purse_t *purse = (purse_t *)(void *)lender;
    purse->borrower = borrower;
    if (purse->is_poor || purse->is_lent) {
        return 0;
    }
    purse->is_lent = true;
    purse->lent++;
    for (uint32_t i = 0; i < purse->pieces; i++) {
        bufs[i] = io_buf(purse->buf + i * PIECE_SIZE, LENT_SIZE / purse->pieces);
    }
    *loan = purse;
    return purse->pieces;
}

static void take_back(io_lender_t *lender, void *borrower, void *loan, uint32_t kept)
{
    purse_t *purse = (purse_t *)(void *)lender;
    purse->borrower = borrower;
    purse->is_lent = purse->is_lent && (loan != purse || kept > 0);
    purse->kept = kept;
}

static void purse_fill(purse_t *purse, uint32_t pieces)
{
    memset(purse, 0, sizeof *purse);
    purse->pieces = pieces;
    purse->lender = (io_lender_t){.size = LENT_SIZE, .lend = lend, .take_back = take_back};
}

static void loan_open(loan_t *loan, test_t *t)
{
    rig_open(&loan->rig, t);
    rig_connect(&loan->rig, &loan->conn);
    purse_fill(&loan->purse, 1);
    purse_fill(&loan->other, 2);
}

static void loan_close(loan_t *loan)
{
    REQUIRE(loan->rig.t, !loan->purse.is_lent && !loan->other.is_lent);
    rig_part(&loan->rig, &loan->conn);
    rig_close(&loan->rig);
}

static void loan_recv(loan_t *loan)
{
    int status =
        rig_recv_borrow(&loan->rig, &loan->conn.recv, loan->conn.sock, &loan->purse.lender);
    REQUIRE(loan->rig.t, status == 0);
}

/* The receive brings TEXT, in a loan of PURSE's, which is given back. */
static void loan_brings_from(loan_t *loan, purse_t *purse, const char *text)
{
    test_t *t = loan->rig.t;
    call_t *recv = &loan->conn.recv;
    rig_await(&loan->rig, recv);
    REQUIRE(t, call_good(recv) && recv->bytes == strlen(text));
    REQUIRE(t, io_op_is_passed_on(&recv->op) == (purse != &loan->purse));
    REQUIRE(t, purse->is_lent && io_op_loan(&recv->op) == purse);
    uint32_t size = LENT_SIZE / purse->pieces;
    for (uint32_t i = 0; i < recv->bytes; i++) {
        REQUIRE(t, purse->buf[i / size * PIECE_SIZE + i % size] == text[i]);
    }
    REQUIRE(t, purse->pieces == 1 || purse->kept == recv->bytes);
    REQUIRE(t, purse->borrower == &loan->rig);
    take_back(&purse->lender, NULL, purse, 0);
}

static void loan_brings(loan_t *loan, const char *text)
{
    loan_brings_from(loan, &loan->purse, text);
}

/* What is more than a loan holds comes with the next. */
static void loan_brings_in_parts(loan_t *loan)
{
    REQUIRE(loan->rig.t, peer_send(loan->conn.peer, "0123456789", 10));
    loan_recv(loan);
    loan_brings(loan, "01234567");
    loan_recv(loan);
    loan_brings(loan, "89");
}

/* The peer's FIN ends the receive that waits, without a loan. */
static void loan_ends(loan_t *loan)
{
    peer_shutdown(loan->conn.peer);
    rig_await(&loan->rig, &loan->conn.recv);
    REQUIRE(loan->rig.t, call_good(&loan->conn.recv) && loan->conn.recv.bytes == 0);
    loan_close(loan);
}

static void borrow_only_for_data(test_t *t)
{
    loan_t loan;
    loan_open(&loan, t);
    loan_recv(&loan);
    rig_quiet(&loan.rig);
    REQUIRE(t, loan.purse.lent == 0);
    REQUIRE(t, peer_send(loan.conn.peer, "hello", 5));
    loan_brings(&loan, "hello");
    loan_brings_in_parts(&loan);
    loan_close(&loan);
}

static void borrow_nothing_at_fin(test_t *t)
{
    loan_t loan;
    loan_open(&loan, t);
    loan_recv(&loan);
    loan_ends(&loan);
}

static void borrow_nothing_when_cancelled(test_t *t)
{
    loan_t loan;
    loan_open(&loan, t);
    loan_recv(&loan);
    rig_quiet(&loan.rig);
    io_cancel(loan.rig.io, loan.conn.sock, &loan.conn.recv.op);
    rig_await(&loan.rig, &loan.conn.recv);
    REQUIRE(t, loan.conn.recv.status == NT_CANCELLED && loan.purse.lent == 0);
    loan_close(&loan);
}

/* In their order, and those that it does not reach go back. */
static void borrow_several(test_t *t)
{
    loan_t loan;
    loan_open(&loan, t);
    purse_fill(&loan.purse, PIECES_MAX);
    loan_recv(&loan);
    REQUIRE(t, peer_send(loan.conn.peer, "abc", 3));
    loan_brings(&loan, "abc");
    loan_brings_in_parts(&loan);
    loan_recv(&loan);
    loan_ends(&loan);
}

/* Whoever lends is asked first the next time, too. */
static void borrow_from_the_next(test_t *t)
{
    loan_t loan;
    loan_open(&loan, t);
    loan.purse.lender.next = &loan.other.lender;
    loan.purse.is_poor = true;
    loan_recv(&loan);
    REQUIRE(t, peer_send(loan.conn.peer, "hello", 5));
    loan_brings_from(&loan, &loan.other, "hello");
    loan.purse.is_poor = false;
    loan_recv(&loan);
    REQUIRE(t, peer_send(loan.conn.peer, "again", 5));
    loan_brings(&loan, "again");
    loan_close(&loan);
}

/* Nothing is lost: what was not received for want of memory is there for the next receive. */
static void borrow_from_one_who_has_none(test_t *t)
{
    loan_t loan;
    loan_open(&loan, t);
    loan.purse.is_poor = true;
    loan_recv(&loan);
    REQUIRE(t, peer_send(loan.conn.peer, "hello", 5));
    rig_await(&loan.rig, &loan.conn.recv);
    REQUIRE(t, loan.conn.recv.status == NT_INSUFFICIENT_RESOURCES && loan.conn.recv.bytes == 0);
    loan.purse.is_poor = false;
    loan_recv(&loan);
    loan_brings(&loan, "hello");
    loan_close(&loan);
}

#endif

const test_entry_t tests_borrow[] = {
    {"borrow_or_not_much_comes_at_once", borrow_or_not_much_comes_at_once},
#if IO_RECV_BORROWS
    {"borrow_only_for_data", borrow_only_for_data},
    {"borrow_nothing_at_fin", borrow_nothing_at_fin},
    {"borrow_nothing_when_cancelled", borrow_nothing_when_cancelled},
    {"borrow_several", borrow_several},
    {"borrow_from_the_next", borrow_from_the_next},
    {"borrow_from_one_who_has_none", borrow_from_one_who_has_none},
#endif
    {NULL, NULL},
};
