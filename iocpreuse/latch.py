"""An event that comes once: Latch."""

import contextlib
import os
import queue
import threading
import time
from collections.abc import Callable, Iterator

from iocpreuse.wakeup import Wakeup

# Whether a wait for a lock in the main thread holds up Ctrl-C.
LOCKS_HOLD_UP_SIGNALS = os.name == "nt"


class Latch:
    """Like threading.Event, set once, but Ctrl-C ends a wait in the main thread on Windows too.

    It has no lock, so a signal handler may use one that the main thread was using when the signal
    came. Each step is one for all threads, and may be done again.
    """

    def __init__(self) -> None:
        """Not set."""
        self._is_set = False
        self._wakers: dict[object, Callable[[], object]] = {}

    def is_set(self) -> bool:
        """Whether it has come."""
        return self._is_set

    def set(self) -> None:
        """It has come: wakes all who wait. Any thread."""
        try:
            self._set()
        except BaseException:
            self._set()  # a Ctrl-C leaves nobody asleep
            raise

    def _set(self) -> None:
        self._is_set = True
        for wake in list(self._wakers.values()):
            wake()

    @contextlib.contextmanager
    def waking(self, wake: Callable[[], object]) -> Iterator[None]:
        """Calls WAKE when it comes, at once if it has; perhaps twice, perhaps a little late."""
        key = object()
        try:
            self._wakers[key] = wake
            if self._is_set:
                wake()
            yield
        finally:
            self._wakers.pop(key, None)

    def wait(self, timeout: float | None = None) -> bool:
        """Until it has come, at most TIMEOUT seconds. Returns is_set(). Any thread."""
        if self._is_set:
            return True
        main = threading.current_thread() is threading.main_thread()
        if LOCKS_HOLD_UP_SIGNALS and main:
            self._wait_for_signals_too(timeout)
        else:
            called: queue.SimpleQueue[None] = queue.SimpleQueue()
            with self.waking(lambda: called.put(None)), contextlib.suppress(queue.Empty):
                called.get(timeout=timeout)
        return self._is_set

    def _wait_for_signals_too(self, timeout: float | None) -> None:
        deadline = None if timeout is None else time.monotonic() + timeout
        wakeup = Wakeup()
        try:
            try:
                wakeup.open()
                self._sleep(wakeup, deadline)
            finally:
                wakeup.close()
        except BaseException:
            wakeup.close()  # again: it may have been cut short itself
            raise

    def _sleep(self, wakeup: Wakeup, deadline: float | None) -> None:
        with self.waking(wakeup.wake):
            while not self._is_set:
                left = None if deadline is None else deadline - time.monotonic()
                if left is not None and left <= 0:
                    break
                wakeup.sleep(left)
