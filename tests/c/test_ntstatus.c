/* test_ntstatus.c: every row of the NTSTATUS table, stated a second time, on every OS. */
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "tally.h"
#include "../../csrc/io/ntstatus.h"

#ifdef _WIN32
#include "../../csrc/base/win32.h"
#endif

static tally_t tally;

static void report(bool ok, const char *name)
{
    tally_check(&tally, ok, name);
}

typedef struct {
    uint32_t code;
    const char *name;
    int win32;
    int wsa;
    char action; /* R recycle, C close, I ignore, B back off, X bug */
} row_t;

/* clang-format off */
static const row_t rows[] = {
    {0x00000000u, "SUCCESS",                     0,     0, 'R'},
    {0x00000102u, "TIMEOUT",                  1460, 10060, 'C'},
    {0x00000103u, "PENDING",                   997,   996, 'X'},
    {0x80000005u, "BUFFER_OVERFLOW",           234, 10040, 'C'},
    {0x8000000Au, "HANDLES_CLOSED",            676, 10022, 'I'},
    {0xC0000005u, "ACCESS_VIOLATION",          998, 10014, 'X'},
    {0xC0000008u, "INVALID_HANDLE",              6, 10038, 'X'},
    {0xC000000Du, "INVALID_PARAMETER",          87, 10022, 'C'},
    {0xC0000010u, "INVALID_DEVICE_REQUEST",      1, 10022, 'C'},
    {0xC0000017u, "NO_MEMORY",                   8, 10055, 'B'},
    {0xC0000022u, "ACCESS_DENIED",               5, 10013, 'C'},
    {0xC0000023u, "BUFFER_TOO_SMALL",          122, 10014, 'X'},
    {0xC0000024u, "OBJECT_TYPE_MISMATCH",        6, 10038, 'C'},
    {0xC0000044u, "QUOTA_EXCEEDED",           1816, 10055, 'B'},
    {0xC000009Au, "INSUFFICIENT_RESOURCES",   1450, 10055, 'B'},
    {0xC00000A1u, "WORKING_SET_QUOTA",        1453, 10055, 'B'},
    {0xC00000A3u, "DEVICE_NOT_READY",           21, 10035, 'B'},
    {0xC00000B0u, "PIPE_DISCONNECTED",         233, 10058, 'C'},
    {0xC00000B5u, "IO_TIMEOUT",                121, 10060, 'C'},
    {0xC00000C4u, "UNEXPECTED_NETWORK_ERROR",   59, 10050, 'C'},
    {0xC00000C9u, "NETWORK_NAME_DELETED",       64, 10022, 'C'},
    {0xC0000120u, "CANCELLED",                 995,   995, 'I'},
    {0xC0000128u, "FILE_CLOSED",                 6, 10022, 'C'},
    {0xC000013Bu, "LOCAL_DISCONNECT",           64, 10053, 'I'},
    {0xC000013Cu, "REMOTE_DISCONNECT",          64, 10054, 'C'},
    {0xC000013Du, "REMOTE_RESOURCES",           51, 10055, 'B'},
    {0xC000013Eu, "LINK_FAILED",                59, 10054, 'C'},
    {0xC000013Fu, "LINK_TIMEOUT",               59, 10060, 'C'},
    {0xC0000140u, "INVALID_CONNECTION",         59, 10057, 'C'},
    {0xC0000184u, "INVALID_DEVICE_STATE",       22, 10022, 'C'},
    {0xC000020Bu, "ADDRESS_CLOSED",             64, 10022, 'I'},
    {0xC000020Cu, "CONNECTION_DISCONNECTED",    64, 10054, 'C'},
    {0xC000020Du, "CONNECTION_RESET",           64, 10054, 'C'},
    {0xC000020Fu, "TRANSACTION_ABORTED",        59, 10053, 'C'},
    {0xC0000237u, "GRACEFUL_DISCONNECT",      1226, 10101, 'R'},
    {0xC000023Au, "CONNECTION_INVALID",       1229, 10022, 'C'},
    {0xC000023Bu, "CONNECTION_ACTIVE",        1230, 10056, 'C'},
    {0xC000023Cu, "NETWORK_UNREACHABLE",      1231, 10051, 'C'},
    {0xC000023Du, "HOST_UNREACHABLE",         1232, 10065, 'C'},
    {0xC0000240u, "REQUEST_ABORTED",          1235, 10004, 'I'},
    {0xC0000241u, "CONNECTION_ABORTED",       1236, 10053, 'C'},
};
/* clang-format on */

#define ROW_COUNT (sizeof rows / sizeof rows[0])

static char action_letter(ntstatus_action_t action)
{
    switch (action) {
    case NTSTATUS_RECYCLE:
        return 'R';
    case NTSTATUS_CLOSE:
        return 'C';
    case NTSTATUS_IGNORE:
        return 'I';
    case NTSTATUS_BACKOFF:
        return 'B';
    case NTSTATUS_BUG:
        return 'X';
    }
    return '?';
}

static void test_rows(void)
{
    for (size_t i = 0; i < ROW_COUNT; i++) {
        const row_t *row = &rows[i];
        ntstatus_t got = ntstatus_classify(row->code);
        report(got.code == row->code && strcmp(got.name, row->name) == 0 &&
                   got.win32 == row->win32 && got.wsa == row->wsa &&
                   action_letter(got.action) == row->action,
               row->name);
    }
}

static void test_table_is_sorted_and_complete(void)
{
    uint32_t count = 0;
    const ntstatus_t *table = ntstatus_table(&count);
    bool ascending = true;
    bool names_differ = true;
    for (uint32_t i = 1; i < count; i++) {
        ascending = ascending && table[i - 1].code < table[i].code;
        for (uint32_t j = 0; j < i; j++) {
            names_differ = names_differ && strcmp(table[i].name, table[j].name) != 0;
        }
    }
    report(count == ROW_COUNT, "the table has these rows and no more");
    report(ascending, "codes ascend, so each stands once");
    report(names_differ, "names are unique");
}

static void test_actions_agree_with_how(void)
{
    uint32_t count = 0;
    const ntstatus_t *table = ntstatus_table(&count);
    bool backoff_is_resource = true;
    bool ignored_is_our_own = true;
    bool bug_is_misuse = true;
    bool fin_recycles = true;
    for (uint32_t i = 0; i < count; i++) {
        const ntstatus_t *row = &table[i];
        backoff_is_resource = backoff_is_resource && (row->action == NTSTATUS_BACKOFF) ==
                                                         (row->how == NTSTATUS_HOW_RESOURCE);
        if (row->action == NTSTATUS_IGNORE) {
            ignored_is_our_own = ignored_is_our_own && row->how == NTSTATUS_HOW_CANCEL &&
                                 row->initiator == NTSTATUS_BY_LOCAL;
        }
        if (row->action == NTSTATUS_BUG) {
            bug_is_misuse = bug_is_misuse && row->how == NTSTATUS_HOW_MISUSE;
        }
        if (row->how == NTSTATUS_HOW_FIN) {
            fin_recycles = fin_recycles && row->action == NTSTATUS_RECYCLE;
        }
    }
    report(backoff_is_resource, "back off exactly where resources are short");
    report(ignored_is_our_own, "what is ignored was begun here");
    report(bug_is_misuse, "a bug is misuse");
    report(fin_recycles, "a FIN recycles");
}

static void test_the_three_that_win32_confuses(void)
{
    ntstatus_t local = ntstatus_classify(0xC000013Bu);
    ntstatus_t remote = ntstatus_classify(0xC000013Cu);
    ntstatus_t reset = ntstatus_classify(0xC000020Du);
    report(local.win32 == 64 && remote.win32 == 64 && reset.win32 == 64 &&
               local.initiator == NTSTATUS_BY_LOCAL && remote.initiator == NTSTATUS_BY_PEER &&
               reset.initiator == NTSTATUS_BY_PEER && reset.how == NTSTATUS_HOW_RESET,
           "one Win32 code, three ends");
}

static void test_unknown_codes(void)
{
    static const uint32_t errors[] = {0xC0000001u, 0xC0000018u, 0xC0070005u,
                                      0xE0000001u, 0xC0000242u, 0xFFFFFFFFu};
    static const uint32_t mild[] = {0x00000001u, 0x00000101u, 0x40000000u,
                                    0x7FFFFFFFu, 0x80000006u, 0xBFFFFFFFu};
    bool close = true;
    bool ok = true;
    for (size_t i = 0; i < sizeof errors / sizeof errors[0]; i++) {
        ntstatus_t got = ntstatus_classify(errors[i]);
        close = close && got.code == errors[i] && strcmp(got.name, "UNKNOWN") == 0 &&
                got.action == NTSTATUS_CLOSE && got.initiator == NTSTATUS_BY_STACK &&
                got.how != NTSTATUS_HOW_OK && got.wsa != 0;
    }
    for (size_t i = 0; i < sizeof mild / sizeof mild[0]; i++) {
        ntstatus_t got = ntstatus_classify(mild[i]);
        ok = ok && got.code == mild[i] && strcmp(got.name, "UNKNOWN") == 0 &&
             got.how == NTSTATUS_HOW_OK && got.action != NTSTATUS_CLOSE && got.wsa == 0;
    }
    report(close, "an unknown error closes, by the stack, with its code kept");
    report(ok, "an unknown code of milder severity is OK, with its code kept");
}

typedef struct {
    int wsa;
    uint32_t code;
} wsa_row_t;

static void test_from_wsa(void)
{
    static const wsa_row_t known[] = {
        {995, 0xC0000120u},   {64, 0xC00000C9u},    {6, 0xC0000008u},     {8, 0xC0000017u},
        {1450, 0xC000009Au},  {10004, 0xC0000240u}, {10022, 0xC000000Du}, {10024, 0xC000009Au},
        {10038, 0xC0000008u}, {10050, 0xC00000C4u}, {10051, 0xC000023Cu}, {10053, 0xC0000241u},
        {10054, 0xC000020Du}, {10055, 0xC000009Au}, {10056, 0xC000023Bu}, {10057, 0xC0000140u},
        {10058, 0xC00000B0u}, {10060, 0xC00000B5u}, {10065, 0xC000023Du}, {12345, 0xC0000001u},
        {0, 0xC0000001u},
    };
    static const int shortages[] = {8, 14, 1450, 1453, 1455, 1816, 10024, 10055};
    bool as_stated = true;
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        as_stated = as_stated && ntstatus_from_wsa(known[i].wsa) == known[i].code;
    }
    report(as_stated, "Winsock errors become the status that is stated here");

    bool back_off = true;
    for (size_t i = 0; i < sizeof shortages / sizeof shortages[0]; i++) {
        ntstatus_t got = ntstatus_classify(ntstatus_from_wsa(shortages[i]));
        back_off = back_off && got.action == NTSTATUS_BACKOFF;
    }
    report(back_off, "a shortage backs off");

    bool negative = true;
    bool in_the_table = true;
    for (int wsa = -1; wsa < 20000; wsa++) {
        uint32_t code = ntstatus_from_wsa(wsa);
        negative = negative && (code & 0x80000000u) != 0;
        in_the_table = in_the_table && (code == 0xC0000001u ||
                                        strcmp(ntstatus_classify(code).name, "UNKNOWN") != 0);
    }
    report(negative, "every Winsock error becomes a negative status");
    report(in_the_table, "and that status is in the table or STATUS_UNSUCCESSFUL");
}

static void test_from_wsa_and_back(void)
{
    /* These keep their meaning but not their number: see the notes in the table. */
    static const int changed[] = {10009, 10024, 10045, 10052, 10064, 10067};
    bool same = true;
    for (int wsa = 10000; wsa < 11000; wsa++) {
        uint32_t code = ntstatus_from_wsa(wsa);
        bool expected = code == 0xC0000001u || ntstatus_classify(code).wsa == wsa;
        for (size_t i = 0; i < sizeof changed / sizeof changed[0]; i++) {
            expected = expected || wsa == changed[i];
        }
        same = same && expected;
    }
    report(same, "a Winsock error comes back as itself");
}

#ifdef _WIN32
typedef ULONG(WINAPI *to_dos_error_t)(LONG status);

static void test_against_the_system(void)
{
    to_dos_error_t to_dos_error = NULL;
    HMODULE ntdll = GetModuleHandleW(L"ntdll.dll");
    FARPROC found = ntdll != NULL ? GetProcAddress(ntdll, "RtlNtStatusToDosError") : NULL;
    memcpy(&to_dos_error, &found, sizeof to_dos_error);
    report(to_dos_error != NULL, "ntdll has RtlNtStatusToDosError");
    if (to_dos_error == NULL) {
        return;
    }
    for (size_t i = 0; i < ROW_COUNT; i++) {
        char name[96];
        ULONG system = to_dos_error((LONG)rows[i].code);
        snprintf(name, sizeof name, "%s is Win32 %d, the system says %lu", rows[i].name,
                 rows[i].win32, system);
        report(system == (ULONG)rows[i].win32, name);
    }
}
#endif

int main(void)
{
    test_rows();
    test_table_is_sorted_and_complete();
    test_actions_agree_with_how();
    test_the_three_that_win32_confuses();
    test_unknown_codes();
    test_from_wsa();
    test_from_wsa_and_back();
#ifdef _WIN32
    test_against_the_system();
#endif
    return tally_close(&tally);
}
