"""Requests that outlive their clients: Pending, Aborted, and the book of them."""

import threading
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from iocpreuse.errors import ServerStateError, SessionClosed

if TYPE_CHECKING:
    from typing_extensions import Buffer

    from iocpreuse._engine import Session
    from iocpreuse.session import SessionId


class Pending:
    """A request the application is still working on when its client may already be gone.

    `Session.begin` makes one; `tag` and `request` are the application's own. `aborted` is True
    once it is certain that nobody gets the answer.
    """

    __slots__ = ("_answered", "_book", "_left", "_owner", "_replying", "aborted", "request", "tag")

    def __init__(
        self, book: "PendingBook", owner: "Session", tag: Hashable, request: bytes | None
    ) -> None:
        """Made by `Session.begin` only."""
        self._book = book
        self._owner = owner
        self._answered = False  # or, while _replying, about to be
        self._replying = False
        self._left = False  # nobody has it, if that reply fails
        self.tag = tag
        self.request = request
        self.aborted = False

    @property
    def session_id(self) -> "SessionId":
        """Whose answer it is: another one's after a hand-off."""
        return self._owner.id

    def reply(self, data: "Buffer") -> bool:
        """Answers it: DATA goes to its client. Any thread.

        False once that client is gone, and then not a byte is sent to anyone: either `on_abort`
        hands the request to another session, to whom a later reply() goes, or it is `aborted`.
        An answered request is closed; a second reply is a ServerStateError.
        """
        return self._book.reply(self, data)

    def handoff(self, to: "Session | Hashable") -> bool:
        """Makes another session the one that gets the answer: a Session, or a net_id. Any thread.

        False if that one is not there; then nothing has changed.
        """
        return self._book.handoff(self, to)

    def __repr__(self) -> str:
        """Its tag and how it stands."""
        how = "aborted" if self.aborted else "answered" if self._answered else "open"
        return f"<Pending {self.tag!r} for {self.session_id:#x} {how}>"


@dataclass(frozen=True, slots=True)
class Aborted:
    """What a client that has gone leaves behind, the argument of `Server.on_abort`.

    `pending` are the requests that nobody has answered. `unsent` are the whole messages (what
    one send() queued) that never began to go out. `partial`: there are others that the client
    may have in part.
    """

    pending: Sequence[Pending]
    unsent: Sequence[bytes]
    partial: bool


class PendingBook:
    """The open requests of all sessions, by session. Any thread."""

    def __init__(
        self,
        send: "Callable[[SessionId, Buffer], bool]",
        find: "Callable[[Session | Hashable], Session | None]",
    ) -> None:
        """SEND is `Server.send`; FIND tells the session for what handoff() is given."""
        self._send = send
        self._find = find
        self._lock = threading.Lock()  # a leaf
        self._open: dict[SessionId, dict[int, Pending]] = {}

    def _leave_to_parent(self) -> None:
        """In a forked child: the requests are the parent's to answer."""
        self._lock = threading.Lock()
        self._open.clear()

    def begin(self, session: "Session", tag: Hashable, request: bytes | None) -> Pending:
        """What `Session.begin` does."""
        pending = Pending(self, session, tag, request)
        if not self._enter(pending):
            raise SessionClosed("the session is closed or closing")
        return pending

    def _enter(self, pending: Pending) -> bool:
        """Books PENDING for its owner; False if that one is ending, and its book closed."""
        owner = pending._owner
        with self._lock:
            if pending._answered and not pending._replying:
                return True  # while it was in no book
            self._open.setdefault(owner.id, {})[id(pending)] = pending
        owner._set_begun()
        if not owner.is_closing():
            return True
        # If its end has been told in between, close() has taken PENDING along with the others.
        with self._lock:
            return not self._leave(pending)

    def _leave(self, pending: Pending) -> bool:
        """Takes PENDING out of its owner's book; False if it is not there. The lock is held."""
        mine = self._open.get(pending.session_id, {})
        found = mine.pop(id(pending), None) is not None
        if found and not mine:
            del self._open[pending.session_id]
        return found

    def reply(self, pending: Pending, data: "Buffer") -> bool:
        """What `Pending.reply` does."""
        with self._lock:
            if pending._answered:
                raise ServerStateError(f"{pending!r} cannot be answered twice")
            if pending.aborted:
                return False
            pending._answered = pending._replying = True
        sent = False
        try:
            sent = self._send(pending.session_id, data)
        finally:
            with self._lock:
                pending._answered = sent
                pending._replying = False
                pending.aborted = pending._left and not sent
                if sent:
                    self._leave(pending)
        return sent

    def handoff(self, pending: Pending, to: "Session | Hashable") -> bool:
        """What `Pending.handoff` does."""
        owner = self._find(to)
        if owner is None or owner.is_closing():
            return False
        with self._lock:
            if pending._answered or pending.aborted or not self._leave(pending):
                return False
            before, pending._owner = pending._owner, owner
        if self._enter(pending):
            return True
        pending._owner = before
        if not self._enter(pending):
            self._abort(pending)
        return False

    def _abort(self, pending: Pending) -> None:
        """Nobody has PENDING. If it is being answered at this moment, that decides."""
        with self._lock:
            pending._left = pending._replying
            pending.aborted = not pending._answered

    def close(self, session: "Session") -> tuple[Pending, ...]:
        """The open requests of a session that ends; it gets no more."""
        with self._lock:
            return tuple(self._open.pop(session.id, {}).values())

    def settle(self, requests: Sequence[Pending], to: "Session | Hashable") -> None:
        """The session's end has been told: TO takes its REQUESTS; without one they are aborted."""
        owner = None
        try:
            owner = None if to is None else self._find(to)
        finally:
            for pending in requests:
                if owner is not None and not owner.is_closing():
                    pending._owner = owner
                    if self._enter(pending):
                        continue
                self._abort(pending)
