/* chat.c: the mode chat: what each member says goes to all. */
#include "modes.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "client.h"
#include "clock.h"
#include "fail.h"
#include "measure.h"

/* How every message begins. */
typedef struct {
    uint32_t sender;
    uint32_t round;
} header_t;

/* A member, as a receiver. */
typedef struct {
    size_t partial;       /* bytes of the next message, at the end of what came */
    uint8_t *kept;        /* those bytes */
    uint32_t *last_round; /* the last message of each sender that came */
} member_t;

typedef struct {
    const settings_t *settings;
    pattern_t pattern;
    measure_t measure;
    int poll;
    client_t *clients;
    member_t *members;
    uint8_t *messages; /* of this round, one of each sender */
    uint8_t *buffer;   /* one message of room before what is received */
    uint32_t round;
    uint64_t missing; /* deliveries of this round that have not come */
    uint64_t sent_ns;
} chat_t;

static void *allocate(size_t count, size_t size)
{
    void *memory = calloc(count, size);
    if (!memory)
        fail("the members", ENOMEM);
    return memory;
}

static void send_round(chat_t *chat)
{
    const settings_t *settings = chat->settings;
    chat->round++;
    chat->missing = (uint64_t)settings->connections * settings->senders;
    chat->sent_ns = now_ns();
    for (uint32_t sender = 0; sender < settings->senders; sender++) {
        uint8_t *message = chat->messages + sender * settings->size;
        header_t header = {.sender = sender, .round = chat->round};
        memcpy(message, &header, sizeof header);
        /* A message is small, and the one before has been read: it always fits. */
        ssize_t sent = send(chat->clients[sender].socket, message, settings->size, MSG_NOSIGNAL);
        if (sent != (ssize_t)settings->size)
            fail("a message did not fit", sent < 0 ? errno : 0);
    }
}

static void deliver(chat_t *chat, member_t *member, const uint8_t *message)
{
    size_t size = chat->settings->size;
    header_t header;
    memcpy(&header, message, sizeof header);
    bool right = header.sender < chat->settings->senders && chat->missing > 0 &&
                 member->last_round[header.sender] == chat->round - 1 &&
                 memcmp(message, chat->messages + header.sender * size, size) == 0;
    if (!right) {
        chat->measure.wrong_bytes += size;
        return;
    }
    member->last_round[header.sender] = chat->round;
    measure_bytes(&chat->measure, size);
    if (chat->measure.measuring)
        chat->measure.messages++;
    if (--chat->missing == 0 && chat->measure.measuring)
        histogram_add(&chat->measure.latency, now_ns() - chat->sent_ns);
}

static void receive(chat_t *chat, client_t *client)
{
    member_t *member = &chat->members[client - chat->clients];
    size_t size = chat->settings->size;
    uint8_t *first = chat->buffer + size;
    size_t bytes = client_receive(client, first);
    first -= member->partial;
    memcpy(first, member->kept, member->partial);
    bytes += member->partial;
    for (; bytes >= size; first += size, bytes -= size)
        deliver(chat, member, first);
    memcpy(member->kept, first, bytes);
    member->partial = bytes;
}

/* Waits until the server has greeted everybody, and so will send to everybody. */
static void await_greetings(chat_t *chat, struct epoll_event *events)
{
    uint32_t greeted = 0;
    while (greeted < chat->settings->connections) {
        int count = epoll_wait(chat->poll, events, EVENTS_MAX, -1);
        for (int i = 0; i < count; i++) {
            size_t bytes = client_receive(events[i].data.ptr, chat->buffer);
            if (bytes != 1 || chat->buffer[0] != '+')
                fail("the server has another greeting than +", 0);
            greeted++;
        }
    }
}

static void set_up(chat_t *chat)
{
    const settings_t *settings = chat->settings;
    chat->members = allocate(settings->connections, sizeof *chat->members);
    for (uint32_t i = 0; i < settings->connections; i++) {
        chat->members[i].kept = allocate(1, settings->size);
        chat->members[i].last_round = allocate(settings->senders, sizeof(uint32_t));
    }
    chat->messages = allocate(settings->senders, settings->size);
    for (uint32_t sender = 0; sender < settings->senders; sender++)
        memcpy(chat->messages + sender * settings->size,
               chat->pattern.bytes + pattern_start(&chat->pattern, sender, 1), settings->size);
    chat->buffer = allocate(1, settings->size + RECEIVE_MAX);
    chat->poll = epoll_create1(EPOLL_CLOEXEC);
    chat->clients = clients_connect(settings, chat->poll, &chat->pattern, 1);
}

void run_chat(const settings_t *settings)
{
    static struct epoll_event events[EVENTS_MAX];
    static chat_t chat;
    if (settings->size < sizeof(header_t) || settings->size > 4096)
        fail("chat is for messages of 8 to 4096 bytes", 0);
    chat.settings = settings;
    pattern_make_bytes(&chat.pattern);
    set_up(&chat);
    await_greetings(&chat, events);
    measure_start(&chat.measure, settings);
    send_round(&chat);
    while (!measure_over(&chat.measure, now_ns())) {
        int count = epoll_wait(chat.poll, events, EVENTS_MAX, WAIT_MS);
        for (int i = 0; i < count; i++)
            receive(&chat, events[i].data.ptr);
        if (chat.missing == 0)
            send_round(&chat);
    }
    measure_report(&chat.measure);
}
