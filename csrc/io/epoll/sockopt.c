/* sockopt.c: setsockopt and what goes with it, for listening and for accepted sockets. */
#include "sockopt.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include "address.h"

static int sockopt__set(int fd, int level, int name, int value)
{
    return setsockopt(fd, level, name, &value, sizeof value) == 0 ? 0 : errno;
}

/* A value of 0 stands for the system's default and is left alone. */
static int sockopt__set_unless_0(int fd, int name, uint32_t value)
{
    return value == 0 ? 0 : sockopt__set(fd, IPPROTO_TCP, name, (int)value);
}

int sockopt_bind(const io_addr_t *addr, bool dual_stack)
{
    struct sockaddr_storage native;
    socklen_t len = address_to_native(addr, &native);
    if (len == 0) {
        return -EAFNOSUPPORT;
    }
    int fd = socket(native.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_TCP);
    if (fd < 0) {
        return -errno;
    }
    /* So that a server can be restarted while connections of the last one are in TIME_WAIT.
     * On Linux, unlike Windows, it does not let two sockets listen on one port. */
    int error = sockopt__set(fd, SOL_SOCKET, SO_REUSEADDR, 1);
    if (error == 0 && native.ss_family == AF_INET6) {
        error = sockopt__set(fd, IPPROTO_IPV6, IPV6_V6ONLY, dual_stack ? 0 : 1);
    }
    if (error == 0 && bind(fd, (const struct sockaddr *)(const void *)&native, len) != 0) {
        error = errno;
    }
    if (error != 0) {
        (void)close(fd);
        return -error;
    }
    return fd;
}

static int sockopt__get(int fd, int name, int *value)
{
    socklen_t len = sizeof *value;
    return getsockopt(fd, SOL_SOCKET, name, value, &len) == 0 ? 0 : errno;
}

int sockopt_check_listening(int fd)
{
    int listening = 0;
    int domain = 0;
    int protocol = 0;
    int error = sockopt__get(fd, SO_ACCEPTCONN, &listening);
    error = error != 0 ? error : sockopt__get(fd, SO_DOMAIN, &domain);
    error = error != 0 ? error : sockopt__get(fd, SO_PROTOCOL, &protocol);
    if (error != 0) {
        return error;
    }
    if (!listening || protocol != IPPROTO_TCP || (domain != AF_INET && domain != AF_INET6)) {
        return EINVAL;
    }
    int flags = fcntl(fd, F_GETFL);
    return flags >= 0 && fcntl(fd, F_SETFL, flags | O_NONBLOCK) == 0 ? 0 : errno;
}

int sockopt_apply(int fd, const io_sock_options_t *options)
{
    int error = sockopt__set(fd, IPPROTO_TCP, TCP_NODELAY, options->nodelay);
    error = error != 0 ? error : sockopt__set(fd, SOL_SOCKET, SO_KEEPALIVE, options->keepalive);
    error = error != 0 ? error : sockopt__set_unless_0(fd, TCP_KEEPIDLE, options->keepalive_idle_s);
    error = error != 0 ? error
                       : sockopt__set_unless_0(fd, TCP_KEEPINTVL, options->keepalive_interval_s);
    error = error != 0 ? error : sockopt__set_unless_0(fd, TCP_KEEPCNT, options->keepalive_count);
    return error != 0 || options->send_buffer == 0
               ? error
               : sockopt__set(fd, SOL_SOCKET, SO_SNDBUF, (int)options->send_buffer);
}

int sockopt_change(int fd, const io_sock_options_t *had, const io_sock_options_t *options)
{
    bool same = had->nodelay == options->nodelay && had->keepalive == options->keepalive &&
                had->keepalive_idle_s == options->keepalive_idle_s &&
                had->keepalive_interval_s == options->keepalive_interval_s &&
                had->keepalive_count == options->keepalive_count &&
                had->send_buffer == options->send_buffer;
    return same ? 0 : sockopt_apply(fd, options);
}
