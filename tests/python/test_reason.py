"""From the engine's figures to Disconnect."""

import dataclasses
import errno
import os

import pytest
from peers import WINDOWS

from iocpreuse import CloseReason, Disconnect
from iocpreuse.reason import make_disconnect


def make(reason, initiator=0, ntstatus=None, error=0, unsent_bytes=0):
    return make_disconnect(None, reason, initiator, ntstatus, error, unsent_bytes, 0, 0)


def test_every_reason_has_its_index():
    """In the order of csrc/engine/life/reason.h."""
    for index, reason in enumerate(CloseReason):
        assert make(index).reason is reason
    with pytest.raises(IndexError):
        make(len(CloseReason))


def test_disconnect():
    why = make(1, 2, 0xC000020D, errno.ECONNRESET, 7)
    assert why.reason is CloseReason.PEER_RESET
    assert why.initiator == "stack"
    assert why.ntstatus == 0xC000020D
    assert why.unsent_bytes == 7
    assert isinstance(why.error, ConnectionResetError)
    assert why.error.errno == errno.ECONNRESET
    with pytest.raises(dataclasses.FrozenInstanceError):
        why.reason = CloseReason.PEER_EOF
    assert not hasattr(why, "__dict__")


def test_no_error():
    assert make(0) == Disconnect(CloseReason.PEER_EOF, "peer", None, None, 0)


@pytest.mark.skipif(not WINDOWS, reason="Winsock codes")
@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (10054, ConnectionResetError),
        (10053, ConnectionAbortedError),
        (10061, ConnectionRefusedError),
        (10060, OSError),
        (10055, OSError),
    ],
)
def test_winsock_codes(code, kind):
    error = make(2, 2, 0xC0000001, code).error
    assert isinstance(error, kind)
    assert error.winerror == code
    assert error.strerror
    assert "Unknown" not in error.strerror


@pytest.mark.skipif(WINDOWS, reason="errno codes")
@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (errno.ECONNRESET, ConnectionResetError),
        (errno.EPIPE, BrokenPipeError),
        (errno.ETIMEDOUT, TimeoutError),
        (errno.EHOSTUNREACH, OSError),
    ],
)
def test_errno_codes(code, kind):
    error = make(2, 2, None, code).error
    assert isinstance(error, kind)
    assert (error.errno, error.strerror) == (code, os.strerror(code))
