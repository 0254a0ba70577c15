/* port.h: the state of one completion port, private to this folder. */
#ifndef IOCPREUSE_IO_IOCP_PORT_H
#define IOCPREUSE_IO_IOCP_PORT_H

#include "../../base/atomics.h"
#include "../io.h"
#include "extension.h"

struct io {
    HANDLE port;
    LARGE_INTEGER ticks_per_s;

    /* What the manager waits for. FD_ACCEPT comes by the first, io_wake_manager by the second. */
    WSAEVENT accept_event;
    HANDLE manager_event;

    /* One io_t serves one listener: these are read off it, once, by io_listen. Accept sockets
     * must be of its family, and its provider's functions are the ones to call. */
    int family;
    iocp_extension_t extension;

    /* The listener, where it was made elsewhere: others may have it after us. */
    SOCKET adopted;

    /* 1 once a socket here may have it on: from its last client, or from an adopted listener.
     * Until then it is off, and no call is spent on saying so to each client's. */
    atomic_u32_t keepalive_seen;
};

/* Ties SOCK to the port, for as long as it lives: a recycled socket stays tied, and a second
 * call fails. So nothing about a connection may ever stand in the key, and none is used.
 * Returns 0 or the Win32 error. */
int iocp_port_associate(io_t *io, SOCKET sock);

/* Unties SOCK, on which nothing is outstanding, from its port, so that another one may have it; on
 * Windows 8.1 and newer, elsewhere it does nothing. */
void iocp_port_release(SOCKET sock);

/* A failed submit: notes the native error in OP and returns it as a negative NTSTATUS. */
int iocp_op_fail(io_op_t *op, int error);

/* An overlapped stream socket that child processes do not inherit; INVALID_SOCKET on error. */
SOCKET iocp_socket(int family);

/* Milliseconds until DEADLINE_NS on io_now_ns's clock, 0 once it has passed. */
uint32_t iocp_ms_left(io_t *io, uint64_t deadline_ns);

#endif
