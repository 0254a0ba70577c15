"""An event that comes once: Latch."""

import contextlib
import os
import threading
import time
from collections.abc import Callable, Iterator

from iocpreuse.wakeup import Wakeup

# Whether a wait for a lock in the main thread holds up Ctrl-C.
LOCKS_HOLD_UP_SIGNALS = os.name == "nt"


class Latch:
    """Like threading.Event, set once, but Ctrl-C ends a wait in the main thread on Windows too."""

    def __init__(self) -> None:
        """Not set."""
        self._event = threading.Event()
        self._lock = threading.Lock()
        self._wakers: list[Callable[[], None]] = []

    def is_set(self) -> bool:
        """Whether it has come."""
        return self._event.is_set()

    def set(self) -> None:
        """It has come: wakes all who wait. Any thread."""
        with self._lock:
            self._event.set()
            for wake in self._wakers:
                wake()

    @contextlib.contextmanager
    def waking(self, wake: Callable[[], None]) -> Iterator[None]:
        """Calls WAKE when it comes, at once if it has; never after the block is left."""
        with self._lock:
            self._wakers.append(wake)
            if self._event.is_set():
                wake()
        try:
            yield
        finally:
            with self._lock:
                self._wakers.remove(wake)

    def wait(self, timeout: float | None = None) -> bool:
        """Until it has come, at most TIMEOUT seconds. Returns is_set(). Any thread."""
        main = threading.current_thread() is threading.main_thread()
        if not (LOCKS_HOLD_UP_SIGNALS and main):
            return self._event.wait(timeout)
        deadline = None if timeout is None else time.monotonic() + timeout
        with Wakeup() as wakeup, self.waking(wakeup.wake):
            while not self._event.is_set():
                left = None if deadline is None else deadline - time.monotonic()
                if left is not None and left <= 0:
                    break
                wakeup.sleep(left)
        return self._event.is_set()
