/* process.c: the server's processor time and memory, from /proc. */
#include "process.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "clock.h"

/* The text of /proc/PID/NAME; empty where it cannot be read. */
static void read_text(pid_t pid, const char *name, char *text, size_t size)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/%s", (int)pid, name);
    int file = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t length = file < 0 ? 0 : read(file, text, size - 1);
    if (file >= 0)
        close(file);
    text[length > 0 ? length : 0] = '\0';
}

static void add_ticks(pid_t pid, usage_t *usage)
{
    char text[1024];
    unsigned long user, system;
    read_text(pid, "stat", text, sizeof text);
    /* The name in brackets may have blanks; what follows it has not. */
    const char *rest = strrchr(text, ')');
    const char *format = ") %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu";
    if (rest && sscanf(rest, format, &user, &system) == 2) {
        double ticks_per_s = (double)sysconf(_SC_CLK_TCK);
        usage->user_s += (double)user / ticks_per_s;
        usage->system_s += (double)system / ticks_per_s;
    }
}

static double main_thread_s(pid_t pid)
{
    char name[32], text[128];
    unsigned long long ns;
    snprintf(name, sizeof name, "task/%d/schedstat", (int)pid);
    read_text(pid, name, text, sizeof text);
    return sscanf(text, "%llu", &ns) == 1 ? (double)ns / NS_PER_S : 0;
}

usage_t process_usage(const settings_t *settings)
{
    usage_t usage = {0};
    for (size_t i = 0; i < settings->pid_count; i++) {
        clockid_t clock;
        if (clock_getcpuclockid(settings->pids[i], &clock) == 0)
            usage.cpu_s += (double)clock_ns(clock) / NS_PER_S;
        add_ticks(settings->pids[i], &usage);
        usage.main_thread_s += main_thread_s(settings->pids[i]);
    }
    return usage;
}

uint64_t process_resident(const settings_t *settings)
{
    uint64_t bytes = 0;
    for (size_t i = 0; i < settings->pid_count; i++) {
        char text[128];
        unsigned long long pages;
        read_text(settings->pids[i], "statm", text, sizeof text);
        if (sscanf(text, "%*u %llu", &pages) == 1)
            bytes += pages * (uint64_t)sysconf(_SC_PAGESIZE);
    }
    return bytes;
}
