/* spares.h: bytes objects that nobody has seen yet. Receives borrow them, and what was received
 * into one is handed to on_data as it is, without a copy.
 *
 * Whose an object is: the spares', while it waits to be lent; the receive's and then the session's,
 * from lend to take_back, in a loan with others; the application's, from spares_claim on. Objects
 * are made and freed by threads that are attached. Lending and taking back needs no thread state:
 * only the bytes are touched, and of the object nothing. */
#ifndef IOCPREUSE_PY_SPARES_H
#define IOCPREUSE_PY_SPARES_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <stdbool.h>
#include <stdint.h>

#include "../engine/engine.h"

typedef struct spares spares_t;

/* Spares for an engine with these options, which is then to have the lender of spares_lender. NULL
 * where they are of no use to it, or there is no memory: it is then served without. */
spares_t *spares_new(const engine_options_t *options);

/* Attached; the engine is closed. */
void spares_free(spares_t *spares);

/* In a forked child: forgets all objects. They may have been in any thread's hands. */
void spares_disown(spares_t *spares);

io_lender_t *spares_lender(spares_t *spares);

/* Attached, after each callback: makes as many as are missing. One at a time where the callback has
 * let go of what it got, so that malloc has it at hand; it gives back to the system what comes at
 * once. */
void spares_refill(spares_t *spares);

/* Attached, after the last of a batch, at NOW_NS: as many are to wait from now on as receives could
 * have used; those that were not used for a while are freed. */
void spares_review(spares_t *spares, uint64_t now_ns);

/* Attached: gives up the caller's reference to OBJECT. If it was the last, and a spare is wanted
 * that OBJECT can be, it becomes one: malloc would give the memory back to the system, and ask for
 * it anew, page by page. */
void spares_drop(spares_t *spares, PyObject *object);

/* Whether a message of LEN bytes is worth an object of its own; else it had better be copied. */
bool spares_is_worth(const spares_t *spares, uint32_t len);

/* Attached: takes the message of LEN bytes at *PLACE out of its loan, as an object. NULL with an
 * exception. */
PyObject *spares_claim(spares_t *spares, char **place, uint32_t len);

#endif
