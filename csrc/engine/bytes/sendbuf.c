/* sendbuf.c: pieces of what is to be sent: made, and finished where they share a message. */
#include "sendbuf.h"

#include <stdlib.h>

#include "../../base/copy.h"

sendbuf_t *sendbuf_copy(const void *data, size_t len)
{
    sendbuf_t *buf = malloc(sizeof *buf + len);
    if (buf == NULL) {
        return NULL;
    }
    char *bytes = (char *)(buf + 1);
    if (len > 0) {
        copy_bytes(bytes, data, len);
    }
    *buf = (sendbuf_t){.data = bytes, .len = len};
    return buf;
}

sendbuf_t *sendbuf_pin(const void *data, size_t len, void *owner)
{
    sendbuf_t *buf = malloc(sizeof *buf);
    if (buf != NULL) {
        *buf = (sendbuf_t){.owner = owner, .data = data, .len = len};
    }
    return buf;
}

sendbuf_t *sendrun_finish(sendrun_t *run, uint32_t count)
{
    shared_t *message = run->message;
    if (atomic_u64_add(&run->left, 0 - (uint64_t)count) > 0) {
        return NULL;
    }
    free(run);
    return atomic_u64_add(&message->left, (uint64_t)-1) > 0 ? NULL : &message->whole;
}
