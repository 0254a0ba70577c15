"""Where a server listens: from host and port to the engine's address, and errors that name it."""

import socket
from typing import Final

from iocpreuse.options import Settings

# (4 or 6, packed address, port, flow, scope), as the engine takes it.
Address = tuple[int, bytes, int, int, int]

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
    found = socket.getaddrinfo(
        host,
        settings.port,
        type=socket.SOCK_STREAM,
        proto=socket.IPPROTO_TCP,
        flags=socket.AI_PASSIVE,
    )
    found = [entry for entry in found if entry[0] in _VERSIONS]
    if not found:
        raise socket.gaierror(socket.EAI_NONAME, f"{host!r} has no IPv4 or IPv6 address")
    family, _, _, _, sockaddr = min(found, key=lambda entry: entry[0] != socket.AF_INET)
    return _pack(family, sockaddr)


def name_address(exc: OSError, settings: Settings) -> OSError:
    """The same error with the address in its text, as asyncio words it."""
    text = (
        f"error while attempting to listen on {settings.host or 'all interfaces'} "
        f"port {settings.port}: {(exc.strerror or str(exc)).lower()}"
    )
    code: int | None = getattr(exc, "winerror", None)
    return OSError(exc.errno, text) if code is None else OSError(None, text, None, code)
