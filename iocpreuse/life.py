"""The life of a server, from start to stop: Life, made of Attempts."""

import enum
from _thread import start_new_thread
from threading import Thread, current_thread
from typing import TYPE_CHECKING, Final, Protocol

from iocpreuse.errors import ServerStateError
from iocpreuse.latch import Latch
from iocpreuse.threads import Crew, Hands

if TYPE_CHECKING:
    from iocpreuse._engine import Engine


class State(enum.Enum):
    """Where a server is in its life."""

    NEW = "not started"
    STARTING = "starting"
    RUNNING = "running"
    STOPPING = "stopping"
    STOPPED = "stopped"
    INHERITED = "another process's, from which this one was forked"


class Opener(Protocol):
    """What an attempt opens."""

    def open(self, unwanted: Latch) -> "Engine":
        """An engine that listens. In the manager's thread, as `keep`.

        It may take its time, until UNWANTED is set.
        """

    def keep(self, engine: "Engine") -> None:
        """ENGINE is about to serve: what was lent to it is its own."""

    def leave(self) -> None:
        """It is about to listen no more. Any thread, also twice."""

    def undo(self) -> None:
        """It has come to nothing: what was lent is given back. Any thread, also twice."""


class _Wish:
    """How a stop was asked for."""

    __slots__ = ("seconds",)

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds


# Values of the marks "stop" and "claim".
_VOID: Final = _Wish(0.0)  # the attempt has come to nothing, and the next one may follow
_THREAD: Final = object()
_CALLER: Final = object()


class Attempt:
    """One start, and if it succeeds, all that follows until the stop.

    Any thread asks something of it, and so do signal handlers in the middle of its own methods, and
    a Ctrl-C may end those anywhere. So there is no lock. What takes time is done in threads, where
    no signal comes; and what is decided between them is a mark, which the first to set it has
    decided: dict.setdefault is one step for all. What follows from a mark may be done twice.
    """

    def __init__(self, opener: Opener | None, workers: int, stopped: Latch) -> None:
        """STOPPED is set when it has been stopped."""
        self.marks: dict[str, object] = {}
        self.settled = Latch()  # it serves, or it has come to nothing
        self.error: BaseException | None = None  # why it has
        self._opener = opener
        self._workers = workers
        self._stopped = stopped
        self._gone = Latch()  # nothing of it is left
        self._unwanted = Latch()  # a stop has been asked for, or that it be undone
        self._engine: Engine | None = None
        self._manager: Thread | None = None

    def is_void(self) -> bool:
        """Whether it has come to nothing, and nobody has asked for a stop meanwhile."""
        return self.marks.get("stop") is _VOID

    def is_stopping(self) -> bool:
        """Whether somebody has asked for a stop."""
        return "stop" in self.marks

    # For its caller.

    def begin(self) -> None:
        """Has it done; returns when it serves, or raises why it does not."""
        start_new_thread(self._run, ())
        self.settled.wait()
        error, self.error = self.error, None
        try:
            if error is not None:
                raise error
        finally:
            del error  # it knows this frame

    def undo(self) -> None:
        """Whoever called `begin` has not seen it succeed: nothing of it stays.

        That it is not begun any more, or that its thread sees to it, is decided by who is first.
        """
        if self.marks.setdefault("claim", _CALLER) is _CALLER:
            self._come_to_nothing()
            return
        self.marks["undo"] = True
        self._tell()
        self._gone.wait()
        self.join()

    def stop(self, seconds: float) -> bool:
        """Has it stopped, at once if that has been asked for before. False if it is void."""
        wish = _Wish(seconds)
        try:
            first = self.marks.setdefault("stop", wish)
            if first is _VOID:
                return False
            if first is not wish:
                self.marks["hurry"] = True
            self._heed()
        except BaseException:
            if self.is_stopping():
                self._heed()
            raise
        return True

    def _heed(self) -> None:
        if self.marks.setdefault("claim", _CALLER) is not _CALLER:
            self._tell()
            return
        # A handler that interrupts whoever is about to begin it would wait for that in vain.
        self.error = ServerStateError(f"cannot start: the server is {State.STOPPED.value}")
        self._come_to_nothing()

    def join(self) -> None:
        """Waits the moment from the end of all that it does to the end of its thread."""
        manager = self._manager
        if manager is not None and manager is not current_thread() and manager.is_alive():
            manager.join()

    def leave_to_parent(self) -> None:
        """In a forked child, where its threads are not."""
        self.error = ServerStateError(f"the server is {State.INHERITED.value}")
        if self._opener is not None:
            self._opener.leave()
        self._engine = None
        self._opener = None
        self.settled.set()
        self._gone.set()

    def _tell(self) -> None:
        """Tells the engine what has been asked for so far. Once it is there, its thread does."""
        if self.is_stopping() or "undo" in self.marks:
            self._unwanted.set()
        engine, opener = self._engine, self._opener
        if engine is None:
            return
        wish = self.marks.get("stop")
        if isinstance(wish, _Wish) and wish is not _VOID:
            if opener is not None:
                opener.leave()
            engine.stop(wish.seconds)
        # The later one, also where both are told at the same time: it may only become shorter.
        if "hurry" in self.marks or "undo" in self.marks:
            engine.stop(0.0)

    def _come_to_nothing(self) -> None:
        opener = self._opener  # once: two callers may come here
        try:
            if not self.is_void() and opener is not None:
                opener.undo()
        finally:
            self._engine = None
            self._opener = None
            if self.marks.setdefault("stop", _VOID) is not _VOID:
                self._stopped.set()
            self._gone.set()
            self.settled.set()

    # In threads of its own.

    def _run(self) -> None:
        """Not the manager itself: to start a Thread takes steps, which a signal would interrupt."""
        if self.marks.setdefault("claim", _THREAD) is not _THREAD:
            return
        try:
            manager = Thread(target=self._manage, name="iocpreuse-manager", daemon=True)
            self._manager = manager
            manager.start()
        except BaseException as exc:
            self.error = exc
            self._come_to_nothing()

    def _manage(self) -> None:
        try:
            crew = self._open()
        except BaseException as exc:
            self.error = exc
            self._come_to_nothing()
            return
        crew.open()
        self.settled.set()
        crew.serve()

    def _open(self) -> Crew:
        """The threads come first: not every Windows takes a listening socket into a second port."""
        opener, engine = self._opener, None
        assert opener is not None
        workers = Hands(self._workers)
        try:
            engine = opener.open(self._unwanted)
            crew = Crew(engine, workers, self._ended)
            opener.keep(engine)
            crew.start()
        except BaseException:
            workers.dismiss()
            if engine is not None:
                engine.stop(0.0)  # before it has posted anything: it only closes what it has
                engine.manage()
                engine.forget()
            raise
        self._engine = engine
        self._tell()
        return crew

    def _ended(self) -> None:
        if "undo" in self.marks:
            self._come_to_nothing()
            return
        opener, self._opener = self._opener, None
        try:
            if opener is not None:
                opener.leave()
        finally:
            self._gone.set()
            self._stopped.set()


class Life:
    """What a server goes through: attempts to start that came to nothing, and one that did not."""

    def __init__(self) -> None:
        """It has not begun."""
        self.stopped = Latch()
        self._inherited = False
        self._first = Attempt(None, 0, self.stopped)
        self._first.marks["stop"] = _VOID
        self._first.settled.set()

    def _last(self) -> Attempt:
        last = self._first
        while isinstance(following := last.marks.get("next"), Attempt):
            last = self._first = following  # those before it have come to nothing, for ever
        return last

    @property
    def state(self) -> State:
        """Where it is."""
        last = self._last()
        if self._inherited:
            return State.INHERITED
        if last.is_void():
            return State.NEW
        if self.stopped.is_set():
            return State.STOPPED
        if last.is_stopping():
            return State.STOPPING
        return State.RUNNING if last.settled.is_set() else State.STARTING

    def attempt(self, opener: Opener, workers: int) -> Attempt:
        """A start to be made."""
        return Attempt(opener, workers, self.stopped)

    def start(self, attempt: Attempt) -> None:
        """Makes ATTEMPT. Where this raises, whatever it is, ATTEMPT is to be undone."""
        last = self._last()
        if not last.is_void() or last.marks.setdefault("next", attempt) is not attempt:
            raise ServerStateError(f"cannot start: the server is {self.state.value}")
        attempt.begin()

    def settle(self) -> None:
        """Waits while a start is under way."""
        self._last().settled.wait()

    def stop(self, seconds: float) -> None:
        """Begins to stop, also what is starting. If it never started, it never will."""
        while True:
            last = self._last()
            if not last.is_void():
                if self.stopped.is_set() or last.stop(seconds):
                    return
                continue
            never = Attempt(None, 0, self.stopped)
            never.marks["stop"] = _Wish(seconds)
            never.settled.set()
            try:
                if last.marks.setdefault("next", never) is never:
                    self.stopped.set()
            except BaseException:
                if last.marks.get("next") is never:
                    self.stopped.set()
                raise

    def join(self) -> None:
        """After the stop: waits until the last thread has ended as well."""
        self._last().join()

    def leave_to_parent(self) -> bool:
        """In a forked child. False if it has no threads and no sockets: it is the child's, too."""
        if self.state in (State.NEW, State.STOPPED):
            return False
        self._inherited = True
        self._last().leave_to_parent()
        return True
