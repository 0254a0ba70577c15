/* stream.h: marked bytes. A stream is named by its mark, and each of its bytes follows from
 * the mark and the byte's position: a byte that strays into another stream, or to another place
 * of its own, is noticed, and nobody has to keep what was sent. */
#ifndef IOCPREUSE_IO_SIM_STREAM_H
#define IOCPREUSE_IO_SIM_STREAM_H

#include <stddef.h>
#include <stdint.h>

/* The two streams of the connection NUMBER. */
static inline uint64_t stream_of_client(uint64_t number)
{
    return number * 2;
}

static inline uint64_t stream_of_server(uint64_t number)
{
    return number * 2 + 1;
}

/* LEN bytes of the stream from POSITION on. */
void stream_fill(uint64_t mark, uint64_t position, char *out, size_t len);

/* How many of LEN bytes are the stream's from POSITION on: LEN if all are well. */
size_t stream_match(uint64_t mark, uint64_t position, const char *bytes, size_t len);

/* A sum of bytes that notices any change. */
uint64_t stream_sum(uint64_t sum, const char *bytes, size_t len);

#endif
