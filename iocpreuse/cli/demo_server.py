"""The demo's server: an echo, some of whose answers come late, from another thread."""

import queue
import threading
import time
from collections import Counter
from typing import TYPE_CHECKING, Any, Final

from iocpreuse.cli.messages import ECHO, LATE, QUIT, Splitter
from iocpreuse.errors import SessionClosed, StaleSession
from iocpreuse.reason import Disconnect
from iocpreuse.server import Server

if TYPE_CHECKING:
    from iocpreuse._engine import Session

# Long enough for the slot of a client that left to serve the next one.
LATE_SECONDS: Final = 0.03


class DemoServer(Server):
    """Counts what happens to its clients, and answers the LATE requests of those that left."""

    def __init__(self, *args: Any, **options: Any) -> None:
        """As Server."""
        super().__init__(*args, **options)
        self.counts: Counter[str] = Counter()  # opened, closed, answered, late, too_late, errors
        self.reasons: Counter[str] = Counter()
        self._counting = threading.Lock()
        self._late: queue.SimpleQueue[tuple[float, Session, bytes] | None] = queue.SimpleQueue()
        self._answerer = threading.Thread(target=self._answer_late, name="late-answers")
        self._answerer.start()

    def finish(self) -> None:
        """Gives the last late answers, then ends their thread."""
        self._late.put(None)
        self._answerer.join()

    def on_connect(self, session: "Session") -> None:
        """A new client starts with an empty stream."""
        session.state = Splitter()
        self._count("opened")

    def on_data(self, session: "Session", data: bytes) -> None:
        """Answers each request the way it asks for."""
        for kind, message in session.state.feed(data):
            if kind == LATE:
                self._late.put((time.monotonic() + LATE_SECONDS, session, message))
            elif kind in (ECHO, QUIT):
                session.send(message)
                self._count("answered")
            if kind == QUIT:
                session.close()

    def on_disconnect(self, session: "Session", why: Disconnect) -> None:
        """Once for each client."""
        with self._counting:
            self.counts["closed"] += 1
            self.reasons[why.reason.value] += 1

    def on_error(self, session: "Session | None", where: str, exc: BaseException) -> None:
        """Must not happen."""
        self._count("errors")
        super().on_error(session, where, exc)

    def _count(self, what: str) -> None:
        with self._counting:
            self.counts[what] += 1

    def _answer_late(self) -> None:
        while (item := self._late.get()) is not None:
            due, session, message = item
            time.sleep(max(0.0, due - time.monotonic()))
            self._count("late" if self._answer(session, message) else "too_late")

    def _answer(self, session: "Session", message: bytes) -> bool:
        """By session and by id in turn; where the client has gone, closes its session too."""
        if (self.counts["late"] + self.counts["too_late"]) % 2:
            if session.is_closing():
                return self.send(session.id, message)
            self.send(session.id, message)
            return True
        try:
            session.send(message)
        except StaleSession:
            session.abort()  # its slot serves another client, who must not notice
            return False
        except SessionClosed:
            session.close()
            return False
        return True
