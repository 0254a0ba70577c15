"""Which callbacks an application has: find_callbacks."""

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from iocpreuse.reason import Disconnect

if TYPE_CHECKING:
    from iocpreuse._engine import Session

logger = logging.getLogger("iocpreuse")

_OPTIONAL: Final = ("on_connect", "on_data", "on_drain", "on_eof", "on_login", "on_disconnect")

Callback = Callable[..., Any]


def _is_overridden(server: object, base: type, name: str) -> bool:
    return name in vars(server) or getattr(type(server), name) is not getattr(base, name)


def _logging_connect(callback: Callback | None) -> Callback:
    def on_connect(session: "Session") -> object:
        logger.debug("connect %s (session %#x)", session.peername, session.id)
        return None if callback is None else callback(session)

    return on_connect


def _logging_disconnect(callback: Callback | None) -> Callback:
    def on_disconnect(session: "Session", why: Disconnect) -> None:
        logger.debug("disconnect %s (session %#x): %s", session.peername, session.id, why)
        if callback is not None:
            callback(session, why)

    return on_disconnect


def find_callbacks(server: object, base: type) -> dict[str, Any]:
    """The callbacks of SERVER as the engine takes them: None for one that BASE has unchanged.

    They are looked up here once, so a callback replaced after `start` is not seen.
    """
    found: dict[str, Any] = {
        name: getattr(server, name) if _is_overridden(server, base, name) else None
        for name in _OPTIONAL
    }
    if logger.isEnabledFor(logging.DEBUG):
        found["on_connect"] = _logging_connect(found["on_connect"])
        found["on_disconnect"] = _logging_disconnect(found["on_disconnect"])
    found["wants_unsent"] = _is_overridden(server, base, "on_abort")
    found["on_error"] = getattr(server, "on_error")  # noqa: B009 - object has none for mypy
    return found
