"""Why a session ended: CloseReason and Disconnect."""

import enum
import os
import socket
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final, Literal

from iocpreuse.framing import Framing

Initiator = Literal["peer", "local", "stack"]


class CloseReason(enum.Enum):
    """What ended a session. The first cause wins; what follows from it is not reported."""

    PEER_EOF = "peer_eof"  # the client closed its side, and has its whole answer
    PEER_RESET = "peer_reset"  # the client reset the connection
    NETWORK = "network"  # the way to the client failed: unreachable, timed out, no resources
    LOCAL_CLOSE = "local_close"  # Session.close()
    LOCAL_ABORT = "local_abort"  # Session.abort()
    WRITE_OVERFLOW = "write_overflow"  # more than write_limit bytes were queued
    CALLBACK_ERROR = "callback_error"  # one of its callbacks raised
    REFUSED = "refused"  # on_connect returned False
    SHUTDOWN = "shutdown"  # the server stopped
    REPLACED = "replaced"  # another session logged in with its net_id, and took it over
    FIRST_BYTE_TIMEOUT = "first_byte_timeout"  # it connected and said nothing
    LOGIN_TIMEOUT = "login_timeout"  # it connected, and there was no login() for it
    IDLE_TIMEOUT = "idle_timeout"  # nothing came from it or went to it
    MESSAGE_TIMEOUT = "message_timeout"  # it began a message and did not end it
    FRAME_ERROR = "frame_error"  # what it sent breaks the server's framing
    HANDSHAKE_TIMEOUT = "handshake_timeout"  # its TLS handshake took too long
    TLS_ERROR = "tls_error"  # what it sent is no TLS, or the two sides could not agree
    TRUNCATED = "truncated"  # it closed its side without TLS's goodbye: something may be missing


@dataclass(frozen=True, slots=True)
class Disconnect:
    """How a session ended, the argument of `Server.on_disconnect`.

    `initiator` is who began it: the peer, this program, or the TCP stack between them.
    `ntstatus` is the NTSTATUS as it stood in OVERLAPPED.Internal (0 for a client's FIN), or None
    where no operation told of the end, and always off Windows. `error` is the failure as Python
    names it (with `errno`, and `winerror` on Windows), or None. `unsent_bytes` counts what was
    queued and never handed to the stack, and what the client's TCP is known not to have
    acknowledged when the session was cut; 0 says nothing about what the client has read. `detail`
    says in words what was wrong with a message (FRAME_ERROR), or with TLS (TLS_ERROR); else it is
    None.
    """

    reason: CloseReason
    initiator: Initiator
    ntstatus: int | None
    error: OSError | None
    unsent_bytes: int
    detail: str | None = None

    def _plain(self) -> tuple[Any, ...]:
        """What it tells, the error by its text: exceptions are equal only to themselves."""
        error = self.error
        said = None if error is None else (type(error), _code(error), *error.args)
        return self.reason, self.initiator, self.ntstatus, said, self.unsent_bytes, self.detail

    def __eq__(self, other: object) -> bool:
        """Whether both tell the same end."""
        return self._plain() == other._plain() if isinstance(other, Disconnect) else NotImplemented

    def __hash__(self) -> int:
        """By what is told."""
        return hash(self._plain())

    def __reduce__(self) -> tuple[Any, ...]:
        """With the error by its number: Python's way forgets a winerror."""
        made = self.error is not None and self.error.args == make_error(_code(self.error)).args
        error = _code(self.error) if self.error is not None and made else self.error
        rest = (self.unsent_bytes, self.detail)
        return _restore, (self.reason, self.initiator, self.ntstatus, error, *rest)


def _code(error: OSError) -> int:
    code: int | None = getattr(error, "winerror", None)
    return (error.errno or 0) if code is None else code


def _restore(
    reason: CloseReason,
    initiator: Initiator,
    ntstatus: int | None,
    error: OSError | int | None,
    unsent_bytes: int,
    detail: str | None,
) -> Disconnect:
    made = make_error(error) if isinstance(error, int) else error
    return Disconnect(reason, initiator, ntstatus, made, unsent_bytes, detail)


# The indexes that the engine counts by (csrc/engine/life/reason.h).
_REASONS: Final = tuple(CloseReason)
_INITIATORS: Final[tuple[Initiator, ...]] = ("peer", "local", "stack")
_WINDOWS: Final = os.name == "nt"


@lru_cache(maxsize=256)
def _error_text(code: int) -> str:
    """What the system says about an error: an errno, or on Windows a Winsock code."""
    # The C library of Windows does not know Winsock's codes, socket.errorTab does.
    winsock: dict[int, str] = getattr(socket, "errorTab", {})
    return winsock.get(code) or os.strerror(code)


def make_error(code: int) -> OSError:
    """The OSError (of the right subclass) for an errno, or on Windows for a Winsock code."""
    if _WINDOWS:
        return OSError(None, _error_text(code), None, code)
    return OSError(code, _error_text(code))


def name_reasons(counts: dict[int, int]) -> dict[CloseReason, int]:
    """Counts by the engine's indexes, by CloseReason."""
    return {_REASONS[index]: count for index, count in counts.items()}


# What OpenSSL says: its code, library, reason, and of a certificate its verify code and what that
# means; or what the ssl module raised.
TlsFault = tuple[int, str | None, str | None, int, str | None] | BaseException | None


def describe_tls(fault: TlsFault) -> str:
    """What FAULT is, in words."""
    if fault is None:
        return "the client went away"
    if isinstance(fault, BaseException):
        return str(fault) or type(fault).__name__
    _, library, reason, _, verify = fault
    said = reason or library or "failed"
    return said if verify is None else f"{said}: {verify}"


_BY_PEER: Final = (CloseReason.PEER_EOF, CloseReason.PEER_RESET, CloseReason.TRUNCATED)


def plain_ends() -> tuple[Disconnect, ...]:
    """A Disconnect for each reason, by the engine's index: for when there is no memory for more."""
    return tuple(
        Disconnect(
            reason,
            "peer" if reason in _BY_PEER else "stack" if reason is CloseReason.NETWORK else "local",
            None,
            None,
            0,
        )
        for reason in _REASONS
    )


def make_disconnect(
    framing: Framing | None,
    reason: int,
    initiator: int,
    ntstatus: int | None,
    error: int,
    unsent_bytes: int,
    fault: int,
    fault_length: int,
    tls: TlsFault = None,
) -> Disconnect:
    """The Disconnect for the engine's figures. `error` is 0 for none, `fault` without a meaning."""
    name = _REASONS[reason]
    faulty = framing is not None and name is CloseReason.FRAME_ERROR
    detail = framing._describe_fault(fault, fault_length) if faulty and framing else None
    if name is CloseReason.TLS_ERROR:
        detail = describe_tls(tls)
    return Disconnect(
        name,
        _INITIATORS[initiator],
        ntstatus,
        make_error(error) if error else None,
        unsent_bytes,
        detail,
    )
