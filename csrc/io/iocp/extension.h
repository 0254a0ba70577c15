/* extension.h: the functions that Winsock hands out at run time. */
#ifndef IOCPREUSE_IO_IOCP_EXTENSION_H
#define IOCPREUSE_IO_IOCP_EXTENSION_H

#include "io_types.h"

#include <mswsock.h>

typedef struct {
    LPFN_ACCEPTEX accept_ex;
    LPFN_DISCONNECTEX disconnect_ex;
    LPFN_GETACCEPTEXSOCKADDRS get_accept_ex_sockaddrs;
} iocp_extension_t;

/* Asks the provider of SOCK. Returns 0 or the Winsock error. */
int iocp_extension_load(iocp_extension_t *extension, SOCKET sock);

#endif
