/* address.h: io_addr_t from and to sockaddr. */
#ifndef IOCPREUSE_IO_EPOLL_ADDRESS_H
#define IOCPREUSE_IO_EPOLL_ADDRESS_H

#include <stdbool.h>
#include <sys/socket.h>

#include "../addr.h"

/* Returns the length, 0 for a version that is neither 4 nor 6. */
socklen_t address_to_native(const io_addr_t *addr, struct sockaddr_storage *out);

/* Version 0 for a family that is neither. */
void address_from_native(const struct sockaddr_storage *native, io_addr_t *out);

/* The local address of the socket FD. Returns 0 or a negative errno. */
int address_of(int fd, io_addr_t *out);

/* 0.0.0.0 or ::, which stands for every local address. */
bool address_is_wildcard(const io_addr_t *addr);

#endif
