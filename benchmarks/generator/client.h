/* client.h: a client: one connection to the server, and where it stands in the pattern. */
#ifndef GENERATOR_CLIENT_H
#define GENERATOR_CLIENT_H

#include "pattern.h"
#include "settings.h"

#define RECEIVE_MAX PATTERN_REACH

typedef struct {
    int socket;
    int poll; /* the epoll instance that it is in */
    bool wants_write;
    size_t unsent;       /* bytes that are due to go out */
    size_t send_place;   /* in the pattern */
    size_t awaits_place; /* in the pattern: the next byte to come back */
} client_t;

/* A socket with TCP_NODELAY. From another loopback address each time if SPREAD, because one
   address has too few ports for a stream of new connections. */
int client_socket(bool spread, bool blocking);

/* Connects to the server's port; returns 0, EINPROGRESS or another errno. */
int client_connect(int socket, uint16_t port);

/* So many clients, all connected, in POLL for reading, each at its place in the pattern. */
client_t *clients_connect(const settings_t *settings, int poll, const pattern_t *pattern,
                          size_t unit);

/* Sends what is unsent, as far as the system takes it, and the rest when it takes more. */
void client_flush(client_t *client, const pattern_t *pattern);

/* RECEIVE_MAX bytes on a page's beginning, where the kernel copies fastest; NULL = no memory. */
uint8_t *client_buffer(void);

/* Receives into BUFFER, which has RECEIVE_MAX bytes. 0 if nothing was there; an end or an error
   is the end of the run. */
size_t client_receive(const client_t *client, uint8_t *buffer);

/* The same, checked against the pattern; adds bytes that differ to WRONG. */
size_t client_receive_checked(client_t *client, const pattern_t *pattern, uint8_t *buffer,
                              uint64_t *wrong);

/* Has POLL tell whether the client can send, or no longer. */
void client_watch_write(client_t *client, bool wanted);

#endif
