"""The server that applications subclass: Server."""

import contextlib
import logging
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, Literal, Self, Unpack

from iocpreuse import exit_hook, fork_hook
from iocpreuse._engine import Engine, Session
from iocpreuse.callbacks import find_callbacks
from iocpreuse.engine import make_engine
from iocpreuse.errors import ServerStateError
from iocpreuse.latch import Latch
from iocpreuse.life import Life, State
from iocpreuse.listen import LentSocket, patiently
from iocpreuse.logins import Logins
from iocpreuse.options import Options, Settings, check_options, check_seconds
from iocpreuse.pending import Aborted, Pending
from iocpreuse.reason import Disconnect, make_error
from iocpreuse.registry import NamelessView, SessionsView
from iocpreuse.session import NetId, SessionId
from iocpreuse.signals import serve_until_stopped
from iocpreuse.stats import Stats, make_stats
from iocpreuse.wire import choose_tls, find_hooks

if TYPE_CHECKING:
    from typing_extensions import Buffer

logger = logging.getLogger("iocpreuse")


def _log_pool(size: int) -> None:
    logger.debug("the accept pool keeps %d accepts posted now", size)


def _log_shortage(stage: str, times: int, error: int, seconds: float) -> None:
    """By Crew's manager: STAGE of a shortage, in which accepts failed TIMES since the last line."""
    why = make_error(error).strerror if error else "no memory"
    if stage == "begins":
        logger.warning("cannot accept clients, who wait in the backlog meanwhile: %s", why)
    elif stage == "lasts":
        logger.warning("still cannot accept clients (failed %d times more): %s", times, why)
    else:
        logger.warning("clients are accepted again, after %.1f s", seconds)


def _log_farewell(session: Session, where: str, exc: BaseException) -> None:
    logger.debug("%s for %s ended early: %s", where, session.peername, exc)


# What __init__ sets.
_OWN: Final = frozenset(
    (
        "_address",
        "_connected_only_view",
        "_engine",
        "_life",
        "_logged_in_view",
        "_logins",
        "_sessions",
        "_settings",
        "_stopped",
        "_tls",
        "_view",
    )
)


class _Missing:
    """What stands in the class for an attribute that __init__ sets: it tells that it did not.

    A __getattr__ would do as well, and slow down each look at an attribute of a server.
    """

    def __get__(self, server: "Server | None", owner: type) -> Self:
        """Only where the server has none of its own."""
        if server is None:
            return self
        raise ServerStateError(
            f"{owner.__name__} did not call Server.__init__: its own __init__ must "
            "begin with super().__init__(...)"
        )


class Server:
    """A TCP server. Subclass it, override the callbacks you need, and start it.

    Callbacks run in worker threads (named iocpreuse-worker-N). Those of one session never
    overlap and come in order; those of different sessions may run at the same time. A callback
    that raises closes that session alone, and the exception goes to `on_error`. One that blocks
    occupies its worker; when that has lasted 10 ms, another one sees to the clients behind it,
    and where callbacks take more than 1 ms as a habit, all workers share them at once.
    All other methods may be called from any thread, and from callbacks.

    In a process that is forked while a server runs, that server is its parent's: all calls on it
    are ServerStateErrors there, it has no sessions, and its sockets are closed in that process
    (which disturbs neither the parent nor its clients). One that has not been started may be
    started in the child.

    With the logger `iocpreuse` at DEBUG when the server starts, connects and disconnects are
    logged; a level set later changes nothing, so that it costs nothing otherwise.
    """

    def __init__(self, host: str | None = None, port: int = 0, **options: Unpack[Options]) -> None:
        """Checks the arguments; nothing is opened before `start`.

        HOST is an address or a name; None is all interfaces, IPv6 and IPv4 where the system can.
        Of a name with both kinds of address, the IPv4 one is taken. PORT 0 lets the system choose:
        `address` tells. OPTIONS are those of `Options`, where their meanings, units and
        defaults stand. Raises TypeError or ValueError, which say what would be right.
        """
        self._settings: Settings = check_options(host, port, options)
        self._tls = choose_tls(self._settings)
        self._sessions: dict[SessionId, Session] = {}
        self._logins = Logins()
        self._view = SessionsView(self._sessions)
        self._connected_only_view = NamelessView(self._sessions)
        self._logged_in_view = SessionsView(self._logins)
        self._life = Life()
        self._stopped = self._life.stopped
        self._engine: Engine | None = None
        self._address: tuple[Any, ...] = ()

    # The callbacks. One that a subclass leaves alone is never called. A name that begins with on_
    # and is none of these is a TypeError from `start`, and so is a callback that is `async def`.

    def on_connect(self, session: Session) -> bool | None:
        """A client is here: the first callback of its session. False refuses it."""

    def on_data(self, session: Session, data: bytes) -> None:
        """Bytes have come, as many as one receive took: TCP keeps no message boundaries.

        With the option `framing`, DATA is one whole message, without its delimiter or prefix.
        """

    def on_drain(self, session: Session) -> None:
        """There is room again: the queue fell to write_low or below.

        It was full before: `Session.send` returned False, or a `broadcast` left the session out.
        """

    def on_eof(self, session: Session) -> bool | None:
        """The client has closed its side and sends no more; it may still be reading.

        True keeps our side open, until `Session.close`. Otherwise what is queued goes out, and
        the session ends.
        """

    def on_login(self, session: Session) -> None:
        """`Session.login` has given the client its name: the callback after the one that runs."""

    def on_abort(self, session: Session, lost: Aborted) -> Session | NetId | None:
        """The client has gone, with requests that nobody has answered or messages unsent.

        The session or the net_id that is returned takes over what is in lost.pending: answers
        that have come meanwhile are passed on, and a later `Pending.reply` goes there. With None,
        or if that one is not there, they are aborted. It comes before on_disconnect, and not at
        all if nothing was lost.
        """

    def on_disconnect(self, session: Session, why: Disconnect) -> None:
        """The session has ended. Exactly once for every session that had on_connect, and last.

        Nothing can be sent any more; the session stays readable for as long as it is referenced.
        """

    def on_error(self, session: Session | None, where: str, exc: BaseException) -> None:
        """A callback raised EXC: WHERE is its name. By default it is logged with its traceback.

        A SessionClosed that says no more than that the callback's own client has just gone is
        not an error: it is logged at DEBUG. It runs in the thread that the callback ran in. An
        exception from here goes to sys.unraisablehook.
        """
        client = session.peername if session is not None else "no client"
        logger.error("exception in %s for %s", where, client, exc_info=exc)

    def on_tls_error(self, peername: tuple[Any, ...], exc: Exception) -> None:
        """The TLS handshake of a client came to nothing: there is no session, and never was.

        EXC is an ssl.SSLError, or an OSError where the client has gone or took too long. It is
        logged at INFO, one a second at most; Stats.handshakes_failed counts all.
        """

    # Its life.

    def start(self) -> Self:
        """Binds, listens, probes whether sockets can be recycled, and serves in the background.

        Raises OSError where it cannot listen: EADDRINUSE (10048 on Windows) when another has the
        port, socket.gaierror for a host that does not resolve; TypeError for callbacks that cannot
        be meant so. Where it raises, also for a Ctrl-C, nothing of it stays: the port is free, a
        socket given as `sock` is the caller's again, and it may be tried again. Once started, and
        after `stop`, it is a ServerStateError. A `stop` that comes meanwhile, in another
        thread or a signal handler, is heeded as soon as the server serves.
        """
        fork_hook.watch(self)
        attempt = self._life.attempt(_Opening(self, self._hooks()), self._settings.workers)
        exit_hook.stop_at_exit(self, Server._stop_at_exit, Server.wait)
        try:
            self._life.start(attempt)
            logger.debug("serving on %s", self._address)
            return self
        except BaseException:
            attempt.undo()
            raise

    def serve_forever(self, *, handle_signals: bool = True) -> None:
        """Starts the server if it is not, and returns when it has stopped.

        In the main thread, Ctrl-C, SIGTERM and on Windows Ctrl-Break begin a stop that gives
        clients drain_timeout seconds; a second one aborts them. Then it returns normally. So it
        does when Windows closes the console, logs the user off or shuts down; but then the whole
        program has 4.5 s to come to its end, of which clients get at most 3.
        With HANDLE_SIGNALS False, signals do what they do without it: Ctrl-C raises
        KeyboardInterrupt out of here, and the server goes on. In another thread no signal can
        be handled, and it just waits. Not from a callback: ServerStateError.
        """
        self._refuse_inherited()
        self._refuse_in_callback("serve_forever")
        if handle_signals:
            serve_until_stopped(self._start_if_new, self._stop_for_signal, self._stopped)
        else:
            self._start_if_new()
            self._stopped.wait()

    def stop(self, *, drain: float | None = None) -> None:
        """Stops accepting, closes every session, and waits until all is done.

        Clients get DRAIN seconds (None = the option drain_timeout) to take what is queued for
        them; 0 aborts them. A second call, from another thread or a callback, aborts
        what the first waits for. From a callback it only begins the stop, and
        returns. A server that never started cannot be started afterwards.
        """
        self._begin_stop(drain)
        if not self._in_callback():
            self._stopped.wait()
            self._life.join()

    def wait(self, timeout: float | None = None) -> bool:
        """Until the server has stopped, at most TIMEOUT seconds. Returns whether it has.

        Ctrl-C interrupts it. From a callback only with a timeout: ServerStateError otherwise.
        """
        self._refuse_inherited()
        if timeout is None:
            self._refuse_in_callback("wait")
        return self._stopped.wait(timeout)

    def pause_accepting(self) -> None:
        """Take no new clients for now: they wait in the system's backlog. Any thread.

        Accepts that are posted are taken back; a client that comes meanwhile may still be
        served. Sessions go on. Raises ServerStateError unless the server is running.
        """
        self._running_engine().pause(True)

    def resume_accepting(self) -> None:
        """Take new clients again, those in the backlog first. Any thread."""
        self._running_engine().pause(False)

    def __enter__(self) -> Self:
        """Starts it, unless it is running; ServerStateError when it has stopped."""
        return self if self._life.state is State.RUNNING else self.start()

    def __exit__(self, *exc: object) -> None:
        """Stops it, as `stop` does; a stop under way is waited for, not hurried.

        A forked child that leaves the block leaves the server to its parent.
        """
        state = self._life.state
        if state is State.INHERITED:
            return
        if state is State.STOPPING and not self._in_callback():
            self._stopped.wait()
        else:
            self.stop()

    # Its clients.

    def send(self, to: SessionId, *data: "Buffer") -> bool:
        """Sends to the client that has this id, as `Session.send` does.

        Returns False if that client has gone, or is going: then nothing is sent to anyone.
        True if it is queued, also above write_high. Raises WriteOverflow and, after write_eof,
        RuntimeError as `Session.send` does; TypeError for what is not bytes-like;
        ServerStateError before `start`.
        """
        return self._running_engine().send(to, *data)

    def send_message(self, to: SessionId, message: "Buffer") -> bool:
        """Sends MESSAGE to the client that has this id, as `Session.send_message` does.

        Returns what `send` returns. Raises what that raises, and as `Session.send_message`
        ValueError for a message that cannot be framed, RuntimeError where there is no framing.
        """
        return self._running_engine().send_message(to, message)

    def broadcast(self, data: "Buffer", *, to: Iterable[SessionId] | None = None) -> int:
        """Sends DATA to many clients: to all, or to those whose ids are in TO. Any thread.

        The bytes stand once for all of them, and are queued without the GIL: first to the
        sessions with the highest `Session.priority`, among equals in the order of TO, or in that
        of connecting. An id that comes twice gets them once.

        A session that is full is left out, so that a client that does not read costs the others
        nothing: one whose `Session.send` would return False, or that write_limit would abort.
        Its on_drain tells when there is room, unless DATA by itself is longer than write_limit.
        Sessions whose on_connect has not returned, that have ended, are ending or had write_eof
        are left out as well. Returns how many it was queued to. Raises TypeError for
        what is not bytes-like, or no session's id; ServerStateError before `start`.
        """
        return self._running_engine().broadcast(data, to)

    def get(self, session_id: SessionId) -> Session | None:
        """The session with this id, or None when it has ended."""
        return self._sessions.get(session_id)

    @property
    def sessions(self) -> Mapping[SessionId, Session]:
        """The sessions that are open, by id: a live read-only view.

        Iterating goes over a copy made at that moment, so it is safe while clients come and go.
        """
        return self._view

    @property
    def connected_only(self) -> Mapping[SessionId, Session]:
        """Of these, the ones that have not logged in; like `sessions`, but len() looks at each."""
        return self._connected_only_view

    @property
    def logged_in(self) -> Mapping[NetId, Session]:
        """Those that have, by net_id; like `sessions`."""
        return self._logged_in_view

    # What is known about it.

    def stats(self) -> Stats:
        """All counters, from one moment. ServerStateError before `start`; after `stop` the last."""
        return make_stats(self._running_engine().stats())

    @property
    def address(self) -> tuple[Any, ...]:
        """Where it listens, as socket.getsockname() gives it. ServerStateError before `start`."""
        self._running_engine()
        return self._address

    @property
    def recycling(self) -> Literal["verified", "unsupported", "off"]:
        """Whether sockets are reused for the next client; the start-up probe finds out.

        "verified": yes. "unsupported": the system cannot, sockets are closed and replaced.
        "off": as the option `recycle` says. ServerStateError before `start`.
        """
        return self._running_engine().recycling

    @property
    def tls(self) -> Literal["native", "fallback", "off"]:
        """How clients' TLS is done; a probe finds out when the first such server is made.

        "native": with the interpreter's own OpenSSL, without the GIL. "fallback": by the ssl
        module's methods, with it. "off": there is none.
        """
        return self._tls

    def __repr__(self) -> str:
        """Its class, address and state."""
        if "_life" not in vars(self):
            return f"<{type(self).__name__} without Server.__init__>"
        where = self._address or (self._settings.host, self._settings.port)
        return f"<{type(self).__name__} {where} {self._life.state.value}>"

    # Inside.

    def _lose(
        self,
        session: Session,
        requests: tuple[Pending, ...],
        unsent: Sequence[bytes],
        partial: bool,
    ) -> Session | NetId | None:
        """SESSION ends with requests open or messages unsent: who takes them over?"""
        return self.on_abort(session, Aborted(requests, unsent, partial))

    def _hooks(self) -> dict[str, Any]:
        """What the engine calls: the application's callbacks, and the facade."""
        tls = find_hooks(self._settings, self._tls, self.on_tls_error)
        return (
            find_callbacks(self, Server)
            | tls
            | {
                "lose": self._lose,
                "on_pool": _log_pool,
                "on_shortage": _log_shortage,
                "on_farewell": _log_farewell,
            }
        )

    def _start_if_new(self) -> None:
        self._life.settle()
        if self._life.state is State.NEW:
            self.start()

    def _stop_for_signal(self, *, drain_max: float | None) -> None:
        seconds = self._settings.drain_timeout
        self._begin_stop(seconds if drain_max is None else min(seconds, drain_max))

    def _begin_stop(self, drain: float | None = None) -> None:
        self._refuse_inherited()
        self._life.stop(
            self._settings.drain_timeout if drain is None else check_seconds("drain", drain)
        )

    def _stop_at_exit(self) -> None:
        self._begin_stop(0.0)

    def _running_engine(self) -> Engine:
        engine = self._engine  # once: a start that fails in another thread takes it away
        if engine is None:
            self._refuse_inherited()
            raise ServerStateError("the server has not been started")
        return engine

    def _leave_to_parent(self) -> None:
        """For fork_hook.py, in a forked child: the server and its clients are the parent's."""
        if not self._life.leave_to_parent():
            return
        exit_hook.forget(self)
        self._sessions.clear()
        self._logins.engine = None
        if self._engine is not None:
            self._engine.disown()
            self._engine = None

    def _refuse_inherited(self) -> None:
        if self._life.state is State.INHERITED:
            raise ServerStateError(f"the server is {State.INHERITED.value}")

    def _in_callback(self) -> bool:
        engine = self._engine
        return engine is not None and engine.is_worker()

    def _refuse_in_callback(self, call: str) -> None:
        if self._in_callback():
            raise ServerStateError(f"{call}() in a callback would wait for itself for ever")


for _name in _OWN:
    setattr(Server, _name, _Missing())


class _Opening:
    """What a start opens for its server, and what becomes of it."""

    def __init__(self, server: Server, hooks: dict[str, Any]) -> None:
        self._server = server
        self._hooks = hooks
        self._engine: Engine | None = None
        sock = server._settings.sock
        self._sock = None if sock is None else LentSocket(sock)

    def open(self, unwanted: Latch) -> Engine:
        server = self._server
        if self._sock is not None:
            with contextlib.suppress(OSError):  # it has been closed: make_engine says so
                self._sock.lend()
        settings = server._settings

        def make() -> Engine:
            return make_engine(settings, server._sessions, self._hooks)

        return patiently(make, settings.bind_timeout, unwanted)

    def keep(self, engine: Engine) -> None:
        self._engine = engine
        # Callbacks run before `start` returns, and use both.
        self._server._logins.engine = engine
        self._server._engine, self._server._address = engine, engine.address
        if self._sock is not None:
            self._sock.keep()

    def leave(self) -> None:
        if self._sock is not None:
            self._sock.leave()

    def undo(self) -> None:
        # One that was refused because another one serves takes nothing from that.
        if self._engine is not None and self._server._engine is self._engine:
            self._server._engine, self._server._address = None, ()
            self._server._logins.engine = None
        if self._sock is not None:
            self._sock.give_back()
