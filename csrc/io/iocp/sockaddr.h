/* sockaddr.h: io_addr_t to Winsock's address and back. */
#ifndef IOCPREUSE_IO_IOCP_SOCKADDR_H
#define IOCPREUSE_IO_IOCP_SOCKADDR_H

#include "../addr.h"
#include "io_types.h"

/* Fills *OUT and returns its length in bytes; 0 where ADDR is neither IPv4 nor IPv6. */
int iocp_sockaddr_from_addr(const io_addr_t *addr, SOCKADDR_STORAGE *out);

/* An address of another family, or one that is cut short, becomes version 0. */
void iocp_sockaddr_to_addr(const SOCKADDR *in, int length, io_addr_t *out);

#endif
