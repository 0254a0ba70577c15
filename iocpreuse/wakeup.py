"""A sleep that any thread and any signal can end: Wakeup."""

import contextlib
import select
import signal
import socket
from types import TracebackType
from typing import Self

from iocpreuse import fork_hook


class Wakeup:
    """A socket pair to sleep on. Entered in the main thread, signals wake it as well.

    On Windows neither a lock nor select() returns for Ctrl-C; select() on a socket that
    signal.set_wakeup_fd writes to does. asyncio waits the same way.
    """

    def __enter__(self) -> Self:
        """Makes the pair, and has the interpreter write to it when a signal comes."""
        self._reader, self._writer = socket.socketpair()
        self._reader.setblocking(False)
        self._writer.setblocking(False)
        self._previous: int | None = None
        # Only the main thread of the main interpreter may; elsewhere signals do not come anyway.
        with contextlib.suppress(ValueError):
            self._previous = signal.set_wakeup_fd(self._writer.fileno(), warn_on_full_buffer=False)
        fork_hook.watch(self)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Gives the wake-up descriptor back to whoever had it."""
        fork_hook.forget(self)
        self._leave_to_parent()

    def _leave_to_parent(self) -> None:
        """In a forked child: a signal there must not wake the parent."""
        if self._previous is not None:
            signal.set_wakeup_fd(self._previous)
            self._previous = None
        self._reader.close()
        self._writer.close()

    def wake(self) -> None:
        """Ends the sleep under way, or the next one. Any thread, between enter and exit."""
        with contextlib.suppress(BlockingIOError):  # full: there is enough to wake it
            self._writer.send(b"\0")

    def sleep(self, timeout: float | None = None) -> None:
        """Until woken, or for TIMEOUT seconds. A signal's Python handler has run by then."""
        select.select([self._reader], [], [], timeout)
        with contextlib.suppress(BlockingIOError):
            while self._reader.recv(4096):
                pass
