"""The threads of a server: Crew."""

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from iocpreuse._engine import Engine


class Crew:
    """N workers and one manager, real Python threads whose bodies are functions of the engine.

    They are daemons: a program may end without stopping its server (see exit_hook.py).
    """

    def __init__(self, engine: "Engine", workers: int, ended: Callable[[], None]) -> None:
        """ENDED is called in the manager's thread when all others have ended after a stop."""
        self._engine = engine
        self._ended = ended
        self._gate = threading.Event()
        self._serving = False
        self._opened = threading.Event()
        self._workers = [
            threading.Thread(target=self._work, name=f"iocpreuse-worker-{number}", daemon=True)
            for number in range(1, workers + 1)
        ]
        self._manager = threading.Thread(target=self._manage, name="iocpreuse-manager", daemon=True)

    def start(self) -> None:
        """Starts the threads and the engine; RuntimeError when there are no more threads to have.

        The engine is started last: one that has posted accepts cannot do without its threads.
        When this returns, the first accepts are posted.
        """
        begun: list[threading.Thread] = []
        try:
            for thread in (*self._workers, self._manager):
                thread.start()
                begun.append(thread)
            self._engine.start()
            self._serving = True
        finally:
            self._gate.set()
            if not self._serving:
                for thread in begun:
                    thread.join()
        self._opened.wait()

    def _work(self) -> None:
        self._gate.wait()
        if self._serving:
            self._engine.work()

    def _manage(self) -> None:
        self._gate.wait()
        if self._serving:
            self._engine.open_pool()
            self._opened.set()
            self._engine.manage()
            for worker in self._workers:
                worker.join()
            self._engine.forget()
            self._ended()
