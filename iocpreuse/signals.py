"""Serving until a signal says stop: serve_until_stopped."""

import contextlib
import signal
import sys
import threading
from collections.abc import Callable
from types import FrameType
from typing import Any, Final, Protocol

from iocpreuse import fork_hook
from iocpreuse.latch import Latch
from iocpreuse.wakeup import Wakeup

if sys.platform == "win32":
    from iocpreuse.console import watch_console
else:

    def watch_console(tell: Callable[[], None]) -> contextlib.AbstractContextManager[None]:
        """Elsewhere the end of a terminal is a signal, SIGHUP, which does what it always did."""
        return contextlib.nullcontext()


# Of the 5 s that Windows gives a program when its console is closed: for clients to take what is
# queued. The rest is for on_disconnect, and for the program's own end.
CLOSE_DRAIN_SECONDS: Final = 3.0

# SIGBREAK (Ctrl-Break) exists on Windows only.
_STOP_SIGNALS = tuple(
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGBREAK") if hasattr(signal, name)
)


class StopSignals:
    """Counts the signals that ask for a stop, instead of what they did before.

    `close` undoes what `open` has done, also where a signal has cut either short.
    """

    def __init__(self) -> None:
        """Counts from 0."""
        self.count = 0
        self._saved: dict[signal.Signals, Any] = {}

    def open(self) -> None:
        """Takes the signals over, if this is the main thread; else none can be taken."""
        if threading.current_thread() is threading.main_thread():
            fork_hook.watch(self)
            for number in _STOP_SIGNALS:
                self._saved[number] = signal.getsignal(number)
                signal.signal(number, self._note)

    def close(self) -> None:
        """Puts the handlers back that were there before: Ctrl-C, which may cut it short, last."""
        fork_hook.forget(self)
        for number, handler in reversed(list(self._saved.items())):
            # None: it was not installed from Python, and cannot be from here.
            signal.signal(number, signal.SIG_DFL if handler is None else handler)
            self._saved.pop(number, None)

    def _leave_to_parent(self) -> None:
        """In a forked child nobody looks at the count: signals do there what they did before."""
        self.close()

    # It interrupts the main thread anywhere, so it takes no lock and calls nothing.
    def _note(self, number: int, frame: FrameType | None) -> None:
        self.count += 1


class Stop(Protocol):
    """Begins a stop, or hurries the one under way. Does not block."""

    def __call__(self, *, drain_max: float | None) -> object:
        """Clients get at most DRAIN_MAX seconds; None = as long as the server says."""


class Closing:
    """The end of the console, of the session or of the system, which counts like one signal."""

    def __init__(self, wake: Callable[[], None]) -> None:
        """It has not come; WAKE is called when it does."""
        self.has_come = False
        self._wake = wake

    def tell(self) -> None:
        """It has come. Any thread."""
        self.has_come = True
        self._wake()


def serve_until_stopped(start: Callable[[], object], stop: Stop, stopped: Latch) -> None:
    """Calls START, then STOP once for each signal that asks for it, until STOPPED is set.

    On Windows also when the console is closed, the user logs off, or the system ends; in the main
    thread only.
    """
    signals, wakeup = StopSignals(), Wakeup()
    try:
        try:
            _serve(signals, wakeup, start, stop, stopped)
        finally:
            wakeup.close()
            signals.close()
    except BaseException:
        wakeup.close()  # again: it may have been cut short itself
        signals.close()
        raise


def _serve(
    signals: StopSignals,
    wakeup: Wakeup,
    start: Callable[[], object],
    stop: Stop,
    stopped: Latch,
) -> None:
    # The signals first: from then on none interrupts what follows.
    signals.open()
    wakeup.open()
    closing = Closing(wakeup.wake)
    with contextlib.ExitStack() as stack:
        if threading.current_thread() is threading.main_thread():
            stack.enter_context(watch_console(closing.tell))
        start()
        heeded = 0
        stack.enter_context(stopped.waking(wakeup.wake))
        while not stopped.is_set():
            closes = closing.has_come
            while heeded < signals.count + closes:
                heeded += 1
                stop(drain_max=CLOSE_DRAIN_SECONDS if closes else None)
            wakeup.sleep()
