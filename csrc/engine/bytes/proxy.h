/* proxy.h: the header of the PROXY protocol, versions 1 and 2: what a proxy says of its client,
 * before anything else of the connection.
 *
 * https://www.haproxy.org/download/3.2/doc/proxy-protocol.txt, to the letter: what it does not
 * allow is a fault, and whether a header comes at all is never guessed from what has come. */
#ifndef IOCPREUSE_ENGINE_PROXY_H
#define IOCPREUSE_ENGINE_PROXY_H

#include <stdbool.h>
#include <stdint.h>

#include "../../io/addr.h"

/* Of version 1, with its CRLF; and of version 2. */
#define PROXY_LINE_MAX   107u
#define PROXY_HEADER_MAX (16u + 65535u)

typedef enum {
    PROXY_MORE,         /* its rest has not come */
    PROXY_WHOLE,        /* it is whole */
    PROXY_NONE,         /* what comes is no header */
    PROXY_LINE_LONG,    /* no CRLF in the first PROXY_LINE_MAX bytes */
    PROXY_LINE_BAD,     /* a line that breaks the grammar */
    PROXY_VERSION_BAD,  /* a binary header of another version than 2 */
    PROXY_COMMAND_BAD,  /* neither LOCAL nor PROXY */
    PROXY_SHORT,        /* its length has no room for the addresses of its family */
    PROXY_TLV_BAD,      /* its extensions do not fill it */
    PROXY_CHECKSUM_BAD, /* its CRC32c is wrong */
    PROXY_RESULT_COUNT
} proxy_result_t;

/* What a whole header says. */
typedef struct {
    uint32_t len;      /* its bytes; what stands behind them is the client's */
    uint32_t tlvs;     /* where its extensions begin, */
    uint32_t tlvs_len; /* and how long they are */
    bool local;        /* LOCAL: a connection of the proxy's own, such as a health check */
    io_addr_t source;  /* the client; version 0 = not told: the connection's own addresses hold */
    io_addr_t destination; /* what it had connected to; likewise */
} proxy_header_t;

/* Reads the header at the beginning of the LEN BYTES that have come so far. Costs what has come
 * only once it is whole. *OUT is filled by PROXY_WHOLE; NEEDED tells with PROXY_MORE how many bytes
 * it needs at least before it is worth another look. */
proxy_result_t proxy_read(const char *bytes, uint32_t len, proxy_header_t *out, uint32_t *needed);

#endif
