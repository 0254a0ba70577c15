/* rtt.c: SIO_TCP_INFO, which Windows has since 10 1703 and Wine 8 has not. */
#include "port.h"

#include <mstcpip.h>

/* What mstcpip.h calls SIO_TCP_INFO and TCP_INFO_v0; not every SDK and none of Wine's headers
 * has them. Only the place of RttUs counts. */
#define RTT_SIO_TCP_INFO _WSAIORW(IOC_VENDOR, 39)

typedef struct {
    uint32_t state;
    uint32_t mss;
    uint64_t connection_time_ms;
    uint8_t timestamps_enabled;
    uint32_t rtt_us;
    uint32_t rest[32]; /* more than TCP_INFO_v0 has */
} rtt_info_t;

uint32_t io_rtt_us(io_t *io, io_sock_t sock)
{
    (void)io;
    DWORD version = 0;
    rtt_info_t info = {0};
    DWORD len = 0;
    /* The output has to be exactly as long as version 0, which is 88 bytes. */
    int status =
        WSAIoctl(sock, RTT_SIO_TCP_INFO, &version, sizeof version, &info, 88, &len, NULL, NULL);
    return status == 0 ? info.rtt_us : 0;
}
