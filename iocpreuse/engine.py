"""From Settings to the C engine: make_engine."""

import errno
from typing import Any, Final

from iocpreuse._engine import Engine, Session
from iocpreuse.listen import duplicate, name_address, resolve
from iocpreuse.options import Settings
from iocpreuse.reason import make_disconnect, plain_ends
from iocpreuse.session import SessionId

# Accepts and spare sockets that nobody has needed for so long are given back, half by half.
QUIET_SECONDS: Final = 60.0


def make_engine(
    settings: Settings,
    sessions: dict[SessionId, Session],
    hooks: dict[str, Any],
) -> Engine:
    """An engine that is bound and listens; OSError, which names the address, where it cannot.

    It fills SESSIONS. HOOKS are the callbacks of find_callbacks, and what the
    facade itself wants to be called for. Of a socket in SETTINGS it gets a duplicate.
    """
    sock = None
    if settings.sock is not None:
        if settings.sock.fileno() == -1:
            raise OSError(errno.EBADF, "the socket given as sock has been closed")
        sock = duplicate(settings.sock)
    address = resolve(settings) if sock is None else None
    try:
        engine = Engine(
            address=address,
            handle=None if sock is None else sock.fileno(),
            backlog=settings.backlog,
            dual_stack=settings.dual_stack,
            concurrency=settings.concurrency,
            attach_budget=settings.attach_budget,
            busy_poll=settings.busy_poll,
            accept_pool=settings.accept_pool,
            accept_pool_max=settings.accept_pool_max,
            recycle=settings.recycle == "auto",
            spare_sockets=settings.spare_sockets,
            quiet_time=QUIET_SECONDS,
            cooling_max=settings.cooling_max,
            max_connections=settings.max_connections,
            max_connections_per_ip=settings.max_connections_per_ip,
            first_byte_timeout=settings.first_byte_timeout,
            login_timeout=settings.login_timeout,
            idle_timeout=settings.idle_timeout,
            message_timeout=settings.message_timeout,
            ip_prefix_4=settings.ip_prefix[0],
            ip_prefix_6=settings.ip_prefix[1],
            send_buffer=settings.send_buffer,
            linger=settings.linger,
            handshake_timeout=settings.ssl_handshake_timeout,
            max_handshakes=settings.max_handshakes,
            framing=settings.framing,
            nodelay=settings.nodelay,
            keepalive=settings.keepalive,
            read_size=settings.read_size,
            write_high=settings.write_high,
            write_low=settings.write_low,
            write_limit=settings.write_limit,
            sessions=sessions,
            make_disconnect=make_disconnect,
            plain_ends=plain_ends(),
            **hooks,
        )
    except BaseException as exc:
        if sock is not None:
            sock.close()
        if isinstance(exc, OSError):
            raise name_address(exc, settings) from None
        raise
    if sock is not None:
        sock.detach()  # the engine owns it now
    return engine
