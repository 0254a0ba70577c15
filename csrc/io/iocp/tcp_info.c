/* tcp_info.c: SIO_TCP_INFO: what the stack knows of a connection; Windows has it since 10 1703,
 * Wine 8 has not. */
#include "port.h"

#include <mstcpip.h>

/* What mstcpip.h calls SIO_TCP_INFO and TCP_INFO_v0; not every SDK and none of Wine's headers
 * has them. */
#define TCP_INFO_SIO _WSAIORW(IOC_VENDOR, 39)

typedef struct {
    uint32_t state;
    uint32_t mss;
    uint64_t connection_time_ms;
    uint8_t timestamps_enabled;
    uint32_t rtt_us;
    uint32_t min_rtt_us;
    uint32_t bytes_in_flight;
    uint32_t windows[3]; /* of congestion, of sending, of receiving */
    uint32_t receive_buffer;
    uint64_t bytes_out;
    uint64_t bytes_in;
    uint32_t rest[32]; /* more than TCP_INFO_v0 has */
} tcp_info_t;

static bool tcp_info__get(SOCKET sock, tcp_info_t *info)
{
    DWORD version = 0;
    DWORD len = 0;
    /* The output has to be exactly as long as version 0, which is 88 bytes. */
    return WSAIoctl(sock, TCP_INFO_SIO, &version, sizeof version, info, 88, &len, NULL, NULL) == 0;
}

uint32_t io_rtt_us(io_t *io, io_sock_t sock)
{
    (void)io;
    tcp_info_t info = {0};
    return tcp_info__get(sock, &info) ? info.rtt_us : 0;
}

/* What has not been sent is not acknowledged, nor is what is in flight. Where bytes that were sent
 * again count twice among those that went out, it is less than in truth, but never less than what
 * is in flight. */
bool io_unacked(io_t *io, io_sock_t sock, uint64_t taken, uint64_t *bytes)
{
    (void)io;
    tcp_info_t info = {0};
    if (!tcp_info__get(sock, &info)) {
        return false;
    }
    uint64_t unsent = taken > info.bytes_out ? taken - info.bytes_out : 0;
    uint64_t unacked = unsent + info.bytes_in_flight;
    *bytes = unacked < taken ? unacked : taken;
    return true;
}
