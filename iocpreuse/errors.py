"""The exceptions of the package. The extension raises the same classes."""


class IocpReuseError(Exception):
    """The base of every exception that only this package raises."""


class ServerStateError(IocpReuseError, RuntimeError):
    """The server's life does not allow the call: a second `start`, an `address` before it."""


class SessionClosed(IocpReuseError, ConnectionError):
    """The session has ended, or its sending side has: nothing more can be sent to this client."""


class StaleSession(SessionClosed):
    """The session has ended, and its slot has gone on to another client, who got none of this."""


class LoginConflict(IocpReuseError):
    """Another session is logged in under that net_id."""


class WriteOverflow(IocpReuseError, BlockingIOError):
    """More than `write_limit` bytes would be queued; the session has been aborted."""
