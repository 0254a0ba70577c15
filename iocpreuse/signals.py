"""Serving until a signal says stop: serve_until_stopped."""

import signal
import threading
from collections.abc import Callable
from types import FrameType, TracebackType
from typing import Any, Self

from iocpreuse import fork_hook
from iocpreuse.latch import Latch
from iocpreuse.wakeup import Wakeup

# SIGBREAK (Ctrl-Break, and a console that is closed) exists on Windows only.
_STOP_SIGNALS = tuple(
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGBREAK") if hasattr(signal, name)
)


class StopSignals:
    """Counts the signals that ask for a stop, instead of what they did before."""

    def __init__(self) -> None:
        """Counts from 0."""
        self.count = 0
        self._saved: dict[signal.Signals, Any] = {}

    def __enter__(self) -> Self:
        """Takes the signals over, if this is the main thread; else none can be taken."""
        if threading.current_thread() is threading.main_thread():
            fork_hook.watch(self)
            for number in _STOP_SIGNALS:
                self._saved[number] = signal.signal(number, self._note)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Puts the handlers back that were there before."""
        fork_hook.forget(self)
        self._restore()

    def _leave_to_parent(self) -> None:
        """In a forked child nobody looks at the count: signals do there what they did before."""
        self._restore()

    def _restore(self) -> None:
        while self._saved:
            number, handler = self._saved.popitem()
            # None: it was not installed from Python, and cannot be from here.
            signal.signal(number, signal.SIG_DFL if handler is None else handler)

    # It interrupts the main thread anywhere, so it takes no lock and calls nothing.
    def _note(self, number: int, frame: FrameType | None) -> None:
        self.count += 1


def serve_until_stopped(
    start: Callable[[], object], stop: Callable[[], object], stopped: Latch
) -> None:
    """Calls START, then STOP once for each signal that asks for it, until STOPPED is set.

    STOP must not block.
    """
    with Wakeup() as wakeup, StopSignals() as signals:
        start()
        heeded = 0
        with stopped.waking(wakeup.wake):
            while not stopped.is_set():
                while heeded < signals.count:
                    heeded += 1
                    stop()
                wakeup.sleep()
