"""Whether a server has TLS, and what it needs for it: choose_tls, find_hooks.

The ssl module is loaded for those that do."""

from collections.abc import Callable
from typing import Any, Literal

from iocpreuse.options import Settings

Wire = Literal["native", "fallback", "off"]


def choose_tls(settings: Settings) -> Wire:
    """How the clients of SETTINGS get their TLS; RuntimeError or ValueError as find_tls says."""
    if settings.ssl is None:
        return "off"
    from iocpreuse.tls import find_tls  # it needs the ssl module

    return find_tls()


def find_hooks(
    settings: Settings,
    wire: Wire,
    on_tls_error: Callable[[tuple[Any, ...], Exception], object],
) -> dict[str, Any]:
    """What the engine calls for TLS; ON_TLS_ERROR is the application's."""
    if settings.ssl is None or wire == "off":
        return {"make_tls": None, "tls_is_native": False, "tls_failed": None}
    from iocpreuse.tls import make_hooks  # as above

    return make_hooks(settings.ssl, wire, on_tls_error)
