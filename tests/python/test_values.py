"""Stats and Disconnect are plain values: compared, copied, pickled, made a dict."""

import copy
import dataclasses
import errno
import json
import pickle

import pytest
from peers import WINDOWS, Client

from iocpreuse import CloseReason, Disconnect
from iocpreuse.reason import make_error, plain_ends

WAYS = [
    copy.copy,
    copy.deepcopy,
    *(
        lambda value, protocol=protocol: pickle.loads(pickle.dumps(value, protocol))
        for protocol in range(2, pickle.HIGHEST_PROTOCOL + 1)
    ),
    dataclasses.replace,
]
RESET = 10054 if WINDOWS else errno.ECONNRESET


@pytest.fixture
def stats(serve):
    server = serve()
    with Client(server.address) as client:
        client.ask(b"x")
    server.next_end()
    server.stop()
    return server.stats()


@pytest.mark.parametrize("way", WAYS)
def test_stats(stats, way):
    other = way(stats)
    assert other == stats
    assert other is not stats
    assert hash(other) == hash(stats)
    assert other.closed_by_reason == {CloseReason.PEER_EOF: 1}
    assert other.replaced_by_cause == stats.replaced_by_cause
    assert other != dataclasses.replace(stats, completions=stats.completions + 1)
    for change in (
        lambda counts: counts.update(x=1),
        lambda counts: counts.clear(),
        lambda counts: counts.pop(CloseReason.PEER_EOF),
        lambda counts: counts.popitem(),
        lambda counts: counts.setdefault(CloseReason.REFUSED, 1),
        lambda counts: counts.__setitem__(CloseReason.REFUSED, 1),
        lambda counts: counts.__delitem__(CloseReason.PEER_EOF),
        lambda counts: counts.__ior__({CloseReason.REFUSED: 1}),
    ):
        with pytest.raises(TypeError, match="cannot be changed"):
            change(other.closed_by_reason)


def test_stats_as_a_dict(stats):
    figures = dataclasses.asdict(stats)
    assert figures["closed_by_reason"] == {CloseReason.PEER_EOF: 1}
    assert dataclasses.astuple(stats)[0] == stats.connections_active
    figures["closed_by_reason"] = {
        reason.value: count for reason, count in figures["closed_by_reason"].items()
    }
    assert json.loads(json.dumps(figures))["closed_by_reason"] == {"peer_eof": 1}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    "why",
    [
        Disconnect(CloseReason.PEER_EOF, "peer", 0, None, 0),
        Disconnect(CloseReason.PEER_RESET, "peer", 0xC000020D, make_error(RESET), 7),
        Disconnect(CloseReason.FRAME_ERROR, "local", None, None, 0, "too long"),
        Disconnect(CloseReason.NETWORK, "stack", None, OSError("of its own kind"), 0),
    ],
)
def test_disconnect(why, way):
    other = way(why)
    assert other == why
    assert hash(other) == hash(why)
    assert other != dataclasses.replace(why, unsent_bytes=8)
    assert other != dataclasses.replace(why, error=make_error(errno.EIO))
    assert type(other.error) is type(why.error)
    assert getattr(other.error, "errno", None) == getattr(why.error, "errno", None)
    assert getattr(other.error, "winerror", None) == getattr(why.error, "winerror", None)


def test_disconnect_is_equal_to_nothing_else():
    assert Disconnect(CloseReason.PEER_EOF, "peer", 0, None, 0) != ("peer",)


def test_there_is_a_plain_end_for_each_reason():
    assert [end.reason for end in plain_ends()] == list(CloseReason)
