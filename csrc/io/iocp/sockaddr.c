/* sockaddr.c: io_addr_t to Winsock's address and back. */
#include "sockaddr.h"

#include <string.h>

int iocp_sockaddr_from_addr(const io_addr_t *addr, SOCKADDR_STORAGE *out)
{
    memset(out, 0, sizeof *out);
    if (addr->version == 4) {
        struct sockaddr_in *v4 = (struct sockaddr_in *)(void *)out;
        v4->sin_family = AF_INET;
        v4->sin_port = htons(addr->port);
        memcpy(&v4->sin_addr, addr->ip, 4);
        return (int)sizeof *v4;
    }
    if (addr->version == 6) {
        struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)(void *)out;
        v6->sin6_family = AF_INET6;
        v6->sin6_port = htons(addr->port);
        v6->sin6_flowinfo = htonl(addr->flow);
        memcpy(&v6->sin6_addr, addr->ip, 16);
        v6->sin6_scope_id = addr->scope;
        return (int)sizeof *v6;
    }
    return 0;
}

void iocp_sockaddr_to_addr(const SOCKADDR *in, int length, io_addr_t *out)
{
    memset(out, 0, sizeof *out);
    if (in == NULL || length < (int)sizeof in->sa_family) {
        return;
    }
    /* Copied, because AcceptEx gives no promise about the alignment of its addresses. */
    if (in->sa_family == AF_INET && length >= (int)sizeof(struct sockaddr_in)) {
        struct sockaddr_in v4;
        memcpy(&v4, in, sizeof v4);
        out->version = 4;
        out->port = ntohs(v4.sin_port);
        memcpy(out->ip, &v4.sin_addr, 4);
    } else if (in->sa_family == AF_INET6 && length >= (int)sizeof(struct sockaddr_in6)) {
        struct sockaddr_in6 v6;
        memcpy(&v6, in, sizeof v6);
        out->version = 6;
        out->port = ntohs(v6.sin6_port);
        memcpy(out->ip, &v6.sin6_addr, 16);
        out->flow = ntohl(v6.sin6_flowinfo);
        out->scope = v6.sin6_scope_id;
    }
}
