/* addr.h: an IP address and port, the same layout on every OS. */
#ifndef IOCPREUSE_IO_ADDR_H
#define IOCPREUSE_IO_ADDR_H

#include <stdint.h>

typedef struct {
    uint8_t version; /* 4 or 6; 0 = not known */
    uint16_t port;   /* host byte order */
    uint8_t ip[16];  /* network byte order; IPv4 takes the first four */
    uint32_t flow;   /* IPv6 only, host byte order */
    uint32_t scope;  /* IPv6 only */
} io_addr_t;

#endif
