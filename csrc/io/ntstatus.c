/* ntstatus.c: the table. The columns are explained in ntstatus.h.
 *
 * Sources: the Win32 and WSA columns were run (RtlNtStatusToDosError,
 * WSAGetOverlappedResult); tests/c/test_ntstatus.c states every row a second
 * time and, on Windows, asks the system again. */
#include "ntstatus.h"

#include <stdbool.h>
#include <stddef.h>

/* What RtlNtStatusToDosError and Winsock say about an error that they have no word for. */
#define WIN32_MR_MID_NOT_FOUND 317
#define WSA_EINVAL             10022

#define NT_UNSUCCESSFUL 0xC0000001u

/* clang-format off */
/* In order of code: the search is binary. Code, name, Win32, WSA, action, how, by whom. */
#define NTSTATUS_ROWS(X)                                                                   \
    /* A receive of 0 bytes is the peer's FIN; every other success ends nothing. */        \
    X(0x00000000u, SUCCESS,                     0,     0, RECYCLE, OK,       PEER)         \
    X(0x00000102u, TIMEOUT,                  1460, 10060, CLOSE,   TIMEOUT,  STACK)        \
    X(0x00000103u, PENDING,                   997,   996, BUG,     MISUSE,   LOCAL)        \
    X(0x80000005u, BUFFER_OVERFLOW,           234, 10040, CLOSE,   MISUSE,   LOCAL)        \
    /* Wine's answer to a local close. */                                                  \
    X(0x8000000Au, HANDLES_CLOSED,            676, 10022, IGNORE,  CANCEL,   LOCAL)        \
    X(0xC0000005u, ACCESS_VIOLATION,          998, 10014, BUG,     MISUSE,   LOCAL)        \
    /* A double close: the handle value may by now be somebody else's. */                  \
    X(0xC0000008u, INVALID_HANDLE,              6, 10038, BUG,     MISUSE,   LOCAL)        \
    X(0xC000000Du, INVALID_PARAMETER,          87, 10022, CLOSE,   MISUSE,   LOCAL)        \
    X(0xC0000010u, INVALID_DEVICE_REQUEST,      1, 10022, CLOSE,   MISUSE,   LOCAL)        \
    X(0xC0000017u, NO_MEMORY,                   8, 10055, BACKOFF, RESOURCE, STACK)        \
    X(0xC0000022u, ACCESS_DENIED,               5, 10013, CLOSE,   NETWORK,  STACK)        \
    X(0xC0000023u, BUFFER_TOO_SMALL,          122, 10014, BUG,     MISUSE,   LOCAL)        \
    X(0xC0000024u, OBJECT_TYPE_MISMATCH,        6, 10038, CLOSE,   MISUSE,   LOCAL)        \
    X(0xC0000044u, QUOTA_EXCEEDED,           1816, 10055, BACKOFF, RESOURCE, STACK)        \
    X(0xC000009Au, INSUFFICIENT_RESOURCES,   1450, 10055, BACKOFF, RESOURCE, STACK)        \
    X(0xC00000A1u, WORKING_SET_QUOTA,        1453, 10055, BACKOFF, RESOURCE, STACK)        \
    X(0xC00000A3u, DEVICE_NOT_READY,           21, 10035, BACKOFF, RESOURCE, STACK)        \
    /* A send after our own shutdown. */                                                   \
    X(0xC00000B0u, PIPE_DISCONNECTED,         233, 10058, CLOSE,   MISUSE,   LOCAL)        \
    /* Keep-alive or retransmission gave up. */                                            \
    X(0xC00000B5u, IO_TIMEOUT,                121, 10060, CLOSE,   TIMEOUT,  STACK)        \
    X(0xC00000C4u, UNEXPECTED_NETWORK_ERROR,   59, 10050, CLOSE,   NETWORK,  STACK)        \
    X(0xC00000C9u, NETWORK_NAME_DELETED,       64, 10022, CLOSE,   RESET,    PEER)         \
    X(0xC0000120u, CANCELLED,                 995,   995, IGNORE,  CANCEL,   LOCAL)        \
    /* To be ignored by one who is closing already. */                                     \
    X(0xC0000128u, FILE_CLOSED,                 6, 10022, CLOSE,   CANCEL,   LOCAL)        \
    X(0xC000013Bu, LOCAL_DISCONNECT,           64, 10053, IGNORE,  CANCEL,   LOCAL)        \
    X(0xC000013Cu, REMOTE_DISCONNECT,          64, 10054, CLOSE,   RESET,    PEER)         \
    X(0xC000013Du, REMOTE_RESOURCES,           51, 10055, BACKOFF, RESOURCE, PEER)         \
    X(0xC000013Eu, LINK_FAILED,                59, 10054, CLOSE,   NETWORK,  STACK)        \
    X(0xC000013Fu, LINK_TIMEOUT,               59, 10060, CLOSE,   TIMEOUT,  STACK)        \
    /* Not connected (any more); Wine's answer to an AcceptEx whose client reset in the    \
     * backlog. */                                                                         \
    X(0xC0000140u, INVALID_CONNECTION,         59, 10057, CLOSE,   RESET,    PEER)         \
    X(0xC0000184u, INVALID_DEVICE_STATE,       22, 10022, CLOSE,   MISUSE,   LOCAL)        \
    /* The listener is gone. */                                                            \
    X(0xC000020Bu, ADDRESS_CLOSED,             64, 10022, IGNORE,  CANCEL,   LOCAL)        \
    X(0xC000020Cu, CONNECTION_DISCONNECTED,    64, 10054, CLOSE,   RESET,    PEER)         \
    X(0xC000020Du, CONNECTION_RESET,           64, 10054, CLOSE,   RESET,    PEER)         \
    X(0xC000020Fu, TRANSACTION_ABORTED,        59, 10053, CLOSE,   NETWORK,  STACK)        \
    X(0xC0000237u, GRACEFUL_DISCONNECT,      1226, 10101, RECYCLE, FIN,      PEER)         \
    X(0xC000023Au, CONNECTION_INVALID,       1229, 10022, CLOSE,   MISUSE,   LOCAL)        \
    /* Still connected. */                                                                 \
    X(0xC000023Bu, CONNECTION_ACTIVE,        1230, 10056, CLOSE,   MISUSE,   LOCAL)        \
    X(0xC000023Cu, NETWORK_UNREACHABLE,      1231, 10051, CLOSE,   NETWORK,  STACK)        \
    X(0xC000023Du, HOST_UNREACHABLE,         1232, 10065, CLOSE,   NETWORK,  STACK)        \
    X(0xC0000240u, REQUEST_ABORTED,          1235, 10004, IGNORE,  CANCEL,   LOCAL)        \
    /* The local stack gave up. */                                                         \
    X(0xC0000241u, CONNECTION_ABORTED,       1236, 10053, CLOSE,   NETWORK,  STACK)
/* clang-format on */

#define NTSTATUS_ROW(code, name, win32, wsa, action, how, initiator)                               \
    {code, #name, win32, wsa, NTSTATUS_##action, NTSTATUS_HOW_##how, NTSTATUS_BY_##initiator},

static const ntstatus_t ntstatus__table[] = {NTSTATUS_ROWS(NTSTATUS_ROW)};

#define NTSTATUS_COUNT (sizeof ntstatus__table / sizeof ntstatus__table[0])

const ntstatus_t *ntstatus_table(uint32_t *count)
{
    *count = (uint32_t)NTSTATUS_COUNT;
    return ntstatus__table;
}

static ntstatus_t ntstatus__unknown(uint32_t code)
{
    /* The two topmost bits are the severity: 0 success, 1 information, 2 warning, 3 error. */
    bool is_error = code >> 30 == 3;
    ntstatus_t unknown;
    unknown.code = code;
    unknown.name = "UNKNOWN";
    unknown.win32 = is_error ? WIN32_MR_MID_NOT_FOUND : 0;
    unknown.wsa = is_error ? WSA_EINVAL : 0;
    unknown.action = is_error ? NTSTATUS_CLOSE : NTSTATUS_RECYCLE;
    unknown.how = is_error ? NTSTATUS_HOW_NETWORK : NTSTATUS_HOW_OK;
    unknown.initiator = NTSTATUS_BY_STACK;
    return unknown;
}

ntstatus_t ntstatus_classify(uint32_t code)
{
    size_t low = 0;
    size_t high = NTSTATUS_COUNT;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (ntstatus__table[middle].code < code) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    if (low < NTSTATUS_COUNT && ntstatus__table[low].code == code) {
        return ntstatus__table[low];
    }
    return ntstatus__unknown(code);
}

/* One row for each error that a submit call is known to return at once. Every status stands
 * in the table above, and every one is negative: callers test the sign. */
typedef struct {
    int wsa;
    uint32_t code;
} ntstatus_wsa_t;

/* clang-format off */
static const ntstatus_wsa_t ntstatus__from_wsa[] = {
    {4,     0xC000009Au}, /* ERROR_TOO_MANY_OPEN_FILES */
    {5,     0xC0000022u}, /* ERROR_ACCESS_DENIED */
    {6,     0xC0000008u}, /* ERROR_INVALID_HANDLE */
    {8,     0xC0000017u}, /* ERROR_NOT_ENOUGH_MEMORY */
    {14,    0xC0000017u}, /* ERROR_OUTOFMEMORY */
    {51,    0xC000013Du}, /* ERROR_REM_NOT_LIST */
    {59,    0xC00000C4u}, /* ERROR_UNEXP_NET_ERR */
    {64,    0xC00000C9u}, /* ERROR_NETNAME_DELETED */
    {87,    0xC000000Du}, /* ERROR_INVALID_PARAMETER */
    {121,   0xC00000B5u}, /* ERROR_SEM_TIMEOUT */
    {122,   0xC0000023u}, /* ERROR_INSUFFICIENT_BUFFER */
    {234,   0x80000005u}, /* ERROR_MORE_DATA */
    {995,   0xC0000120u}, /* ERROR_OPERATION_ABORTED */
    {998,   0xC0000005u}, /* ERROR_NOACCESS */
    {1226,  0xC0000237u}, /* ERROR_GRACEFUL_DISCONNECT */
    {1229,  0xC000023Au}, /* ERROR_CONNECTION_INVALID */
    {1230,  0xC000023Bu}, /* ERROR_CONNECTION_ACTIVE */
    {1231,  0xC000023Cu}, /* ERROR_NETWORK_UNREACHABLE */
    {1232,  0xC000023Du}, /* ERROR_HOST_UNREACHABLE */
    {1235,  0xC0000240u}, /* ERROR_REQUEST_ABORTED */
    {1236,  0xC0000241u}, /* ERROR_CONNECTION_ABORTED */
    {1450,  0xC000009Au}, /* ERROR_NO_SYSTEM_RESOURCES */
    {1453,  0xC00000A1u}, /* ERROR_WORKING_SET_QUOTA */
    {1455,  0xC000009Au}, /* ERROR_COMMITMENT_LIMIT */
    {1460,  0xC00000B5u}, /* ERROR_TIMEOUT; STATUS_TIMEOUT itself is not negative */
    {1816,  0xC0000044u}, /* ERROR_NOT_ENOUGH_QUOTA */
    {10004, 0xC0000240u}, /* WSAEINTR */
    {10009, 0xC0000008u}, /* WSAEBADF */
    {10013, 0xC0000022u}, /* WSAEACCES */
    {10014, 0xC0000005u}, /* WSAEFAULT */
    {10022, 0xC000000Du}, /* WSAEINVAL */
    {10024, 0xC000009Au}, /* WSAEMFILE: handles are a resource that comes back */
    {10035, 0xC00000A3u}, /* WSAEWOULDBLOCK */
    {10038, 0xC0000008u}, /* WSAENOTSOCK */
    {10040, 0x80000005u}, /* WSAEMSGSIZE */
    {10045, 0xC0000010u}, /* WSAEOPNOTSUPP */
    {10050, 0xC00000C4u}, /* WSAENETDOWN */
    {10051, 0xC000023Cu}, /* WSAENETUNREACH */
    {10052, 0xC00000B5u}, /* WSAENETRESET: keep-alive found the connection dead */
    {10053, 0xC0000241u}, /* WSAECONNABORTED */
    {10054, 0xC000020Du}, /* WSAECONNRESET */
    {10055, 0xC000009Au}, /* WSAENOBUFS */
    {10056, 0xC000023Bu}, /* WSAEISCONN */
    {10057, 0xC0000140u}, /* WSAENOTCONN */
    {10058, 0xC00000B0u}, /* WSAESHUTDOWN */
    {10060, 0xC00000B5u}, /* WSAETIMEDOUT */
    {10064, 0xC000023Du}, /* WSAEHOSTDOWN */
    {10065, 0xC000023Du}, /* WSAEHOSTUNREACH */
    {10067, 0xC000009Au}, /* WSAEPROCLIM */
    {10101, 0xC0000237u}, /* WSAEDISCON */
};
/* clang-format on */

uint32_t ntstatus_from_wsa(int wsa_error)
{
    /* Only failed submits come here, so a walk of fifty rows costs nothing that matters. */
    for (size_t i = 0; i < sizeof ntstatus__from_wsa / sizeof ntstatus__from_wsa[0]; i++) {
        if (ntstatus__from_wsa[i].wsa == wsa_error) {
            return ntstatus__from_wsa[i].code;
        }
    }
    return NT_UNSUCCESSFUL;
}
