"""Where a server listens: an address or a socket for the engine, and errors that name it."""

import contextlib
import errno
import os
import socket
import sys
import time
from collections.abc import Callable
from typing import Final, TypeVar

from iocpreuse.latch import Latch
from iocpreuse.options import Settings

# (4 or 6, packed address, port, flow, scope), as the engine takes it.
Address = tuple[int, bytes, int, int, int]

# Nothing tells when an address is free again.
_RETRY_SECONDS: Final = 0.05

# Winsock's EADDRINUSE, and what it says where the other socket has SO_EXCLUSIVEADDRUSE.
_WINDOWS_IN_USE: Final = (10048, 10013)

# ERROR_INVALID_PARAMETER: what CreateIoCompletionPort says of a handle that has a port.
_WINDOWS_TIED: Final = 87

_Made = TypeVar("_Made")

_VERSIONS: Final = {socket.AF_INET: 4, socket.AF_INET6: 6}


def _dual_stack_works() -> bool:
    """Whether "::" can be bound here and takes IPv4 too; containers often have no IPv6."""
    if not socket.has_dualstack_ipv6():
        return False
    try:
        with socket.socket(socket.AF_INET6, socket.SOCK_STREAM) as sock:
            sock.bind(("::", 0))
    except OSError:
        return False
    return True


def _pack(family: int, sockaddr: tuple[object, ...]) -> Address:
    host, port, *rest = sockaddr
    flow, scope = (int(str(number)) for number in rest) if rest else (0, 0)
    packed = socket.inet_pton(family, str(host).partition("%")[0])
    return _VERSIONS[socket.AddressFamily(family)], packed, int(str(port)), flow, scope


def resolve(settings: Settings) -> Address:
    """The address to bind. Raises socket.gaierror (an OSError) for a host that has none.

    No host: "::" for IPv6 and IPv4 where that works and dual_stack is on, else "0.0.0.0".
    A name that has addresses of both families is bound to the first IPv4 one, so that
    "localhost" means the same everywhere.
    """
    host = settings.host
    if host is None:
        host = "::" if settings.dual_stack and _dual_stack_works() else "0.0.0.0"
    try:
        found = socket.getaddrinfo(
            host,
            settings.port,
            type=socket.SOCK_STREAM,
            proto=socket.IPPROTO_TCP,
            flags=socket.AI_PASSIVE,
        )
    except socket.gaierror as exc:
        raise socket.gaierror(
            exc.errno, f"cannot resolve the host {host!r}: {exc.strerror}"
        ) from None
    except UnicodeError as exc:
        raise socket.gaierror(
            socket.EAI_NONAME, f"cannot resolve the host {host!r}: it cannot be a name ({exc})"
        ) from None
    found = [entry for entry in found if entry[0] in _VERSIONS]
    if not found:
        raise socket.gaierror(socket.EAI_NONAME, f"{host!r} has no IPv4 or IPv6 address")
    family, _, _, _, sockaddr = min(found, key=lambda entry: entry[0] != socket.AF_INET)
    return _pack(family, sockaddr)


def name_address(exc: OSError, settings: Settings) -> OSError:
    """The same error with the address in its text, as asyncio words it."""
    if settings.sock is None:
        where = f"{settings.host or 'all interfaces'} port {settings.port}"
    else:
        where = f"the socket given as sock, {settings.sock!r}"
    why = (exc.strerror or str(exc)).lower()
    if settings.sock is not None and getattr(exc, "winerror", None) == _WINDOWS_TIED:
        why = (
            "it is tied to an I/O completion port already, another server's or event loop's, and "
            "Windows takes it into no second one; make a listening socket anew"
        )
    return _reworded(exc, f"error while attempting to listen on {where}: {why}")


def _reworded(exc: OSError, text: str) -> OSError:
    code: int | None = getattr(exc, "winerror", None)
    return OSError(exc.errno, text) if code is None else OSError(None, text, None, code)


def _is_in_use(exc: OSError) -> bool:
    code: int | None = getattr(exc, "winerror", None)
    return exc.errno == errno.EADDRINUSE if code is None else code in _WINDOWS_IN_USE


def patiently(make: Callable[[], _Made], seconds: float, unwanted: Latch) -> _Made:
    """What MAKE makes, which is tried again for SECONDS while the address is in use.

    Once UNWANTED is set it is not tried again: that ends a wait at once. The error that remains
    says how long it was tried.
    """
    begun = time.monotonic()
    while True:
        try:
            return make()
        except OSError as exc:
            if seconds == 0 or not _is_in_use(exc):
                raise
            error = exc
        spent = time.monotonic() - begun
        if spent >= seconds or unwanted.wait(min(_RETRY_SECONDS, seconds - spent)):
            spent = min(time.monotonic() - begun, seconds)
            tried = f"tried for {spent:.1f} s of bind_timeout={seconds:g}"
            raise _reworded(error, f"{error.strerror} ({tried})") from None


def duplicate(sock: socket.socket) -> socket.socket:
    """Another one for the same socket, which stays as it is.

    On Unix socket.dup() makes it blocking, if SOCK is, in all processes that share it: one that
    serves on it already would hang in its next accept.
    """
    if os.name == "nt":
        return sock.dup()
    return socket.socket(sock.family, sock.type, sock.proto, os.dup(sock.fileno()))


class LentSocket:
    """A listening socket that an application gives its server.

    The engine gets a duplicate. The application's object is closed when the server serves, but what
    it was stays here until the stop begins: a start that is interrupted gives it back.
    """

    def __init__(self, sock: socket.socket) -> None:
        """SOCK is the application's."""
        self._sock = sock
        self._timeout = sock.gettimeout()
        self._kept: socket.socket | None = None
        self._is_lent = False

    def lend(self) -> None:
        """The engine is about to get its duplicate.

        That makes the socket non-blocking, in all processes that share it. Where it has been
        before, another one may serve on it already, and it stays as it is.
        """
        if sys.platform == "win32":
            self._is_lent = True
        else:
            self._is_lent = os.get_blocking(self._sock.fileno())

    def keep(self) -> None:
        """The server has it."""
        self._kept = socket.socket(fileno=self._sock.detach())

    def leave(self) -> None:
        """Nothing is to be listened on any more."""
        kept = self._kept  # once: it may be given back at this moment
        if kept is not None:
            kept.close()

    def give_back(self) -> None:
        """The application has it again, as it was."""
        kept, self._kept = self._kept, None
        if kept is not None:
            family, kind, proto = kept.family, kept.type, kept.proto
            descriptor = kept.detach()  # -1: another thread has closed it, which stops the server
            if descriptor != -1:
                # A socket object may be made anew, with another descriptor.
                socket.socket.__init__(self._sock, family, kind, proto, descriptor)
        if self._is_lent:
            with contextlib.suppress(OSError):
                self._sock.settimeout(self._timeout)
