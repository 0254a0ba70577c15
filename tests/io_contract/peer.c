/* peer.c: the other side's sockets and threads, on Windows and on POSIX. */
#include "peer.h"

#include <stdlib.h>
#include <string.h>

#include "contract.h"

#ifdef _WIN32
#include <winsock2.h>
#include <ws2tcpip.h>
typedef SOCKET native_t;
typedef int native_len_t;
#ifndef TCP_KEEPIDLE
#define TCP_KEEPIDLE 3
#endif
#define SHUT_WR      SD_SEND
#define MSG_NOSIGNAL 0
#else
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>
typedef int native_t;
typedef size_t native_len_t;
#endif

#ifdef _WIN32

void peer_startup(void)
{
    WSADATA data;
    if (WSAStartup(MAKEWORD(2, 2), &data) != 0) {
        abort();
    }
}

static void native_close(native_t socket)
{
    (void)closesocket(socket);
}

static bool native_was_reset(void)
{
    int error = WSAGetLastError();
    return error == WSAECONNRESET || error == WSAECONNABORTED;
}

static void native_set_timeout(native_t socket, int name)
{
    DWORD ms = DEADLINE_MS;
    (void)setsockopt(socket, SOL_SOCKET, name, (const char *)&ms, sizeof ms);
}

bool error_is_taken(int error)
{
    return error == WSAEADDRINUSE || error == WSAEACCES;
}

bool peer_on_wine(void)
{
    HMODULE ntdll = GetModuleHandleA("ntdll.dll");
    return ntdll != NULL && GetProcAddress(ntdll, "wine_get_version") != NULL;
}

bool peer_limit_descriptors(bool limited)
{
    (void)limited;
    return false;
}

struct thread {
    HANDLE handle;
    void (*run)(void *arg);
    void *arg;
};

static DWORD WINAPI thread_main(void *arg)
{
    thread_t *thread = arg;
    thread->run(thread->arg);
    return 0;
}

static bool thread_create(thread_t *thread)
{
    thread->handle = CreateThread(NULL, 0, thread_main, thread, 0, NULL);
    return thread->handle != NULL;
}

void thread_join(thread_t *thread)
{
    (void)WaitForSingleObject(thread->handle, INFINITE);
    (void)CloseHandle(thread->handle);
    free(thread);
}

void thread_sleep(uint32_t ms)
{
    Sleep(ms);
}

uint64_t peer_now_ms(void)
{
    return GetTickCount64();
}

#else

void peer_startup(void)
{
}

static void native_close(native_t socket)
{
    (void)close(socket);
}

static bool native_was_reset(void)
{
    return errno == ECONNRESET || errno == EPIPE;
}

static void native_set_timeout(native_t socket, int name)
{
    struct timeval time = {.tv_sec = DEADLINE_MS / 1000};
    (void)setsockopt(socket, SOL_SOCKET, name, &time, sizeof time);
}

bool error_is_taken(int error)
{
    return error == EADDRINUSE;
}

bool peer_on_wine(void)
{
    return false;
}

bool peer_limit_descriptors(bool limited)
{
    struct rlimit limit;
    int lowest = dup(STDERR_FILENO); /* the first that is free */
    if (lowest < 0 && !limited) {
        lowest = 0;
    }
    if (lowest < 0 || getrlimit(RLIMIT_NOFILE, &limit) != 0) {
        return false;
    }
    if (lowest > 0) {
        (void)close(lowest);
    }
    limit.rlim_cur = limited ? (rlim_t)lowest : limit.rlim_max;
    return setrlimit(RLIMIT_NOFILE, &limit) == 0;
}

struct thread {
    pthread_t handle;
    void (*run)(void *arg);
    void *arg;
};

static void *thread_main(void *arg)
{
    thread_t *thread = arg;
    thread->run(thread->arg);
    return NULL;
}

static bool thread_create(thread_t *thread)
{
    return pthread_create(&thread->handle, NULL, thread_main, thread) == 0;
}

void thread_join(thread_t *thread)
{
    (void)pthread_join(thread->handle, NULL);
    free(thread);
}

void thread_sleep(uint32_t ms)
{
    struct timespec time = {.tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * 1000000};
    (void)nanosleep(&time, NULL);
}

uint64_t peer_now_ms(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000u + (uint64_t)now.tv_nsec / 1000000u;
}

#endif

thread_t *thread_start(void (*run)(void *arg), void *arg)
{
    thread_t *thread = calloc(1, sizeof *thread);
    if (thread == NULL) {
        abort();
    }
    thread->run = run;
    thread->arg = arg;
    if (!thread_create(thread)) {
        abort();
    }
    return thread;
}

static native_t native(uintptr_t handle)
{
    return (native_t)handle;
}

static int native_set(native_t socket, int level, int name, int value)
{
    return setsockopt(socket, level, name, (const void *)&value, sizeof value);
}

static int native_get(native_t socket, int level, int name)
{
    int value = 0;
    socklen_t len = sizeof value;
    return getsockopt(socket, level, name, (void *)&value, &len) == 0 ? value : -1;
}

static socklen_t native_addr(const io_addr_t *addr, struct sockaddr_storage *out)
{
    memset(out, 0, sizeof *out);
    if (addr->version == 4) {
        struct sockaddr_in *v4 = (struct sockaddr_in *)(void *)out;
        v4->sin_family = AF_INET;
        v4->sin_port = htons(addr->port);
        memcpy(&v4->sin_addr, addr->ip, 4);
        return (socklen_t)sizeof *v4;
    }
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)(void *)out;
    v6->sin6_family = AF_INET6;
    v6->sin6_port = htons(addr->port);
    v6->sin6_scope_id = addr->scope;
    memcpy(&v6->sin6_addr, addr->ip, 16);
    return (socklen_t)sizeof *v6;
}

bool peer_name(peer_t peer, io_addr_t *out)
{
    struct sockaddr_storage name;
    socklen_t len = sizeof name;
    memset(out, 0, sizeof *out);
    memset(&name, 0, sizeof name);
    if (getsockname(native(peer), (struct sockaddr *)(void *)&name, &len) != 0) {
        return false;
    }
    if (name.ss_family == AF_INET) {
        const struct sockaddr_in *v4 = (const struct sockaddr_in *)(const void *)&name;
        out->version = 4;
        out->port = ntohs(v4->sin_port);
        memcpy(out->ip, &v4->sin_addr, 4);
    } else {
        const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)(const void *)&name;
        out->version = 6;
        out->port = ntohs(v6->sin6_port);
        memcpy(out->ip, &v6->sin6_addr, 16);
    }
    return true;
}

static peer_t peer_open(const io_addr_t *addr)
{
    native_t made = socket(addr->version == 4 ? AF_INET : AF_INET6, SOCK_STREAM, IPPROTO_TCP);
    if ((uintptr_t)made == (uintptr_t)-1) {
        return PEER_NONE;
    }
    native_set_timeout(made, SO_RCVTIMEO);
    native_set_timeout(made, SO_SNDTIMEO);
    return (peer_t)made;
}

static peer_t peer_connected(peer_t peer, const io_addr_t *addr)
{
    struct sockaddr_storage to;
    socklen_t len = native_addr(addr, &to);
    if (peer == PEER_NONE) {
        return PEER_NONE;
    }
    if (connect(native(peer), (const struct sockaddr *)(const void *)&to, len) != 0) {
        peer_close(&peer);
    }
    return peer;
}

peer_t peer_connect(const io_addr_t *addr)
{
    return peer_connected(peer_open(addr), addr);
}

peer_t peer_connect_narrow(const io_addr_t *addr)
{
    peer_t peer = peer_open(addr);
    if (peer != PEER_NONE) {
        (void)native_set(native(peer), SOL_SOCKET, SO_RCVBUF, 4096);
    }
    return peer_connected(peer, addr);
}

bool peer_send(peer_t peer, const void *data, size_t len)
{
    const char *from = data;
    while (len > 0) {
        long sent = (long)send(native(peer), from, (native_len_t)len, MSG_NOSIGNAL);
        if (sent <= 0) {
            return false;
        }
        from += sent;
        len -= (size_t)sent;
    }
    return true;
}

bool peer_send_urgent(peer_t peer, char byte)
{
    return send(native(peer), &byte, 1, MSG_OOB | MSG_NOSIGNAL) == 1;
}

long peer_recv(peer_t peer, void *data, size_t len)
{
    long got = (long)recv(native(peer), data, (native_len_t)len, 0);
    if (got >= 0) {
        return got;
    }
    return native_was_reset() ? PEER_RESET : PEER_ERROR;
}

bool peer_recv_all(peer_t peer, void *data, size_t len)
{
    char *to = data;
    while (len > 0) {
        long got = peer_recv(peer, to, len);
        if (got <= 0) {
            return false;
        }
        to += got;
        len -= (size_t)got;
    }
    return true;
}

void peer_shutdown(peer_t peer)
{
    (void)shutdown(native(peer), SHUT_WR);
}

void peer_close(peer_t *peer)
{
    if (*peer != PEER_NONE) {
        native_close(native(*peer));
        *peer = PEER_NONE;
    }
}

void peer_reset(peer_t *peer)
{
    struct linger linger = {.l_onoff = 1, .l_linger = 0};
    (void)setsockopt(native(*peer), SOL_SOCKET, SO_LINGER, (const void *)&linger, sizeof linger);
    peer_close(peer);
}

peer_t peer_bound(io_addr_t *addr)
{
    struct sockaddr_storage to;
    socklen_t len = native_addr(addr, &to);
    peer_t peer = peer_open(addr);
    if (peer != PEER_NONE &&
        (bind(native(peer), (const struct sockaddr *)(const void *)&to, len) != 0 ||
         !peer_name(peer, addr))) {
        peer_close(&peer);
    }
    return peer;
}

peer_t peer_listen(io_addr_t *addr)
{
    peer_t peer = peer_bound(addr);
    if (peer != PEER_NONE && listen(native(peer), 16) != 0) {
        peer_close(&peer);
    }
    return peer;
}

bool peer_has_ipv6(void)
{
    io_addr_t addr = {.version = 6, .ip = {[15] = 1}};
    peer_t listener = peer_listen(&addr);
    if (listener == PEER_NONE) {
        return false;
    }
    peer_t peer = peer_connect(&addr);
    bool has = peer != PEER_NONE;
    peer_close(&peer);
    peer_close(&listener);
    return has;
}

int handle_nodelay(uintptr_t handle)
{
    int value = native_get(native(handle), IPPROTO_TCP, TCP_NODELAY);
    return value > 0 ? 1 : value;
}

int handle_keepalive(uintptr_t handle)
{
    int value = native_get(native(handle), SOL_SOCKET, SO_KEEPALIVE);
    return value > 0 ? 1 : value;
}

int handle_keepalive_idle(uintptr_t handle)
{
    int value = native_get(native(handle), IPPROTO_TCP, TCP_KEEPIDLE);
    return value > 0 ? value : 0;
}

bool handle_set_keepalive(uintptr_t handle)
{
    int on = 1;
    return setsockopt(native(handle), SOL_SOCKET, SO_KEEPALIVE, (const void *)&on, sizeof on) == 0;
}

bool handle_set_linger(uintptr_t handle, int seconds)
{
    struct linger linger = {.l_onoff = 1, .l_linger = (unsigned short)seconds};
    return setsockopt(native(handle), SOL_SOCKET, SO_LINGER, (const void *)&linger,
                      sizeof linger) == 0;
}
