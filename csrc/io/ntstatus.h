/* ntstatus.h: what an NTSTATUS says about a connection. One pure table, the same on every OS.
 *
 * OVERLAPPED.Internal holds the NTSTATUS of a completed operation. It is
 * classified here and not by its Win32 code, because three very different
 * statuses (C000013B we closed, C000013C the peer closed, C000020D the peer
 * reset) all become ERROR_NETNAME_DELETED (64).
 *
 * The other backends speak NTSTATUS too: each gives the code that Windows would
 * give for the same event, so that the engine has one classification. */
#ifndef IOCPREUSE_IO_NTSTATUS_H
#define IOCPREUSE_IO_NTSTATUS_H

#include <stdint.h>

/* What the engine does with the socket on which an operation ended like this. */
typedef enum {
    NTSTATUS_RECYCLE, /* orderly: the socket may be recycled */
    NTSTATUS_CLOSE,   /* close it, and let a new socket take its place */
    NTSTATUS_IGNORE,  /* the echo of our own cancel or close */
    NTSTATUS_BACKOFF, /* resources are short: try again after a pause */
    NTSTATUS_BUG      /* must not be seen at all: logged as an error, then as CLOSE */
} ntstatus_action_t;

/* How the connection ended, as far as the status can tell. */
typedef enum {
    NTSTATUS_HOW_OK,       /* it did not end */
    NTSTATUS_HOW_FIN,      /* orderly, by the peer */
    NTSTATUS_HOW_RESET,    /* RST, or the peer's stack dropped it */
    NTSTATUS_HOW_TIMEOUT,  /* keep-alive or retransmission gave up */
    NTSTATUS_HOW_NETWORK,  /* the network or the local stack failed */
    NTSTATUS_HOW_CANCEL,   /* our own cancel or close */
    NTSTATUS_HOW_RESOURCE, /* memory, quota, handles */
    NTSTATUS_HOW_MISUSE    /* an argument or a state that our own code must not produce */
} ntstatus_how_t;

typedef enum { NTSTATUS_BY_PEER, NTSTATUS_BY_LOCAL, NTSTATUS_BY_STACK } ntstatus_initiator_t;

typedef struct {
    uint32_t code;
    const char *name; /* without the STATUS_ prefix; "UNKNOWN" for a code that the table lacks */
    uint16_t win32;   /* as RtlNtStatusToDosError gives it */
    uint16_t wsa;     /* as WSAGetOverlappedResult gives it */
    ntstatus_action_t action;
    ntstatus_how_t how;
    ntstatus_initiator_t initiator;
} ntstatus_t;

/* The codes that the engine and the backends name themselves. */
#define NT_SUCCESS_CODE           0x00000000u
#define NT_PENDING                0x00000103u
#define NT_INVALID_PARAMETER      0xC000000Du
#define NT_INSUFFICIENT_RESOURCES 0xC000009Au
#define NT_CANCELLED              0xC0000120u
#define NT_LOCAL_DISCONNECT       0xC000013Bu
#define NT_INVALID_CONNECTION     0xC0000140u
#define NT_CONNECTION_RESET       0xC000020Du
#define NT_CONNECTION_ABORTED     0xC0000241u

/* The entry for CODE. A code that the table lacks gets an entry made of it: an
 * error severity is CLOSE by the stack, anything milder is OK; the code stays as it is. */
ntstatus_t ntstatus_classify(uint32_t code);

/* The status that stands for a Winsock error which a call returned at once; an
 * unknown one becomes 0xC0000001 (STATUS_UNSUCCESSFUL). ERROR_IO_PENDING (997) is not an error. */
uint32_t ntstatus_from_wsa(int wsa_error);

/* For the tests and the documentation: the table itself, COUNT entries in order of code. */
const ntstatus_t *ntstatus_table(uint32_t *count);

#endif
