"""The end of the interpreter: what still runs is stopped."""

import atexit
import time
import weakref
from collections.abc import Callable
from typing import Any, Final, TypeVar

# A callback that hangs must not keep the program from ending.
WAIT_SECONDS_MAX: Final = 5.0

Owner = TypeVar("Owner")
Stop = Callable[[Any], object]
Wait = Callable[[Any, float], object]

# Not a WeakKeyDictionary, which cannot be read while other threads change it: each call on a dict
# is one step. And in a function of Python's that is called back for a reference, a Ctrl-C is lost.
_running: dict[weakref.ref[Any], tuple[Stop, Wait]] = {}


def stop_at_exit(
    owner: Owner, stop: Callable[[Owner], object], wait: Callable[[Owner, float], object]
) -> None:
    """Calls STOP(owner) for all, then WAIT(owner, seconds), when the interpreter ends.

    OWNER is not kept alive. STOP does not block, and is for one that has stopped, too.
    """
    _running[weakref.ref(owner, _running.pop)] = (stop, wait)


def forget(owner: object) -> None:
    """OWNER is not to be stopped by this process."""
    _running.pop(weakref.ref(owner), None)


@atexit.register
def _stop_all() -> None:
    live = [
        (owner, *calls) for each, calls in _running.copy().items() if (owner := each()) is not None
    ]
    deadline = time.monotonic() + WAIT_SECONDS_MAX
    for owner, stop, _ in live:
        stop(owner)
    for owner, _, wait in live:
        wait(owner, max(0.0, deadline - time.monotonic()))
