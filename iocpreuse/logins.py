"""The names that an application gives its clients: Logins."""

import threading
import time
from collections.abc import Hashable
from typing import TYPE_CHECKING

from iocpreuse.errors import LoginConflict, SessionClosed

if TYPE_CHECKING:
    from iocpreuse._engine import Session

CONFLICTS = ("reject", "replace")


class Logins:
    """Who is logged in under which name. Any thread."""

    def __init__(self) -> None:
        """Nobody is here yet."""
        self.logged_in: dict[Hashable, Session] = {}
        self._lock = threading.Lock()  # for logged_in and the sessions' names; a leaf

    def _leave_to_parent(self) -> None:
        """In a forked child: nobody is here, and no thread that may hold the lock."""
        self._lock = threading.Lock()
        self.logged_in.clear()

    def login(self, session: "Session", net_id: Hashable, conflict: object = "reject") -> None:
        """What `Session.login` does."""
        if conflict not in CONFLICTS:
            raise ValueError(f"conflict must be 'reject' or 'replace', not {conflict!r}")
        if net_id is None:
            raise ValueError("net_id must be the application's name for the client, not None")
        hash(net_id)  # TypeError where it cannot be a name
        other = None
        if not session.is_closing():
            with self._lock:
                other = self._take_name(session, net_id, replace=conflict == "replace")
        # The end of the session may have come in between, and found no name to take back.
        if session.is_closing():
            self._give_back(session, other)
            raise SessionClosed("the session is closed or closing")
        session._tell_login()
        if other is not None:
            other._replace()

    def _take_name(
        self, session: "Session", net_id: Hashable, *, replace: bool
    ) -> "Session | None":
        other = self.logged_in.get(net_id)
        if other is session:
            return None
        if other is not None and not replace and not other.is_closing():
            raise LoginConflict(f"{net_id!r} is logged in already, as {other!r}")
        if self.logged_in.get(session.net_id) is session:
            del self.logged_in[session.net_id]
        self.logged_in[net_id] = session
        session._set_login(net_id, time.time())
        return other

    def _give_back(self, session: "Session", other: "Session | None") -> None:
        """SESSION has ended before it could take its name over from OTHER, who keeps it."""
        with self._lock:
            if self.logged_in.get(session.net_id) is not session:
                return
            del self.logged_in[session.net_id]
            if other is not None:
                self.logged_in[session.net_id] = other
        # Its end may have come in between as well.
        if other is not None and other.is_closing():
            self.logout(other)

    def logout(self, session: "Session") -> None:
        """The session ends: its name is free, unless another has it. Its net_id stays readable."""
        with self._lock:
            if self.logged_in.get(session.net_id) is session:
                del self.logged_in[session.net_id]
