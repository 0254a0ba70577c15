/* report.c: what the runs came to, printed. */
#include "report.h"

#include <inttypes.h>

#include "toying.h"

static void report__faults(const totals_t *totals)
{
    uint64_t sum = totals->allocs_failed;
    for (int i = 0; i < SIM_FAULT_COUNT; i++) {
        sum += totals->faults[i];
    }
    printf("faults: %" PRIu64 "\n", sum);
    for (int i = 0; i < SIM_FAULT_COUNT; i++) {
        printf("  %-22s %10" PRIu64 "\n", sim_fault_name((sim_fault_t)i), totals->faults[i]);
    }
    printf("  %-22s %10" PRIu64 "  of %" PRIu64 " allocations\n", "alloc", totals->allocs_failed,
           totals->allocs);
}

static void report__sockets(const totals_t *totals)
{
    printf("sockets: %" PRIu64 " recycled; replaced by cause:\n", totals->recycled);
    for (int i = 0; i < CAUSE_COUNT; i++) {
        printf("  %-22s %10" PRIu64 "\n", cause_name((cause_t)i), totals->stats_replaced[i]);
    }
}

static void report__timeouts(const totals_t *totals)
{
    printf("timeouts: %" PRIu64 " first byte, %" PRIu64 " login, %" PRIu64 " idle, %" PRIu64
           " message\n",
           totals->timeouts[REASON_FIRST_BYTE_TIMEOUT], totals->timeouts[REASON_LOGIN_TIMEOUT],
           totals->timeouts[REASON_IDLE_TIMEOUT], totals->timeouts[REASON_MESSAGE_TIMEOUT]);
}

static void report__filters(const totals_t *totals)
{
    printf("filters:");
    for (int i = 0; i < TOY_COUNT; i++) {
        printf(" %s %" PRIu64, toying_name((toy_count_t)i), totals->toys[i]);
    }
    printf("\n");
}

static uint32_t report__missed_filters(const totals_t *totals)
{
    uint32_t missed = 0;
    for (int i = 0; i < TOY_COUNT; i++) {
        if (totals->toys[i] == 0) {
            printf("sim: %s: never seen with a filter\n", toying_name((toy_count_t)i));
            missed++;
        }
    }
    return missed;
}

static void report__rows(const totals_t *totals)
{
    printf("life-cycle rows:\n");
    for (int from = 0; from < SLOT_STATE_COUNT; from++) {
        for (int to = 0; to < SLOT_STATE_COUNT; to++) {
            if (slot_may_change((slot_state_t)from, (slot_state_t)to)) {
                printf("  %-10s -> %-10s %10" PRIu64 "\n", slot_state_name((slot_state_t)from),
                       slot_state_name((slot_state_t)to), totals->rows[from][to]);
            }
        }
    }
}

static void report__requests(const totals_t *totals)
{
    printf("requests: %" PRIu64 "; replies:", totals->asks);
    for (int i = 0; i < REPLY_MOVED; i++) {
        printf(" %" PRIu64, totals->replies[i]);
    }
    printf("; handovers:");
    for (int i = 0; i <= HANDOVER_ANSWERED; i++) {
        printf(" %" PRIu64, totals->handovers[i]);
    }
    printf(" (by reply_t and handover_t)\n");
}

static void report__names(const totals_t *totals)
{
    printf("logins: %" PRIu64 ", conflicts: %" PRIu64 ", too late: %" PRIu64
           "; names replaced: %" PRIu64 ", inherited: %" PRIu64 ", overtaken: %" PRIu64 "\n",
           totals->logins[LOGIN_DONE], totals->logins[LOGIN_CONFLICT], totals->logins[LOGIN_CLOSED],
           totals->names_replaced, totals->names_inherited, totals->names_overtaken);
}

void report_print(const totals_t *totals, double seconds)
{
    report__rows(totals);
    report__sockets(totals);
    report__faults(totals);
    report__timeouts(totals);
    report__filters(totals);
    printf("clients: %" PRIu64 ", sessions: %" PRIu64 ", events: %" PRIu64 ", sends: %" PRIu64
           ", broadcasts: %" PRIu64 ", calls on sessions that are over: %" PRIu64 "\n",
           totals->clients, totals->sessions, totals->events, totals->sends, totals->broadcasts,
           totals->stale_calls);
    report__names(totals);
    report__requests(totals);
    printf("bytes: %" PRIu64 " to clients, %" PRIu64 " from clients, all of them their own; "
           "messages in lent buffers: %" PRIu64 ", framings set: %" PRIu64 "\n",
           totals->bytes_to_clients, totals->bytes_from_clients, totals->direct_messages,
           totals->recuts);
    printf("virtual time: %.0f s; preemptions: %" PRIu64 "; submits: %" PRIu64 "\n",
           (double)totals->virtual_ns / 1e9, totals->preemptions, totals->submits);
    printf("runs: %" PRIu64 ", steps: %" PRIu64 ", %.1f s of the processor, %.2f million steps/s\n",
           totals->runs, totals->steps, seconds, (double)totals->steps / (seconds + 1e-9) / 1e6);
}

/* What a reply and a handover came to in no run. In none this process is a forked child. */
static uint32_t report__missed_requests(const totals_t *totals)
{
    uint32_t missed = 0;
    for (int i = 0; i < REPLY_DISOWNED; i++) {
        missed += totals->replies[i] == 0;
    }
    for (int i = 0; i <= HANDOVER_ANSWERED; i++) {
        missed += totals->handovers[i] == 0;
    }
    if (missed > 0) {
        printf("sim: %u outcomes of replies and handovers were never seen\n", missed);
    }
    return missed;
}

/* What a login came to in no run. */
static uint32_t report__missed_names(const totals_t *totals)
{
    uint32_t missed = totals->names_replaced == 0;
    missed += totals->names_inherited == 0;
    missed += totals->names_overtaken == 0;
    for (int i = 0; i <= LOGIN_CLOSED; i++) {
        missed += totals->logins[i] == 0;
    }
    if (missed > 0) {
        printf("sim: %u outcomes of logins were never seen\n", missed);
    }
    return missed;
}

uint32_t report_missed_rows(const totals_t *totals)
{
    uint32_t missed = report__missed_requests(totals) + report__missed_filters(totals) +
                      report__missed_names(totals);
    for (reason_t reason = REASON_FIRST_BYTE_TIMEOUT; reason <= REASON_MESSAGE_TIMEOUT; reason++) {
        if (totals->timeouts[reason] == 0) {
            printf("sim: no session ended for reason %d\n", (int)reason);
            missed++;
        }
    }
    for (int from = 0; from < SLOT_STATE_COUNT; from++) {
        for (int to = 0; to < SLOT_STATE_COUNT; to++) {
            bool row = slot_may_change((slot_state_t)from, (slot_state_t)to);
            if (row && totals->rows[from][to] == 0) {
                printf("sim: no run went from %s to %s\n", slot_state_name((slot_state_t)from),
                       slot_state_name((slot_state_t)to));
                missed++;
            }
        }
    }
    return missed;
}
