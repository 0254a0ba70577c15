/* contract.h: the tests of the seam (csrc/io/io.h), the same for every backend.
 *
 * A test is a function; a REQUIRE that does not hold ends it. Where the platforms may
 * differ within the contract, the test takes either answer. */
#ifndef IOCPREUSE_TESTS_CONTRACT_H
#define IOCPREUSE_TESTS_CONTRACT_H

#include <setjmp.h>
#include <stdbool.h>
#include <stdint.h>

#include "../../csrc/base/atomics.h"
#include "../../csrc/base/mutex.h"

/* Every wait of every test ends by then, and has failed. */
#define DEADLINE_MS 10000u

/* For how long something is watched that must not happen. */
#define QUIET_MS 50u

typedef struct {
    jmp_buf out;
    mutex_t lock; /* of the next three: worker threads note failures, too */
    bool failed;
    char what[256];
    const char *remark; /* printed behind a test that passed; NULL */
} test_t;

typedef struct {
    const char *name; /* NULL ends a table */
    void (*run)(test_t *t);
} test_entry_t;

/* Notes the failure, if it is the first. */
void test_note(test_t *t, const char *file, int line, const char *what);

/* Notes the failure and leaves the test. */
_Noreturn void test_fail(test_t *t, const char *file, int line, const char *what);

bool test_has_failed(test_t *t);

/* Only on the thread that runs the test. */
#define REQUIRE(t, condition)                                                                      \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            test_fail((t), __FILE__, __LINE__, #condition);                                        \
        }                                                                                          \
    } while (0)

/* On any thread; goes on. */
#define EXPECT(t, condition)                                                                       \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            test_note((t), __FILE__, __LINE__, #condition);                                        \
        }                                                                                          \
    } while (0)

extern const test_entry_t tests_accept[];
extern const test_entry_t tests_borrow[];
extern const test_entry_t tests_cancel[];
extern const test_entry_t tests_disconnect[];
extern const test_entry_t tests_listen[];
extern const test_entry_t tests_recv[];
extern const test_entry_t tests_send[];
extern const test_entry_t tests_starved[];
extern const test_entry_t tests_stress[];
extern const test_entry_t tests_threads[];
extern const test_entry_t tests_unacked[];
extern const test_entry_t tests_wake[];

#endif
