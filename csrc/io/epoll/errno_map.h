/* errno_map.h: the NTSTATUS that Windows would give for what errno tells here. */
#ifndef IOCPREUSE_IO_EPOLL_ERRNO_MAP_H
#define IOCPREUSE_IO_EPOLL_ERRNO_MAP_H

#include <stdbool.h>
#include <stdint.h>

/* Never a success: an errno that the table lacks is C0000001 (STATUS_UNSUCCESSFUL). */
uint32_t errno_to_status(int error);

/* Whether ERROR says that memory or descriptors are short, so that a later try may do. */
bool errno_is_shortage(int error);

/* Whether ERROR says that the connection is over, in both directions. EPIPE is not among them:
 * it may be the answer to our own shutdown, and the kernel repeats it. */
bool errno_ends_connection(int error);

#endif
