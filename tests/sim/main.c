/* main.c: the command line. */
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <time.h>

#include "report.h"
#include "world.h"

/* Every so many seeds one is run twice, to see that a seed gives one trace. */
#define TWICE_SEEDS 64u

#define DEFAULT_SEEDS 6000u

/* Of the processor. A seed takes milliseconds; one that goes round in a circle has a line to be
 * replayed by as well. */
#define RUN_LIMIT_S 10

/* Seeds that once failed, by the bug that they found. They run first, always. */
static const uint64_t past_seeds[] = {
    /* crew: the watch over running callbacks ended after two quick looks */
    1717,
    20787,
    20812,
    45366,
    /* engine_help: buffers of what it had settled waited in a worker that slept until the end */
    5075072,
    /* pool: an accept that was being taken back counted as one too many again, below the floor */
    400280,
    /* pool: spare sockets were given back that the next accept needed */
    300159,
    600056,
    100653,
    304110,
    603779,
    /* thrift: a socket that was closed and not counted yet passed for one that was there */
    5008996,
    /* patience: a disconnect that was done, and whose socket was gone, passed for one under way */
    2778,
    /* and one that was about to be closed likewise */
    100553,
    /* idle: a socket that had come back counted as one on its way as well, for a moment */
    8031375,
    /* patience: a socket was severed whose completion a worker had in hand */
    307737,
    /* requesting: of two replies to what had been passed on, the other one was told so */
    7017178,
};

typedef struct {
    plan_t plan;
    bool one; /* --seed */
    bool sweep;
    uint64_t seeds;
    uint64_t from;
} arguments_t;

/* Not safe in a signal handler by the book; but the fault was in this one thread, and the seed
 * is worth more than an orderly end. NOLINTBEGIN(bugprone-signal-handler,cert-sig30-c) */
static void crashed(int number)
{
    if (number == SIGPROF) {
        (void)fprintf(stderr, "sim: a run has taken %d s, and does not end\n", RUN_LIMIT_S);
    } else {
        (void)fprintf(stderr, "sim: signal %d\n", number);
    }
    if (hooks_world() != NULL) {
        world_print_replay(hooks_world());
    }
    _Exit(1);
}
/* NOLINTEND(bugprone-signal-handler,cert-sig30-c) */

/* Of the processor: others may be at work on this machine. */
static double now_s(void)
{
    return (double)clock() / CLOCKS_PER_SEC;
}

/* One run of many, which nobody watches: it must end. */
static uint64_t run_one(const plan_t *plan, totals_t *totals)
{
    static const struct itimerval limit = {.it_value = {.tv_sec = RUN_LIMIT_S}};
    (void)setitimer(ITIMER_PROF, &limit, NULL);
    return world_run(plan, totals);
}

static void run_seeds(const arguments_t *arguments, totals_t *totals)
{
    plan_t plan = arguments->plan;
    for (size_t i = 0; i < sizeof past_seeds / sizeof past_seeds[0]; i++) {
        plan.seed = past_seeds[i];
        (void)run_one(&plan, totals);
    }
    for (uint64_t i = 0; i < arguments->seeds; i++) {
        plan.seed = arguments->from + i;
        uint64_t hash = run_one(&plan, totals);
        if (i % TWICE_SEEDS == 0 && run_one(&plan, totals) != hash) {
            (void)fprintf(stderr, "sim: seed %" PRIu64 " gave two different traces\n", plan.seed);
            exit(1);
        }
    }
}

/* A calm scenario in which the n-th submit fails, and then the n-th allocation, for every n. */
static void run_sweep(totals_t *totals)
{
    static const int errors[] = {10055, 10054, 10022};
    plan_t plan = {.seed = 1, .steps = 1200, .calm = true};
    totals_t calm = {0};
    (void)run_one(&plan, &calm);
    printf("sweep: %" PRIu64 " submits, %" PRIu64 " allocations\n", calm.submits, calm.allocs);
    for (size_t i = 0; i < sizeof errors / sizeof errors[0]; i++) {
        plan.fail_submit_error = errors[i];
        for (plan.fail_submit = 1; plan.fail_submit <= calm.submits; plan.fail_submit++) {
            (void)run_one(&plan, totals);
        }
    }
    plan.fail_submit = 0;
    for (plan.fail_alloc = 1; plan.fail_alloc <= calm.allocs; plan.fail_alloc++) {
        (void)run_one(&plan, totals);
    }
}

static bool parse(int argc, char **argv, arguments_t *arguments)
{
    const struct {
        const char *name;
        uint64_t *value;
    } numbers[] = {
        {"--seeds", &arguments->seeds},
        {"--from", &arguments->from},
        {"--fail-submit", &arguments->plan.fail_submit},
        {"--fail-alloc", &arguments->plan.fail_alloc},
    };
    for (int i = 1; i < argc; i++) {
        uint64_t value = i + 1 < argc ? strtoull(argv[i + 1], NULL, 0) : 0;
        bool known = false;
        for (size_t n = 0; n < sizeof numbers / sizeof numbers[0] && i + 1 < argc; n++) {
            if (strcmp(argv[i], numbers[n].name) == 0) {
                *numbers[n].value = value;
                known = true;
            }
        }
        if (known) {
            i++;
        } else if (strcmp(argv[i], "--seed") == 0 && i + 1 < argc) {
            arguments->plan.seed = value;
            arguments->one = true;
            i++;
        } else if (strcmp(argv[i], "--steps") == 0 && i + 1 < argc) {
            arguments->plan.steps = (uint32_t)value;
            i++;
        } else if (strcmp(argv[i], "--error") == 0 && i + 1 < argc) {
            arguments->plan.fail_submit_error = (int)value;
            i++;
        } else if (strcmp(argv[i], "--calm") == 0) {
            arguments->plan.calm = true;
        } else if (strcmp(argv[i], "--log") == 0) {
            arguments->plan.log = stdout;
        } else if (strcmp(argv[i], "--sweep") == 0) {
            arguments->sweep = true;
        } else {
            return false;
        }
    }
    return true;
}

int main(int argc, char **argv)
{
    arguments_t arguments = {.seeds = DEFAULT_SEEDS, .from = 1};
    totals_t totals = {0};
    if (!parse(argc, argv, &arguments)) {
        (void)fputs("usage: sim [--seeds N] [--from K] [--steps N] [--sweep]\n"
                    "       sim --seed N [--steps N] [--log] [--calm]\n"
                    "           [--fail-submit N --error CODE | --fail-alloc N]\n",
                    stderr);
        return 2;
    }
    (void)signal(SIGSEGV, crashed);
    (void)signal(SIGPROF, crashed);
    double begin_s = now_s();
    if (arguments.one) {
        uint64_t hash = world_run(&arguments.plan, &totals);
        report_print(&totals, now_s() - begin_s);
        printf("seed %" PRIu64 ": trace %016" PRIx64 "\n", arguments.plan.seed, hash);
        return 0;
    }
    if (arguments.sweep) {
        run_sweep(&totals);
    } else {
        run_seeds(&arguments, &totals);
    }
    report_print(&totals, now_s() - begin_s);
    bool whole = !arguments.sweep && arguments.seeds >= DEFAULT_SEEDS;
    if (whole && report_missed_rows(&totals) > 0) {
        return 1;
    }
    printf("sim: all is well\n");
    return 0;
}
