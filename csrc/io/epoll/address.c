/* address.c: io_addr_t from and to sockaddr, and a socket's own. */
#include "address.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>

socklen_t address_to_native(const io_addr_t *addr, struct sockaddr_storage *out)
{
    memset(out, 0, sizeof *out);
    if (addr->version == 4) {
        struct sockaddr_in *v4 = (struct sockaddr_in *)(void *)out;
        v4->sin_family = AF_INET;
        v4->sin_port = htons(addr->port);
        memcpy(&v4->sin_addr, addr->ip, 4);
        return sizeof *v4;
    }
    if (addr->version == 6) {
        struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)(void *)out;
        v6->sin6_family = AF_INET6;
        v6->sin6_port = htons(addr->port);
        v6->sin6_flowinfo = htonl(addr->flow);
        v6->sin6_scope_id = addr->scope;
        memcpy(&v6->sin6_addr, addr->ip, 16);
        return sizeof *v6;
    }
    return 0;
}

void address_from_native(const struct sockaddr_storage *native, io_addr_t *out)
{
    memset(out, 0, sizeof *out);
    if (native->ss_family == AF_INET) {
        const struct sockaddr_in *v4 = (const struct sockaddr_in *)(const void *)native;
        out->version = 4;
        out->port = ntohs(v4->sin_port);
        memcpy(out->ip, &v4->sin_addr, 4);
    } else if (native->ss_family == AF_INET6) {
        /* A mapped IPv4 peer stays ::ffff:a.b.c.d, as Python shows it. */
        const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)(const void *)native;
        out->version = 6;
        out->port = ntohs(v6->sin6_port);
        out->flow = ntohl(v6->sin6_flowinfo);
        out->scope = v6->sin6_scope_id;
        memcpy(out->ip, &v6->sin6_addr, 16);
    }
}

int address_of(int fd, io_addr_t *out)
{
    struct sockaddr_storage name;
    socklen_t len = sizeof name;
    name.ss_family = AF_UNSPEC; /* which the kernel overwrites; analyzers do not know */
    if (getsockname(fd, (struct sockaddr *)(void *)&name, &len) != 0) {
        return -errno;
    }
    address_from_native(&name, out);
    return 0;
}

bool address_is_wildcard(const io_addr_t *addr)
{
    for (unsigned i = 0; i < sizeof addr->ip; i++) {
        if (addr->ip[i] != 0) {
            return false;
        }
    }
    return true;
}
