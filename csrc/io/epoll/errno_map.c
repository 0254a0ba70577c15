/* errno_map.c: errno, sorted, and as NTSTATUS. */
#include "errno_map.h"

#include <errno.h>

#include "../ntstatus.h"

bool errno_is_shortage(int error)
{
    return error == ENOBUFS || error == ENOMEM || error == EMFILE || error == ENFILE ||
           error == ENOSPC; /* epoll_ctl: max_user_watches is used up */
}

bool errno_ends_connection(int error)
{
    return error == ECONNRESET || error == ECONNABORTED || error == ETIMEDOUT ||
           error == EHOSTUNREACH || error == EHOSTDOWN || error == ENETUNREACH || error == ENETDOWN;
}

uint32_t errno_to_status(int error)
{
    if (errno_is_shortage(error)) {
        return NT_INSUFFICIENT_RESOURCES;
    }
    switch (error) {
    case ECONNRESET:
        return NT_CONNECTION_RESET;
    case EPIPE:
        return 0xC000013Cu; /* REMOTE_DISCONNECT: the peer is gone */
    case ETIMEDOUT:
        return 0xC00000B5u; /* IO_TIMEOUT */
    case EHOSTUNREACH:
    case EHOSTDOWN:
        return 0xC000023Du; /* HOST_UNREACHABLE */
    case ENETUNREACH:
    case ENETDOWN:
        return 0xC000023Cu; /* NETWORK_UNREACHABLE */
    case ECONNABORTED:
    case EPROTO:            /* accept: the handshake failed after all */
        return 0xC0000241u; /* CONNECTION_ABORTED */
    case ENOTCONN:
        return NT_INVALID_CONNECTION;
    case EINVAL:
        return NT_INVALID_PARAMETER;
    case EBADF:
        return 0xC0000008u; /* INVALID_HANDLE */
    case EFAULT:
        return 0xC0000005u; /* ACCESS_VIOLATION */
    case ECANCELED:
        return NT_CANCELLED;
    default:
        return 0xC0000001u;
    }
}
