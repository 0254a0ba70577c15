"""What a server can be told: Options, and the Settings checked from them."""

import math
import os
import socket
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, Final, Literal, TypedDict, cast

from iocpreuse.framing import Framing

if TYPE_CHECKING:
    from ssl import SSLContext

Recycle = Literal["auto", "off"]
Keepalive = tuple[int, int, int]

BYTES_MAX: Final = 2**31 - 1
THREADS_MAX: Final = 256
# With None, too: 0.8 KB of ours for each, and what the system has for a socket.
SPARE_MAX: Final = 65536
SECONDS_MAX: Final = 366 * 24 * 3600.0


class Options(TypedDict, total=False):
    """The keyword arguments of `Server`. A wrong one is a TypeError or a ValueError there."""

    backlog: int | None  # connections the system queues for us; None = its maximum
    dual_stack: bool  # "::" also takes IPv4; True
    # Serve on this listening socket: once the server has started it is the server's, which closes
    # it when it stops. A start that fails gives it back.
    sock: socket.socket | None  # None
    # The last process's clients may hold the address, on Windows, or that process itself.
    bind_timeout: float  # s to try again while the address is in use; 0
    workers: int | None  # threads for callbacks; None = 4 with the GIL, else one per processor
    concurrency: int | None  # of them at once; None = 1 with the GIL, else one per processor
    attach_budget: float  # s a worker may keep a GIL that others want, to serve more; 0.001
    busy_poll: float  # s a worker spins before it sleeps: lower latency, a busy core; 0
    accept_pool: int  # accepts kept posted at least; 64, or accept_pool_max
    accept_pool_max: int  # accepts kept posted at most, under load; 1024, or accept_pool
    # Beyond those that accept. What has not been needed for a minute is given back, half by half.
    spare_sockets: int | None  # sockets kept for reuse; None = as many as were in use at the peak
    recycle: Recycle  # "auto" = where the start-up probe passes; "auto"
    cooling_max: int  # sockets that may wait out a slow DisconnectEx; 1024
    max_connections: int | None  # beyond it: accepted and closed at once; None = no limit
    # An IPv4 address that is mapped into IPv6 is that IPv4 address.
    max_connections_per_ip: int | None  # the same for the clients of one address; None = no limit
    ip_prefix: tuple[int, int]  # bits that tell IPv4, IPv6 addresses apart there; (32, 64)
    nodelay: bool  # True
    keepalive: bool | tuple[float, float, int]  # on, or (idle s, interval s, count); False
    read_size: int  # bytes of one on_data, at most, without framing; 64 KiB
    write_high: int  # send() returns False above so many bytes; 64 KiB, or write_limit
    write_low: int  # on_drain at or below so many; 16 KiB, or write_high
    write_limit: int | None  # beyond so many the session is aborted; 16 MiB, None = no limit
    send_buffer: int | None  # bytes of each client's in the system (SO_SNDBUF); None = the system's
    # An end in order: what is queued goes out, then our FIN; what the client still sends is read
    # and thrown away, until its own FIN. It may take `linger` without progress, which is what its
    # TCP acknowledges, and 10 times that in all. A stop's limit is its drain instead.
    linger: float  # s that an ending client may take without progress; 30.0
    # These end a session in order. They never come early, and late by 50 ms or 10 % at most. First
    # byte and idle end nobody while a callback of the session runs or reading is paused (and
    # nothing is being sent): what the client says meanwhile is not read. From resume_reading() they
    # count anew.
    first_byte_timeout: float | None  # s from the connect to the first byte; None = no limit
    login_timeout: float | None  # s from the connect to Session.login(); None = no limit
    # What the client's TCP acknowledges is activity, too, where the system tells.
    idle_timeout: float | None  # s in which no byte comes and the stack takes none; None = no limit
    message_timeout: float | None  # s from a message's first byte to its last; None = no limit
    framing: Framing | None  # cuts what comes into messages, one for each on_data; None = no
    drain_timeout: float  # s that stop() gives clients to take what is queued; 10.0
    # Any context of a server, as asyncio takes it. It is used as it is at each client's handshake.
    ssl: "SSLContext | None"  # every client speaks TLS; None = no
    ssl_handshake_timeout: float  # s from the connect to the handshake's end; 10.0
    max_handshakes: int  # that have begun and are not over, at once; others wait in order; 256


@dataclass(frozen=True, slots=True)
class Settings:
    """The options with every value checked and every None decided. Zero = no limit, the maximum."""

    host: str | None = None
    port: int = 0
    backlog: int = 0
    dual_stack: bool = True
    sock: socket.socket | None = None
    bind_timeout: float = 0.0
    workers: int = 0
    concurrency: int = 0
    attach_budget: float = 0.001
    busy_poll: float = 0.0
    accept_pool: int = 0
    accept_pool_max: int = 0
    spare_sockets: int = 0
    recycle: Recycle = "auto"
    cooling_max: int = 1024
    max_connections: int = 0
    max_connections_per_ip: int = 0
    nodelay: bool = True
    keepalive: Keepalive | None = None
    read_size: int = 64 * 1024
    write_high: int = 0
    write_low: int = 0
    write_limit: int = 0
    first_byte_timeout: float = 0.0
    login_timeout: float = 0.0
    idle_timeout: float = 0.0
    framing: Framing | None = None
    message_timeout: float = 0.0
    ip_prefix: tuple[int, int] = (32, 64)
    send_buffer: int = 0
    linger: float = 30.0
    drain_timeout: float = 10.0
    ssl: "SSLContext | None" = None
    ssl_handshake_timeout: float = 10.0
    max_handshakes: int = 256


def gil_enabled() -> bool:
    """Whether threads of this interpreter take turns."""
    check: Callable[[], bool] = getattr(sys, "_is_gil_enabled", lambda: True)
    return check()


def processors() -> int:
    """How many this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _wrong_type(name: str, value: object, right: str) -> TypeError:
    return TypeError(f"{name} must be {right}, not {value!r} ({type(value).__name__})")


def _wrong_value(name: str, value: object, right: str) -> ValueError:
    return ValueError(f"{name} must be {right}, not {value!r}")


def _an_int(name: str, value: object, low: int, high: int, *, none: str = "") -> int:
    right = f"an integer from {low} to {high}" + (f", or None ({none})" if none else "")
    # bool is an int to Python; here it is a mistake.
    if isinstance(value, bool) or not isinstance(value, int):
        raise _wrong_type(name, value, right)
    if not low <= value <= high:
        raise _wrong_value(name, value, right)
    return value


def _int_or_zero(low: int, high: int, none: str) -> Callable[[str, object], int]:
    def check(name: str, value: object) -> int:
        return 0 if value is None else _an_int(name, value, low, high, none=none)

    return check


def _an_int_from(low: int, high: int) -> Callable[[str, object], int]:
    return lambda name, value: _an_int(name, value, low, high)


def _a_bool(name: str, value: object) -> bool:
    if not isinstance(value, bool):
        raise _wrong_type(name, value, "True or False")
    return value


def check_seconds(name: str, value: object) -> float:
    """VALUE as seconds, finite and not negative; TypeError or ValueError."""
    right = f"a number of seconds from 0 to {SECONDS_MAX:.0f}"
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise _wrong_type(name, value, right)
    if not 0 <= value <= SECONDS_MAX:  # also false for nan
        raise _wrong_value(name, value, right)
    return float(value)


def _a_moment(name: str, value: object) -> float:
    right = "a number of seconds from 0 to 1"
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise _wrong_type(name, value, right)
    if not 0 <= value <= 1:  # also false for nan
        raise _wrong_value(name, value, right)
    return float(value)


def _some_seconds(name: str, value: object) -> float:
    right = f"a number of seconds above 0, at most {SECONDS_MAX:.0f}"
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise _wrong_type(name, value, right)
    if not 0 < value <= SECONDS_MAX:  # also false for nan
        raise _wrong_value(name, value, right)
    return float(value)


def _timeout(name: str, value: object) -> float:
    if value is None:
        return 0.0
    right = f"a number of seconds above 0, at most {SECONDS_MAX:.0f}, or None (no limit)"
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise _wrong_type(name, value, right)
    if not 0 < value <= SECONDS_MAX:  # also false for nan
        raise _wrong_value(name, value, right)
    return float(value)


def _spare_sockets(name: str, value: object) -> int:
    none = "as many as were in use at the recent peak"
    return SPARE_MAX if value is None else _an_int(name, value, 0, SPARE_MAX, none=none)


def _check_recycle(name: str, value: object) -> Recycle:
    right = "'auto' or 'off'"
    if not isinstance(value, str):
        raise _wrong_type(name, value, right)
    if value not in ("auto", "off"):
        raise _wrong_value(name, value, right)
    return cast(Recycle, value)


# 32767 s and 127 probes are the most that Linux takes.
def _check_keepalive(name: str, value: object) -> Keepalive | None:
    right = "True, False or (idle seconds 1..32767, interval seconds 1..32767, count 1..127)"
    if isinstance(value, bool):
        return (0, 0, 0) if value else None
    if not isinstance(value, tuple) or len(value) != 3:
        raise _wrong_type(name, value, right)
    for part, kinds in zip(value, (int | float, int | float, int), strict=True):
        if isinstance(part, bool) or not isinstance(part, kinds):
            raise _wrong_type(name, value, right)
    idle, interval, count = value
    if not (1 <= idle <= 32767 and 1 <= interval <= 32767 and 1 <= count <= 127):
        raise _wrong_value(name, value, right)
    return math.ceil(idle), math.ceil(interval), count


def _check_ip_prefix(name: str, value: object) -> tuple[int, int]:
    right = "(bits of IPv4 1..32, bits of IPv6 1..128)"
    if not isinstance(value, tuple) or len(value) != 2:
        raise _wrong_type(name, value, right)
    if any(isinstance(bits, bool) or not isinstance(bits, int) for bits in value):
        raise _wrong_type(name, value, right)
    if not (1 <= value[0] <= 32 and 1 <= value[1] <= 128):
        raise _wrong_value(name, value, right)
    return value


def _check_framing(name: str, value: object) -> Framing | None:
    if value is None or isinstance(value, Framing):
        return value
    right = (
        "Framing.lines(…), Framing.length_prefix(…), Framing.length_field(…), Framing.fixed(…) "
        "or None"
    )
    raise _wrong_type(name, value, right)


def _check_ssl(name: str, value: object) -> "SSLContext | None":
    if value is None:
        return None
    import ssl  # who has no TLS need not load it

    if not isinstance(value, ssl.SSLContext):
        raise _wrong_type(name, value, "an ssl.SSLContext of a server, or None")
    if value.protocol == ssl.PROTOCOL_TLS_CLIENT:
        raise ValueError(
            f"{name} must be an SSLContext of a server, as ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER) "
            "or ssl.create_default_context(ssl.Purpose.CLIENT_AUTH) makes it, not one of a client "
            "(PROTOCOL_TLS_CLIENT)"
        )
    return value


def _check_sock(name: str, value: object) -> socket.socket | None:
    right = "a bound and listening TCP socket (AF_INET or AF_INET6), or None"
    if value is None:
        return None
    if not isinstance(value, socket.socket):
        raise _wrong_type(name, value, right)
    if value.family not in (socket.AF_INET, socket.AF_INET6) or value.type != socket.SOCK_STREAM:
        raise _wrong_value(name, value, right)
    if value.fileno() == -1:
        raise ValueError(f"{name} must be {right}; {value!r} is closed")
    if not value.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
        raise ValueError(f"{name} must be {right}; call listen() on {value!r} first")
    return value


_CHECKS: Final[Mapping[str, Callable[[str, object], object]]] = {
    "backlog": _int_or_zero(1, BYTES_MAX, "the system's maximum"),
    "dual_stack": _a_bool,
    "sock": _check_sock,
    "bind_timeout": check_seconds,
    "workers": _int_or_zero(1, THREADS_MAX, "chosen per build"),
    "concurrency": _int_or_zero(1, THREADS_MAX, "chosen per build"),
    "attach_budget": _a_moment,
    "busy_poll": _a_moment,
    "accept_pool": _an_int_from(1, 65536),
    "accept_pool_max": _an_int_from(1, 65536),
    "spare_sockets": _spare_sockets,
    "recycle": _check_recycle,
    "cooling_max": _an_int_from(0, 1 << 20),
    "max_connections": _int_or_zero(1, BYTES_MAX, "no limit"),
    "max_connections_per_ip": _int_or_zero(1, BYTES_MAX, "no limit"),
    "nodelay": _a_bool,
    "keepalive": _check_keepalive,
    "read_size": _an_int_from(1, 16 * 1024 * 1024),
    "write_high": _an_int_from(0, BYTES_MAX),
    "write_low": _an_int_from(0, BYTES_MAX),
    "write_limit": _int_or_zero(1, BYTES_MAX, "no limit"),
    "first_byte_timeout": _timeout,
    "login_timeout": _timeout,
    "idle_timeout": _timeout,
    "framing": _check_framing,
    "message_timeout": _timeout,
    "ip_prefix": _check_ip_prefix,
    "send_buffer": _int_or_zero(1024, BYTES_MAX, "the system's"),
    "linger": _some_seconds,
    "drain_timeout": check_seconds,
    "ssl": _check_ssl,
    "ssl_handshake_timeout": _some_seconds,
    "max_handshakes": _an_int_from(1, 1 << 20),
}


def _check_name(name: str) -> None:
    if name in _CHECKS:
        return
    close = get_close_matches(name, _CHECKS, n=1)
    hint = f"did you mean {close[0]!r}?" if close else "there are: " + ", ".join(_CHECKS)
    raise TypeError(f"Server has no option {name!r}; {hint}")


def _check_address(host: object, port: object) -> None:
    if host is not None and not isinstance(host, str):
        raise _wrong_type("host", host, "an address or a name (str), or None (all interfaces)")
    if isinstance(host, str) and (not host or "\0" in host):
        raise _wrong_value("host", host, "an address or a name, or None (all interfaces)")
    _an_int("port", port, 0, 65535)


def _check_together(settings: Settings) -> None:
    if settings.message_timeout and settings.framing is None:
        raise ValueError("message_timeout needs framing: without it there are no messages")
    if settings.sock is not None and (settings.host is not None or settings.port != 0):
        raise ValueError("sock excludes host and port: the socket is bound already")
    if settings.accept_pool > settings.accept_pool_max:
        raise ValueError(
            f"accept_pool_max must be at least accept_pool ({settings.accept_pool}), "
            f"not {settings.accept_pool_max}"
        )
    low, high, limit = settings.write_low, settings.write_high, settings.write_limit
    if low > high:
        raise ValueError(f"write_low must be at most write_high ({high}), not {low}")
    if limit and high > limit:
        raise ValueError(f"write_high must be at most write_limit ({limit}), not {high}")


def _defaulted(options: dict[str, Any]) -> dict[str, Any]:
    gil = gil_enabled()
    # An upper mark that was given lowers the defaults of those below it.
    options.setdefault("write_limit", 16 * 1024 * 1024)
    options.setdefault("write_high", min(64 * 1024, options["write_limit"] or BYTES_MAX))
    options.setdefault("write_low", min(16 * 1024, options["write_high"]))
    options.setdefault("accept_pool", min(64, options.get("accept_pool_max", 64)))
    options.setdefault("spare_sockets", SPARE_MAX)
    options.setdefault("accept_pool_max", max(1024, options["accept_pool"]))
    if not options.get("workers"):
        options["workers"] = 4 if gil else min(processors(), THREADS_MAX)
    if not options.get("concurrency"):
        options["concurrency"] = 1 if gil else min(processors(), THREADS_MAX)
    return options


def check_options(host: object, port: object, options: Mapping[str, object]) -> Settings:
    """The Settings for the arguments of `Server`; TypeError or ValueError for a wrong one."""
    _check_address(host, port)
    for name in options:
        _check_name(name)
    checked = {name: _CHECKS[name](name, value) for name, value in options.items()}
    settings = Settings(host=cast(Any, host), port=cast(int, port), **_defaulted(checked))
    _check_together(settings)
    return settings


assert {field.name for field in fields(Settings)} == {"host", "port", *_CHECKS}
