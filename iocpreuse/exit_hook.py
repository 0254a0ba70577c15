"""The end of the interpreter: servers that still run are stopped."""

import atexit
import time
import weakref
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from iocpreuse.server import Server

# A callback that hangs must not keep the program from ending.
WAIT_SECONDS_MAX: Final = 5.0

# Not a WeakSet, which cannot be read while other threads change it; each call on a set is one step.
_running: "set[weakref.ref[Server]]" = set()


def stop_at_exit(server: "Server") -> None:
    """Aborts SERVER's clients when the interpreter ends, if it has not been stopped by then."""
    _running.add(weakref.ref(server, _running.discard))


def forget(server: "Server") -> None:
    """SERVER is not to be stopped by this process."""
    _running.discard(weakref.ref(server))


@atexit.register
def _stop_all() -> None:
    servers = [server for each in _running.copy() if (server := each()) is not None]
    deadline = time.monotonic() + WAIT_SECONDS_MAX
    for server in servers:
        server._begin_stop(0.0)
    for server in servers:
        server.wait(max(0.0, deadline - time.monotonic()))
