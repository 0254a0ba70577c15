/* measure.c: the measured window: when it begins and ends, and its report. */
#include "measure.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "clock.h"

static double own_cpu_s(void)
{
    return (double)clock_ns(CLOCK_PROCESS_CPUTIME_ID) / NS_PER_S;
}

void measure_start(measure_t *measure, const settings_t *settings)
{
    memset(measure, 0, sizeof *measure);
    measure->settings = settings;
    measure->begin_ns = now_ns() + (uint64_t)(settings->warmup_s * NS_PER_S);
}

static void begin(measure_t *measure)
{
    measure->measuring = true;
    measure->server_before = process_usage(measure->settings);
    measure->own_before_s = own_cpu_s();
    measure->begin_ns = now_ns();
    measure->end_ns = measure->begin_ns + (uint64_t)(measure->settings->seconds * NS_PER_S);
}

bool measure_over(measure_t *measure, uint64_t time_ns)
{
    if (!measure->measuring && time_ns >= measure->begin_ns)
        begin(measure);
    return measure->measuring && time_ns >= measure->end_ns;
}

static void print_latency(const histogram_t *latency)
{
    static const struct {
        const char *name;
        double quantile;
    } QUANTILES[] = {{"p50", 0.5}, {"p90", 0.9}, {"p99", 0.99}, {"p99.9", 0.999}};
    printf("\"latency_us\": {");
    for (size_t i = 0; i < sizeof QUANTILES / sizeof *QUANTILES; i++)
        printf("\"%s\": %.1f, ", QUANTILES[i].name,
               histogram_quantile(latency, QUANTILES[i].quantile) / 1e3);
    printf("\"max\": %.1f}, ", (double)latency->highest / 1e3);
}

static void print_server(const measure_t *measure, double elapsed_s)
{
    usage_t now = process_usage(measure->settings);
    const usage_t *before = &measure->server_before;
    printf("\"server\": {\"cpu_s\": %.6f, \"user_s\": %.2f, \"system_s\": %.2f, ",
           now.cpu_s - before->cpu_s, now.user_s - before->user_s, now.system_s - before->system_s);
    printf("\"main_thread_share\": %.4f, \"resident_bytes\": %llu",
           (now.main_thread_s - before->main_thread_s) / elapsed_s,
           (unsigned long long)process_resident(measure->settings));
    if (measure->resident_before)
        printf(", \"bytes_a_connection\": %.1f",
               ((double)measure->resident_after - (double)measure->resident_before) /
                   measure->settings->connections);
    printf("}, ");
}

void measure_report(const measure_t *measure)
{
    const settings_t *settings = measure->settings;
    double elapsed_s = (double)(now_ns() - measure->begin_ns) / NS_PER_S;
    printf("{");
    /* First, because the server's clock goes on. */
    print_server(measure, elapsed_s);
    print_latency(&measure->latency);
    printf("\"mode\": \"%s\", \"connections\": %u, \"size\": %zu, \"depth\": %u, ", settings->mode,
           settings->connections, settings->size, settings->depth);
    printf("\"seconds\": %.6f, \"messages\": %llu, \"rate\": %.2f, \"bytes_per_s\": %.0f, ",
           elapsed_s, (unsigned long long)measure->messages, (double)measure->messages / elapsed_s,
           (double)measure->bytes / elapsed_s);
    printf("\"errors\": %llu, \"wrong_bytes\": %llu, \"generator_cpu_s\": %.6f}\n",
           (unsigned long long)measure->errors, (unsigned long long)measure->wrong_bytes,
           own_cpu_s() - measure->own_before_s);
    fflush(stdout);
}
