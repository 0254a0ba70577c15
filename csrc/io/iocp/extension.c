/* extension.c: the functions that Winsock hands out at run time.
 *
 * They belong to a provider, and are taken from it directly: the entry points
 * of mswsock.dll would look them up again on every call. */
#include "extension.h"

/* FUNCTION points to a function pointer of SIZE bytes. */
static int extension__load_one(SOCKET sock, GUID id, void *function, DWORD size)
{
    DWORD returned = 0;
    int result = WSAIoctl(sock, SIO_GET_EXTENSION_FUNCTION_POINTER, &id, sizeof id, function, size,
                          &returned, NULL, NULL);
    return result == 0 ? 0 : WSAGetLastError();
}

int iocp_extension_load(iocp_extension_t *extension, SOCKET sock)
{
    static const GUID accept_ex = WSAID_ACCEPTEX;
    static const GUID disconnect_ex = WSAID_DISCONNECTEX;
    static const GUID get_accept_ex_sockaddrs = WSAID_GETACCEPTEXSOCKADDRS;
    int error = extension__load_one(sock, accept_ex, &extension->accept_ex,
                                    (DWORD)sizeof extension->accept_ex);
    if (error == 0) {
        error = extension__load_one(sock, disconnect_ex, &extension->disconnect_ex,
                                    (DWORD)sizeof extension->disconnect_ex);
    }
    if (error == 0) {
        error =
            extension__load_one(sock, get_accept_ex_sockaddrs, &extension->get_accept_ex_sockaddrs,
                                (DWORD)sizeof extension->get_accept_ex_sockaddrs);
    }
    return error;
}
