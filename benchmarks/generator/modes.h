/* modes.h: what the generator can do. Each runs warm-up and window, and reports. */
#ifndef GENERATOR_MODES_H
#define GENERATOR_MODES_H

#include "settings.h"

#define EVENTS_MAX 1024
/* How long a wait lasts at most, so that the window ends in time. */
#define WAIT_MS 20

/* Every message comes back; a connection has `depth` of them on their way. */
void run_echo(const settings_t *settings);

/* The same with messages behind a length of 4 bytes; all `depth` of them go out as one piece. */
void run_framed(const settings_t *settings);

/* The server sends each member a byte, "+", when it has joined. Then `senders` of the members
   send a message each, and when all members have had all of them, the next round begins. */
void run_chat(const settings_t *settings);

/* Connects, sends a message, has it back, and closes: `connections` at a time, for ever new. */
void run_churn(const settings_t *settings);

/* As many bytes as go, up to `window` of each connection on their way. */
void run_bulk(const settings_t *settings);

/* Connections that have had one message echoed and stay; one of them goes on echoing. */
void run_idle(const settings_t *settings);

#endif
