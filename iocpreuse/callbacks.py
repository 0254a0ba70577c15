"""Which callbacks an application has, and whether they can be meant so: find_callbacks."""

import inspect
import logging
from collections.abc import Callable, Iterator
from difflib import get_close_matches
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from iocpreuse.reason import Disconnect

if TYPE_CHECKING:
    from iocpreuse._engine import Session

logger = logging.getLogger("iocpreuse")

_PARAMETERS: Final = {
    "on_connect": ("session",),
    "on_data": ("session", "data"),
    "on_drain": ("session",),
    "on_eof": ("session",),
    "on_login": ("session",),
    "on_abort": ("session", "lost"),
    "on_disconnect": ("session", "why"),
    "on_error": ("session", "where", "exc"),
    "on_tls_error": ("peername", "exc"),
}

# The engine takes None for the others. These go by the facade.
_FACADE: Final = ("on_abort", "on_error", "on_tls_error")
_OPTIONAL: Final = tuple(name for name in _PARAMETERS if name not in _FACADE)

# How others call them.
_ALSO: Final = {
    "on_receive": "on_data",
    "on_message": "on_data",
    "on_read": "on_data",
    "on_open": "on_connect",
    "on_accept": "on_connect",
    "on_close": "on_disconnect",
    "on_end": "on_eof",
    "on_write": "on_drain",
    "on_exception": "on_error",
}

Callback = Callable[..., Any]


def _is_overridden(server: object, base: type, name: str) -> bool:
    return name in vars(server) or getattr(type(server), name) is not getattr(base, name)


def _others(server: object, base: type) -> Iterator[tuple[str, dict[str, Any]]]:
    """What SERVER itself and each of its classes define, but for those of BASE."""
    name = type(server).__name__
    yield f"the {name} object", vars(server)
    for each in type(server).__mro__:
        if each not in base.__mro__:
            yield each.__name__, dict(vars(each))


def _check_name(where: str, name: str) -> None:
    if not name.startswith("on_") or name in _PARAMETERS:
        return
    close = get_close_matches(name, [*_PARAMETERS, *_ALSO], n=1)
    meant = f"did you mean {_ALSO.get(close[0], close[0])}?" if close else ""
    raise TypeError(
        f"{name} of {where} is none of a server's callbacks; "
        f"{meant or 'there are ' + ', '.join(_PARAMETERS)} "
        "(a name for something else must not begin with on_)"
    )


def _is_declaration(owner: type, value: object) -> bool:
    """Whether a class only says that there has to be such a method."""
    is_protocol = getattr(owner, "_is_protocol", False)
    return bool(is_protocol or getattr(value, "__isabstractmethod__", False))


def _check_mixins(server: object, base: type) -> None:
    """One behind BASE in the order of look-up is shadowed by it, and would never be called."""
    order = type(server).__mro__
    for mixin in order[order.index(base) + 1 :]:
        for name in _PARAMETERS.keys() & vars(mixin).keys():
            if _is_overridden(server, base, name) or _is_declaration(mixin, vars(mixin)[name]):
                continue
            own = type(server).__name__
            raise TypeError(
                f"{mixin.__name__}.{name} would never be called: {base.__name__} has one as well, "
                f"and comes before {mixin.__name__} in the bases of {own}; put the mixin first, "
                f"as in class {own}({mixin.__name__}, {base.__name__})"
            )


def _plain(callback: object) -> object:
    while isinstance(callback, partial):
        callback = callback.func
    return callback


def _check_kind(where: str, name: str, callback: object) -> None:
    right = f"def {name}({', '.join(('self', *_PARAMETERS[name]))})"
    if not callable(callback):
        raise TypeError(f"{name} of {where} must be a function, {right}, not {callback!r}")
    plain = _plain(callback)
    called = getattr(type(plain), "__call__", None)  # noqa: B004 - of an object: is it async?
    if any(map(inspect.iscoroutinefunction, (plain, called))):
        raise TypeError(
            f"{name} of {where} is a coroutine function (async def), and nobody would await it: "
            f"callbacks run in worker threads, without an event loop; write {right}, and give "
            "coroutines to a loop of yours with asyncio.run_coroutine_threadsafe()"
        )
    if any(map(inspect.isgeneratorfunction, (plain, called))) or inspect.isasyncgenfunction(plain):
        raise TypeError(
            f"{name} of {where} is a generator function (it has a yield), and its body would "
            f"never run; write {right} without one"
        )


def _check_parameters(where: str, name: str, callback: Callback) -> None:
    """Only where it is certain: a function that can be looked at, and is not said to be another."""
    if hasattr(callback, "__signature__"):
        return
    given = _PARAMETERS[name]
    bound = ("self",) if inspect.ismethod(callback) else ()
    function = callback.__func__ if inspect.ismethod(callback) else callback
    try:
        signature = inspect.signature(function, follow_wrapped=False)
    except (TypeError, ValueError):
        return
    try:
        signature.bind(*bound, *given)
    except TypeError as exc:
        raise TypeError(
            f"{name} of {where} takes {signature}, but it is called with "
            f"({', '.join((*bound, *given))}): {exc}"
        ) from None


def _check(server: object, base: type) -> None:
    for where, names in _others(server, base):
        for name in names:
            _check_name(where, name)
    _check_mixins(server, base)
    where = type(server).__name__
    for name in _PARAMETERS:
        if _is_overridden(server, base, name):
            callback = getattr(server, name)
            _check_kind(where, name, callback)
            _check_parameters(where, name, callback)


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

    They are looked up here once, so a callback replaced after `start` is not seen. Raises
    TypeError for what cannot be meant so: a name that begins with on_ and is none of BASE's, a
    coroutine, what cannot be called or not with what it is called with, a mixin behind BASE.
    """
    _check(server, base)
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
