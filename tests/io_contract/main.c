/* main.c: runs the contract suite against the backend that it is linked with.
 *
 * An argument is a part of the names of the tests to be run. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "contract.h"
#include "peer.h"

void test_note(test_t *t, const char *file, int line, const char *what)
{
    mutex_lock(&t->lock);
    if (!t->failed) {
        t->failed = true;
        (void)snprintf(t->what, sizeof t->what, "%s:%d: %s", file, line, what);
    }
    mutex_unlock(&t->lock);
}

_Noreturn void test_fail(test_t *t, const char *file, int line, const char *what)
{
    test_note(t, file, line, what);
    longjmp(t->out, 1);
}

bool test_has_failed(test_t *t)
{
    mutex_lock(&t->lock);
    bool failed = t->failed;
    mutex_unlock(&t->lock);
    return failed;
}

static bool run(const test_entry_t *entry)
{
    test_t *t = calloc(1, sizeof *t);
    if (t == NULL) {
        abort();
    }
    mutex_init(&t->lock);
    if (setjmp(t->out) == 0) {
        entry->run(t);
    }
    bool failed = test_has_failed(t);
    if (failed) {
        printf("not ok %s: %s\n", entry->name, t->what);
    } else if (t->remark != NULL) {
        printf("ok %s # %s\n", entry->name, t->remark);
    } else {
        printf("ok %s\n", entry->name);
    }
    fflush(stdout);
    if (!failed) { /* else threads of it may still be about */
        mutex_destroy(&t->lock);
        free(t);
    }
    return !failed;
}

int main(int argc, char **argv)
{
    const test_entry_t *const tables[] = {
        tests_listen,     tests_accept, tests_recv,    tests_borrow,  tests_send,   tests_cancel,
        tests_disconnect, tests_wake,   tests_starved, tests_threads, tests_stress, tests_unacked,
    };
    unsigned passed = 0;
    unsigned failed = 0;
    peer_startup();
    for (size_t i = 0; i < sizeof tables / sizeof tables[0]; i++) {
        for (const test_entry_t *entry = tables[i]; entry->name != NULL; entry++) {
            if (argc > 1 && strstr(entry->name, argv[1]) == NULL) {
                continue;
            }
            if (run(entry)) {
                passed++;
            } else {
                failed++;
            }
        }
    }
    printf("%u passed, %u failed\n", passed, failed);
    return failed == 0 && passed > 0 ? 0 : 1;
}
