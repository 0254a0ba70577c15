/* peer.h: the other side of the connections, on plain blocking sockets, and threads. All that
 * the suite knows of the operating system stands in peer.c.
 *
 * Every blocking call gives up after DEADLINE_MS, which is an error like any other. */
#ifndef IOCPREUSE_TESTS_PEER_H
#define IOCPREUSE_TESTS_PEER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../../csrc/io/addr.h"

typedef uintptr_t peer_t; /* a descriptor or a SOCKET */
#define PEER_NONE UINTPTR_MAX

/* What peer_recv returns besides a count of bytes, which is 0 at a FIN. */
#define PEER_RESET (-1L)
#define PEER_ERROR (-2L) /* a time-out among them */

void peer_startup(void);

peer_t peer_connect(const io_addr_t *addr);
/* The same with a small receive buffer, so that the other side is blocked soon. */
peer_t peer_connect_narrow(const io_addr_t *addr);

bool peer_send(peer_t peer, const void *data, size_t len); /* all of it */
bool peer_send_urgent(peer_t peer, char byte);             /* out of band */
long peer_recv(peer_t peer, void *data, size_t len);       /* what there is */
bool peer_recv_all(peer_t peer, void *data, size_t len);

void peer_shutdown(peer_t peer); /* sends the FIN */
void peer_close(peer_t *peer);
void peer_reset(peer_t *peer); /* closes with RST */

bool peer_name(peer_t peer, io_addr_t *out);

/* A listening socket that the backend did not make; ADDR gets its port. */
peer_t peer_listen(io_addr_t *addr);
/* A stream socket that is bound and does not listen. */
peer_t peer_bound(io_addr_t *addr);

/* Whether this machine can connect over it: some have no IPv6. */
bool peer_has_ipv6(void);

bool error_is_taken(int error); /* the address is in use, or another process has it */

/* Where Wine is known to differ from Windows, a test takes its answer with a remark. */
bool peer_on_wine(void);

/* Options of any socket; 0 or 1, -1 when the call failed. */
int handle_nodelay(uintptr_t handle);
int handle_keepalive(uintptr_t handle);
/* Seconds; 0 where the platform does not tell. */
int handle_keepalive_idle(uintptr_t handle);
bool handle_set_keepalive(uintptr_t handle);
/* Has its close wait for what was sent to be taken, for so long. */
bool handle_set_linger(uintptr_t handle, int seconds);

/* Lets no further descriptor be opened, or lifts that. False where it cannot be done. */
bool peer_limit_descriptors(bool limited);

typedef struct thread thread_t;
thread_t *thread_start(void (*run)(void *arg), void *arg);
void thread_join(thread_t *thread);
void thread_sleep(uint32_t ms); /* to be slow on purpose, never to wait for something */
uint64_t peer_now_ms(void);

#endif
