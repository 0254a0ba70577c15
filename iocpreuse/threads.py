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
        self._failed = False
        self._workers = [
            threading.Thread(target=engine.work, name=f"iocpreuse-worker-{number}", daemon=True)
            for number in range(1, workers + 1)
        ]
        self._manager = threading.Thread(target=self._manage, name="iocpreuse-manager", daemon=True)
        self._begun: list[threading.Thread] = []

    def start(self) -> None:
        """Starts them all, or none: RuntimeError when the system gives no more threads."""
        self._manager.start()
        try:
            for worker in self._workers:
                worker.start()
                self._begun.append(worker)
        except BaseException:
            self._failed = True
            self._engine.stop(0.0)
            self._engine.work()  # a stop needs a worker: this thread is one until it is done
            self._manager.join()
            raise

    def _manage(self) -> None:
        self._engine.manage()
        for worker in self._begun:
            worker.join()
        if not self._failed:
            self._ended()
