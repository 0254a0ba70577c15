/* toy.h: the toy's records, for both sides. */
#ifndef IOCPREUSE_TESTS_SIM_TOY_H
#define IOCPREUSE_TESTS_SIM_TOY_H

#include <stdint.h>
#include <string.h>

#define TOY_HEAD     5u
#define TOY_BODY_MAX 512u
#define TOY_MAX      (TOY_HEAD + TOY_BODY_MAX)

typedef enum {
    TOY_HELLO = 0x51, /* the client's first */
    TOY_WELCOME,      /* the answer */
    TOY_DONE,         /* the client's second: the handshake is done */
    TOY_TICKET,       /* the server may send some then */
    TOY_DATA,
    TOY_REKEY, /* the client's; the server answers with one */
    TOY_BYE,
    TOY_ALERT
} toy_type_t;

/* One side's direction of a connection: the place in its sequence of records. */
typedef struct {
    uint64_t number; /* of the connection */
    uint32_t count;
    uint32_t have; /* bytes of the next record */
    unsigned char bytes[TOY_MAX];
} toy_way_t;

static inline unsigned char toy_key(const toy_way_t *way, uint32_t at)
{
    return (unsigned char)(way->number * 5 + way->count * 31 + at * 7 + 3);
}

static inline unsigned char toy_sum(const toy_way_t *way, unsigned char type, const char *plain,
                                    uint32_t len)
{
    unsigned char sum = (unsigned char)(type + way->count);
    for (uint32_t i = 0; i < len; i++) {
        sum = (unsigned char)(sum * 3 + (unsigned char)plain[i]);
    }
    return sum;
}

/* Writes a record to OUT; returns its length. */
static inline uint32_t toy_write(toy_way_t *way, toy_type_t type, const char *plain, uint32_t len,
                                 char *out)
{
    unsigned char *to = (unsigned char *)out;
    to[0] = (unsigned char)type;
    to[1] = (unsigned char)len;
    to[2] = (unsigned char)(len >> 8);
    to[3] = toy_sum(way, (unsigned char)type, plain, len);
    to[4] = (unsigned char)~type;
    for (uint32_t i = 0; i < len; i++) {
        to[TOY_HEAD + i] = (unsigned char)plain[i] ^ toy_key(way, i);
    }
    way->count++;
    return TOY_HEAD + len;
}

/* The plain bytes that the record which has begun promises, or is known to. */
static inline uint32_t toy_promised(const toy_way_t *way)
{
    return way->have < 3 ? 0 : (uint32_t)way->bytes[1] | (uint32_t)way->bytes[2] << 8;
}

/* Takes up to LEN bytes of BYTES to the next record; returns how many. */
static inline uint32_t toy_read(toy_way_t *way, const char *bytes, uint32_t len)
{
    uint32_t used = 0;
    while (used < len) {
        uint32_t size = way->have < TOY_HEAD ? TOY_HEAD : TOY_HEAD + toy_promised(way);
        size = size > TOY_MAX ? TOY_HEAD : size;
        if (way->have == size && way->have >= TOY_HEAD) {
            break;
        }
        way->bytes[way->have++] = (unsigned char)bytes[used++];
    }
    return used;
}

typedef enum { TOY_PART, TOY_WHOLE, TOY_BAD } toy_state_t;

/* The record that has been read: if it is whole and good, PLAIN has its body, and the next one
 * begins. */
static inline toy_state_t toy_take(toy_way_t *way, toy_type_t *type, char *plain, uint32_t *len)
{
    if (way->have > 0 && (way->bytes[0] < TOY_HELLO || way->bytes[0] > TOY_ALERT)) {
        return TOY_BAD;
    }
    if (way->have < TOY_HEAD) {
        return TOY_PART;
    }
    *len = toy_promised(way);
    if (way->bytes[4] != (unsigned char)~way->bytes[0] || *len > TOY_BODY_MAX) {
        return TOY_BAD;
    }
    if (way->have < TOY_HEAD + *len) {
        return TOY_PART;
    }
    for (uint32_t i = 0; i < *len; i++) {
        plain[i] = (char)(way->bytes[TOY_HEAD + i] ^ toy_key(way, i));
    }
    *type = (toy_type_t)way->bytes[0];
    if (way->bytes[3] != toy_sum(way, way->bytes[0], plain, *len)) {
        return TOY_BAD;
    }
    way->count++;
    way->have = 0;
    return TOY_WHOLE;
}

#endif
