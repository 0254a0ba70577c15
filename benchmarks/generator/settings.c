/* settings.c: the generator's command line, read and checked. */
#include "settings.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pattern.h"

static const char USAGE[] =
    "usage: generator MODE --port N [OPTIONS]\n"
    "  MODE            echo, framed, chat, churn, bulk or idle\n"
    "  --connections N at a time, the members of a chat (1)\n"
    "  --senders N     members of the chat that send (1)\n"
    "  --size N        bytes of a message (64)\n"
    "  --depth N       messages of a connection on their way at a time (1)\n"
    "  --window N      bytes of a connection on their way at a time, in bulk (1 MiB)\n"
    "  --reset         churn: clients end with RST instead of FIN\n"
    "  --warmup S      seconds before the measured ones (0.3)\n"
    "  --seconds S     measured seconds (2)\n"
    "  --pid N         a process of the server, may be given several times\n";

static _Noreturn void refuse(const char *name, const char *value)
{
    fprintf(stderr, "generator: %s: wrong value %s\n%s", name, value, USAGE);
    exit(2);
}

static uint64_t count_of(const char *name, const char *text, uint64_t low, uint64_t high)
{
    char *end;
    errno = 0;
    unsigned long long value = strtoull(text, &end, 10);
    if (errno || end == text || *end || *text == '-' || value < low || value > high)
        refuse(name, text);
    return value;
}

static double seconds_of(const char *name, const char *text)
{
    char *end;
    double value = strtod(text, &end);
    if (end == text || *end || !(value >= 0 && value <= 3600))
        refuse(name, text);
    return value;
}

static void set(settings_t *settings, const char *name, char letter, const char *value)
{
    if (letter == 'p')
        settings->port = (uint16_t)count_of(name, value, 1, UINT16_MAX);
    else if (letter == 'c')
        settings->connections = (uint32_t)count_of(name, value, 1, 1000000);
    else if (letter == 's')
        settings->senders = (uint32_t)count_of(name, value, 1, 1000000);
    else if (letter == 'm')
        settings->size = (size_t)count_of(name, value, 1, PATTERN_REACH);
    else if (letter == 'd')
        settings->depth = (uint32_t)count_of(name, value, 1, 65536);
    else if (letter == 'w')
        settings->window = (size_t)count_of(name, value, 1, UINT32_MAX);
    else if (letter == 'r')
        settings->reset = true;
    else if (letter == 'u')
        settings->warmup_s = seconds_of(name, value);
    else if (letter == 't')
        settings->seconds = seconds_of(name, value);
    else if (settings->pid_count < PIDS_MAX)
        settings->pids[settings->pid_count++] = (pid_t)count_of(name, value, 1, INT32_MAX);
    else
        refuse(name, "(too many)");
}

void settings_read(settings_t *settings, int argc, char **argv)
{
    static const struct option OPTIONS[] = {
        {"port", required_argument, NULL, 'p'},
        {"connections", required_argument, NULL, 'c'},
        {"senders", required_argument, NULL, 's'},
        {"size", required_argument, NULL, 'm'},
        {"depth", required_argument, NULL, 'd'},
        {"window", required_argument, NULL, 'w'},
        {"reset", no_argument, NULL, 'r'},
        {"warmup", required_argument, NULL, 'u'},
        {"seconds", required_argument, NULL, 't'},
        {"pid", required_argument, NULL, 'P'},
        {NULL, 0, NULL, 0},
    };
    *settings = (settings_t){.connections = 1,
                             .senders = 1,
                             .size = 64,
                             .depth = 1,
                             .window = (size_t)1 << 20,
                             .warmup_s = 0.3,
                             .seconds = 2};
    int letter, index = 0;
    while ((letter = getopt_long(argc, argv, "", OPTIONS, &index)) != -1) {
        if (letter == '?') {
            fputs(USAGE, stderr);
            exit(2);
        }
        set(settings, OPTIONS[index].name, (char)letter, optarg);
    }
    if (optind + 1 != argc || !settings->port || settings->senders > settings->connections) {
        fputs(USAGE, stderr);
        exit(2);
    }
    settings->mode = argv[optind];
}
