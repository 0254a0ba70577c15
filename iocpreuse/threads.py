"""The threads of a server: Hands that wait for work, and the Crew of an engine."""

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from iocpreuse._engine import Engine


class Hands:
    """N threads that have been started and wait for their work.

    They are daemons: a program may end without stopping its server (see exit_hook.py).
    """

    def __init__(self, count: int) -> None:
        """Starts them all; RuntimeError when there are no more threads to have, and none is left.

        Not in the main thread: a signal would interrupt what starts a thread.
        """
        self._gate = threading.Event()
        self._work: Callable[[], object] | None = None
        self._threads: list[threading.Thread] = []
        try:
            for number in range(1, count + 1):
                name = f"iocpreuse-worker-{number}"
                thread = threading.Thread(target=self._wait, name=name, daemon=True)
                thread.start()
                self._threads.append(thread)
        except BaseException:
            self.dismiss()
            raise

    def _wait(self) -> None:
        self._gate.wait()
        if self._work is not None:
            self._work()

    def put_to(self, work: Callable[[], object]) -> None:
        """Has each of them do WORK, once."""
        self._work = work
        self._gate.set()

    def dismiss(self) -> None:
        """Waits until they have ended; without work, those that have been given none."""
        self._gate.set()
        for thread in self._threads:
            thread.join()


class Crew:
    """The workers of an engine, and the manager, whose thread `serve` is called in."""

    def __init__(self, engine: "Engine", workers: Hands, ended: Callable[[], None]) -> None:
        """ENDED is called in the manager's thread when all others have ended after a stop."""
        self._engine = engine
        self._workers = workers
        self._ended = ended

    def start(self) -> None:
        """Starts the engine. It cannot do without `serve` from then on."""
        self._engine.start()

    def open(self) -> None:
        """When this returns, the first accepts are posted: by the manager, as threads may end."""
        self._workers.put_to(self._engine.work)
        self._engine.open_pool()

    def serve(self) -> None:
        """Until the engine has been stopped, and all is done."""
        self._engine.manage()
        self._workers.dismiss()
        self._engine.forget()
        self._ended()
