/* port.c: the completion port: opening, waiting, waking, time. */
#include "port.h"

#include <stdlib.h>

#include "../../base/check.h"

#define NS_PER_S 1000000000u

/* FileReplaceCompletionInformation of the driver kit's FILE_INFORMATION_CLASS. */
#define FILE_REPLACE_COMPLETION_INFORMATION 61

/* A port's own events and handles; every member may be unset. */
static void port__free(io_t *io)
{
    if (io->manager_event != NULL) {
        (void)CloseHandle(io->manager_event);
    }
    if (io->accept_event != WSA_INVALID_EVENT) {
        (void)WSACloseEvent(io->accept_event);
    }
    if (io->port != NULL) {
        (void)CloseHandle(io->port);
    }
    (void)WSACleanup();
    free(io);
}

int io_open(io_t **out, const io_options_t *options)
{
    WSADATA data;
    int error = WSAStartup(MAKEWORD(2, 2), &data);
    if (error != 0) {
        return -error;
    }
    io_t *io = calloc(1, sizeof *io);
    if (io == NULL) {
        (void)WSACleanup();
        return -WSA_NOT_ENOUGH_MEMORY;
    }
    io->adopted = INVALID_SOCKET;
    io->accept_event = WSACreateEvent();
    io->manager_event = CreateEventW(NULL, FALSE, FALSE, NULL);
    io->port = CreateIoCompletionPort(INVALID_HANDLE_VALUE, NULL, 0, options->concurrency);
    if (io->port == NULL || io->manager_event == NULL || io->accept_event == WSA_INVALID_EVENT ||
        !QueryPerformanceFrequency(&io->ticks_per_s)) {
        error = (int)GetLastError();
        port__free(io);
        return -(error != 0 ? error : WSA_NOT_ENOUGH_MEMORY);
    }
    *out = io;
    return 0;
}

void io_close(io_t *io)
{
    port__free(io);
}

void io_disown(io_t *io)
{
    (void)io; /* processes do not fork */
}

int iocp_port_associate(io_t *io, SOCKET sock)
{
    return CreateIoCompletionPort((HANDLE)sock, io->port, 0, 0) == io->port ? 0
                                                                            : (int)GetLastError();
}

void iocp_port_release(SOCKET sock)
{
    typedef LONG(NTAPI * set_information_t)(HANDLE, void *, void *, ULONG, ULONG);
    struct {
        HANDLE port;
        void *key;
    } none = {NULL, NULL};
    ULONG_PTR result[2]; /* an IO_STATUS_BLOCK, which nobody reads */
    HMODULE ntdll = GetModuleHandleW(L"ntdll.dll");
    /* Winsock has no call for it. */
    set_information_t set_information =
        ntdll == NULL
            ? NULL
            : (set_information_t)(void (*)(void))GetProcAddress(ntdll, "NtSetInformationFile");
    if (set_information != NULL) {
        (void)set_information((HANDLE)sock, result, &none, sizeof none,
                              FILE_REPLACE_COMPLETION_INFORMATION);
    }
}

int iocp_op_fail(io_op_t *op, int error)
{
    op->error = error;
    return (int)(int32_t)ntstatus_from_wsa(error);
}

/* One packet stands for all of them: who dequeues it takes one, and posts what is left. */
void io_wake(io_t *io, uint32_t workers)
{
    /* A wake-up that is lost is a worker that never ends. Posting fails only while the system has
     * no memory for the packet, and that passes. */
    while (workers > 0 && !PostQueuedCompletionStatus(io->port, workers, 0, NULL)) {
        CHECK(GetLastError() != ERROR_INVALID_HANDLE);
        Sleep(1);
    }
}

void io_yield(io_t *io)
{
    (void)io; /* the port itself sees a thread that blocks, and releases another */
}

uint32_t io_wait(io_t *io, io_event_t *events, uint32_t max, uint32_t timeout_ms, void *borrower)
{
    (void)borrower; /* nobody lends here */
    ULONG dequeued = 0;
    uint32_t kept = 0;
    uint32_t wakes = 0;
    if (!GetQueuedCompletionStatusEx(io->port, events, max, &dequeued, timeout_ms, FALSE)) {
        /* The count means nothing now: it was seen unchanged, and set, after a time-out. */
        return 0;
    }
    for (ULONG i = 0; i < dequeued; i++) {
        if (events[i].lpOverlapped == NULL) {
            wakes += events[i].dwNumberOfBytesTransferred;
        } else {
            events[kept++] = events[i];
        }
    }
    if (wakes > 1) {
        /* Each wake-up is meant for a call of its own, but this one took several. */
        io_wake(io, wakes - 1);
    }
    return kept;
}

void io_wake_manager(io_t *io)
{
    (void)SetEvent(io->manager_event);
}

uint64_t io_now_ns(io_t *io)
{
    LARGE_INTEGER now;
    (void)QueryPerformanceCounter(&now);
    uint64_t ticks = (uint64_t)now.QuadPart;
    uint64_t ticks_per_s = (uint64_t)io->ticks_per_s.QuadPart;
    /* In two steps: ticks times 10^9 would overflow within minutes of boot. */
    return ticks / ticks_per_s * NS_PER_S + ticks % ticks_per_s * NS_PER_S / ticks_per_s;
}

uint32_t iocp_ms_left(io_t *io, uint64_t deadline_ns)
{
    uint64_t now_ns = io_now_ns(io);
    /* Rounded up, or the last millisecond would be a busy loop. */
    return now_ns >= deadline_ns ? 0 : (uint32_t)((deadline_ns - now_ns + 999999u) / 1000000u);
}
