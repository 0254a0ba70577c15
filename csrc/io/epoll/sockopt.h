/* sockopt.h: making listening sockets, and the options of accepted ones. Errors are errno. */
#ifndef IOCPREUSE_IO_EPOLL_SOCKOPT_H
#define IOCPREUSE_IO_EPOLL_SOCKOPT_H

#include <stdbool.h>

#include "../io.h"

/* A bound socket that does not block. Returns the descriptor or a negated errno. */
int sockopt_bind(const io_addr_t *addr, bool dual_stack);

/* Whether FD, made elsewhere, is a listening TCP socket; it does not block from now on. */
int sockopt_check_listening(int fd);

/* Sets every one of OPTIONS. */
int sockopt_apply(int fd, const io_sock_options_t *options);

/* Sets those of OPTIONS that differ from HAD. */
int sockopt_change(int fd, const io_sock_options_t *had, const io_sock_options_t *options);

#endif
