/* ip_text.h: an IP address as text, read strictly. */
#ifndef IOCPREUSE_ENGINE_IP_TEXT_H
#define IOCPREUSE_ENGINE_IP_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../../io/addr.h"

/* Reads the LEN characters of TEXT as an address of VERSION, 4 or 6, into *OUT, without a port. As
 * inet_pton: four decimal numbers without zeros in front, or RFC 4291's forms without a scope. */
bool ip_read(const char *text, size_t len, uint8_t version, io_addr_t *out);

#endif
