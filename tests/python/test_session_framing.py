"""Session.framing: a stream is cut in another way halfway, and what has come is cut anew."""

import threading

import pytest
from peers import Client, Messages, noise

import iocpreuse
from iocpreuse import CloseReason, Framing


class Upgrades(Messages):
    """Lines, until one that says `binary`; then messages behind their lengths; then no framing."""

    BINARY = Framing.length_prefix(1)

    def on_data(self, session, data):
        session.state.append(data)
        if data == b"binary":
            session.framing = self.BINARY
            assert session.framing is self.BINARY
        elif data == b"plain":
            session.framing = None
        session.send(b"+")


@pytest.mark.parametrize("cut", [1, 2, 5, 1000])
def test_an_upgrade(serve, cut):
    """What stands behind the message that asks for it is cut in the new way, wherever it stands."""
    server = serve(Upgrades, framing=Framing.lines())
    stream = b"one\nbinary\n\3two\0\5plainthe rest\n"
    with Client(server.address) as client:
        for at in range(0, len(stream), cut):
            client.sendall(stream[at : at + cut])
        client.half_close()
        client.receive_all()
    messages, why = server.next_messages()
    assert messages[:5] == [b"one", b"binary", b"two", b"", b"plain"]
    assert b"".join(messages[5:]) == b"the rest\n"
    assert why.reason is CloseReason.PEER_EOF


def test_framing_is_the_servers_at_first(serve):
    lines = Framing.lines()

    class Looks(Messages):
        def on_connect(self, session):
            super().on_connect(session)
            assert session.framing is lines

        def on_disconnect(self, session, why):
            assert session.framing is None
            super().on_disconnect(session, why)

        def on_data(self, session, data):
            session.framing = None
            session.send(b"+")

    server = serve(Looks, framing=lines)
    with Client(server.address) as client:
        client.sendall(b"go\n")
        assert client.receive(1) == b"+"
    server.next_end()
    assert server.errors == []


def test_framing_set_when_a_client_comes(serve):
    class Picks(Messages):
        def on_connect(self, session):
            super().on_connect(session)
            session.framing = Framing.fixed(2)

    server = serve(Picks)
    with Client(server.address) as client:
        client.sendall(b"aabbc")
        assert client.receive(4) == b"+a+b"
        client.half_close()
        messages, why = server.next_messages()
    assert messages == [b"aa", b"bb"]
    assert "in the middle of a message (1 bytes)" in why.detail


def test_what_is_kept_is_cut_anew(serve):
    """on_login comes from another thread, while the beginning of a message is kept."""
    told = threading.Event()

    class Logs(Messages):
        def on_login(self, session):
            session.framing = Framing.fixed(3)
            told.set()

    server = serve(Logs, framing=Framing.lines())
    with Client(server.address) as client:
        session = server.next_session()
        client.sendall(b"line\nabcde")
        assert client.receive(2) == b"+l"
        while session.bytes_received < 10:
            client.sendall(b"")  # the rest of the segment is on its way
        session.login("name")
        assert told.wait(30)
        assert client.receive(2) == b"+a"
        client.sendall(b"f")
        assert client.receive(2) == b"+d"
    assert server.next_messages()[0] == [b"line", b"abc", b"def"]


def test_messages_are_sent_in_the_new_framing(serve):
    class Sends(Messages):
        def on_data(self, session, data):
            session.send_message(b"old")
            session.framing = Framing.length_prefix(2)
            session.send_message(b"new")
            assert self.send_message(session.id, b"x" * 3000)

    server = serve(Sends, framing=Framing.lines())
    with Client(server.address) as client:
        client.sendall(b"go\n")
        assert client.receive(9 + 3002) == b"old\n" + b"\0\3new" + b"\x0b\xb8" + b"x" * 3000
    assert server.errors == []


def test_large_messages_are_cut_anew(serve):
    """Without a framing they are received straight into objects, which a framing shares."""
    framing = Framing.length_prefix(4)
    payload = noise(40_000)

    class Picks(Messages):
        total = 0

        def on_data(self, session, data):
            session.state.append(data)
            self.total += len(data)
            if self.total == 2_000_000:
                session.framing = framing
                session.send(b"!")
            elif data == b"end":
                session.framing = None

    server = serve(Picks, read_size=65536)
    with Client(server.address) as client:
        client.sendall(b"\0" * 2_000_000)
        assert client.receive(1) == b"!"
        client.sendall(framing.pack(payload) * 20 + framing.pack(b"end") + noise(300_000))
        client.half_close()
        client.receive_all()
    messages, why = server.next_messages()
    at = messages.index(b"end")
    assert messages[at - 20 : at] == [payload] * 20
    assert b"".join(messages[at + 1 :]) == noise(300_000)
    assert why.reason is CloseReason.PEER_EOF


def test_framing_in_another_place(serve):
    seen = []

    class Meddles(Messages):
        def on_data(self, session, data):
            other = next(each for each in self.sessions.values() if each is not session)
            for value, target in ((None, other), ("lines", session)):
                try:
                    target.framing = value
                except (RuntimeError, TypeError) as error:
                    seen.append(str(error))
            session.send(b"+")

        def on_disconnect(self, session, why):
            try:
                session.framing = None
            except iocpreuse.SessionClosed as error:
                seen.append(type(error).__name__)
            super().on_disconnect(session, why)

    server = serve(Meddles, framing=Framing.lines())
    with Client(server.address) as client, Client(server.address):
        session = server.next_session()
        server.next_session()
        with pytest.raises(RuntimeError, match=r"of the same session only, not outside of callb"):
            session.framing = None
        with pytest.raises(TypeError, match="cannot be deleted"):
            del session.framing
        client.sendall(b"go\n")
        assert client.receive(1) == b"+"
    server.next_end()
    server.next_end()
    with pytest.raises(RuntimeError, match="not outside"):
        session.framing = None
    assert seen[0] == (
        "framing can be set in a callback of the same session only, not in another one's"
    )
    assert seen[1] == "framing must be a Framing or None"
    assert seen[2:] == ["SessionClosed"] * 2
    assert server.errors == []


def test_many_upgrades_at_once(serve):
    """Each client goes through all framings again and again; nothing is lost or cut wrong."""
    framings = [Framing.lines(), Framing.length_prefix(2), Framing.fixed(5), Framing.length_field()]

    class Rounds(Messages):
        def on_data(self, session, data):
            session.state.append(data)
            session.framing = framings[len(session.state) % len(framings)]
            session.send(b"+")

    server = serve(Rounds, framing=framings[0], workers=4)
    messages = [b"line", b"prefix", b"fixed", b"\0\2hi"]
    wires = [b"line\n", b"\0\6prefix", b"fixed", b"\0\2hi"]
    stream = b"".join(wires * 50)
    clients = [Client(server.address) for _ in range(20)]
    for at in range(0, len(stream), 37):
        for client in clients:
            client.sendall(stream[at : at + 37])
    for client in clients:
        assert client.receive(200) == b"+" * 200
        client.half_close()
    for client in clients:
        assert server.next_messages()[0] == messages * 50
        client.close()
