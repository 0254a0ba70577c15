"""The exceptions of the package. The extension raises the same classes."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from iocpreuse.session import SessionId


class IocpReuseError(Exception):
    """The base of every exception that only this package raises."""


class ServerStateError(IocpReuseError, RuntimeError):
    """The server's life does not allow the call: a second `start`, an `address` before it."""


class SessionClosed(IocpReuseError, ConnectionError):
    """The session has ended, or its sending side has: nothing more can be sent to this client.

    `session_id` is its id, None in one that the application has made itself. Out of a callback of
    that session it is no error; out of another one's it is, and that session goes on.
    """

    session_id: "SessionId | None" = None


class StaleSession(SessionClosed):
    """The session has ended, and its slot has gone on to another client, who got none of this."""


class LoginConflict(IocpReuseError):
    """Another session is logged in under that net_id."""


class WriteOverflow(IocpReuseError, BlockingIOError):
    """More than `write_limit` bytes would be queued; the session has been aborted.

    `session_id` is its id, None in one that the application has made itself. Out of a callback of
    another session it is an error that does not end that one.
    """

    session_id: "SessionId | None" = None
