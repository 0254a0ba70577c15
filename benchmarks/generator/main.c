/* main.c: the load generator: one thread, epoll, loopback.

   It warms up, measures for some seconds, prints what it saw as one line of JSON, and ends by
   itself also where the server hangs. */
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fail.h"
#include "modes.h"

/* What connecting, and measuring memory, may take beyond warm-up and window. */
#define GRACE_S 60u

static const struct {
    const char *name;
    void (*run)(const settings_t *settings);
} MODES[] = {
    {"echo", run_echo},   {"framed", run_framed}, {"chat", run_chat},
    {"churn", run_churn}, {"bulk", run_bulk},     {"idle", run_idle},
};

static void give_up(int number)
{
    static const char SAID[] = "{\"error\": \"the run has not ended in time\"}\n";
    (void)number;
    /* Nothing else is safe in a signal handler. */
    _exit(write(STDOUT_FILENO, SAID, sizeof SAID - 1) > 0 ? 3 : 4);
}

int main(int argc, char **argv)
{
    settings_t settings;
    settings_read(&settings, argc, argv);
    signal(SIGALRM, give_up);
    alarm((unsigned)(settings.warmup_s + settings.seconds) + GRACE_S);
    for (size_t i = 0; i < sizeof MODES / sizeof *MODES; i++)
        if (strcmp(MODES[i].name, settings.mode) == 0) {
            MODES[i].run(&settings);
            return 0;
        }
    fail("there is no such mode", 0);
}
