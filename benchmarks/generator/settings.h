/* settings.h: what the command line says. */
#ifndef GENERATOR_SETTINGS_H
#define GENERATOR_SETTINGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define PIDS_MAX 8

typedef struct {
    const char *mode;
    uint16_t port;        /* of the server, on 127.0.0.1 */
    uint32_t connections; /* at a time; in chat: the members */
    uint32_t senders;     /* of the members */
    size_t size;          /* bytes of a message */
    uint32_t depth;       /* messages of one connection on their way at a time */
    size_t window;        /* bytes of one connection on their way at a time, in bulk */
    bool reset;           /* churn: end with RST */
    double warmup_s;
    double seconds;
    pid_t pids[PIDS_MAX]; /* the server's processes, whose CPU and memory are measured */
    size_t pid_count;
} settings_t;

/* Reads them. Says what is wrong on stderr, and ends with exit code 2. */
void settings_read(settings_t *settings, int argc, char **argv);

#endif
