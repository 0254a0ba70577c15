"""A sleep that any thread and any signal can end: Wakeup."""

import contextlib
import selectors
import signal
import socket
import threading
from typing import Final

from iocpreuse import fork_hook

# Not select(), where there is anything else: it takes no descriptor from 1024 on.
_Selector = getattr(selectors, "PollSelector", selectors.SelectSelector)

WRITE_SECONDS_MAX: Final = 1.0


class Wakeup:
    """A socket pair to sleep on. Opened in the main thread, signals wake it as well.

    `close` undoes what `open` has done, also where a signal has cut either short.

    On Windows neither a lock nor select() returns for Ctrl-C; select() on a socket that
    signal.set_wakeup_fd writes to does. asyncio waits the same way.
    """

    def __init__(self) -> None:
        """Makes the pair."""
        self._reader, self._writer = socket.socketpair()
        self._reader.setblocking(False)
        self._writer.setblocking(False)
        # Held by whoever writes, and for ever once the pair is closed: a descriptor that has been
        # closed may be another's.
        self._writing = threading.Lock()
        self._is_wanted = False  # a wake-up, and nobody has written yet
        self._is_open = True
        self._takes_signals = False
        self._previous = -1

    def open(self) -> None:
        """Has the interpreter write to the pair when a signal comes."""
        fork_hook.watch(self)
        # Only the main thread of the main interpreter may; elsewhere signals do not come anyway.
        with contextlib.suppress(ValueError):
            self._takes_signals = True
            writer = self._writer.fileno()
            self._previous = signal.set_wakeup_fd(writer, warn_on_full_buffer=False)

    def close(self) -> None:
        """Gives the wake-up descriptor back to whoever had it."""
        fork_hook.forget(self)
        self._give_back()
        if self._is_open:
            self._is_open = False
            # A write takes no time. Only a thread that a Ctrl-C ended in the middle holds it on.
            self._writing.acquire(timeout=WRITE_SECONDS_MAX)
        self._reader.close()
        self._writer.close()

    def _give_back(self) -> None:
        if self._takes_signals:
            with contextlib.suppress(ValueError):
                signal.set_wakeup_fd(self._previous)
            self._takes_signals = False

    def _leave_to_parent(self) -> None:
        """In a forked child: a signal there must not wake the parent."""
        self._give_back()
        self._reader.close()
        self._writer.close()

    def wake(self) -> None:
        """Ends the sleep under way, or the next one. Any thread, at any time."""
        self._is_wanted = True
        # Where another thread writes, or has just written, it looks again; or the pair is closed.
        while self._is_wanted and self._writing.acquire(blocking=False):
            try:
                self._is_wanted = False
                # Full: there is enough to wake it. Closed: in a forked child nobody sleeps.
                with contextlib.suppress(OSError):
                    self._writer.send(b"\0")
            finally:
                self._writing.release()

    def sleep(self, timeout: float | None = None) -> None:
        """Until woken, or for TIMEOUT seconds. A signal's Python handler has run by then."""
        with _Selector() as selector:
            selector.register(self._reader, selectors.EVENT_READ)
            selector.select(timeout)
        with contextlib.suppress(BlockingIOError):
            while self._reader.recv(4096):
                pass
