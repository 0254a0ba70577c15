"""Names: login, the registries, takeover, on_login."""

import threading

import pytest
from peers import Client, Recorder, in_threads, wait_until

import iocpreuse


class Names(Recorder):
    """Logs in whom a client says it is: "name" or "name!" to take it over."""

    def on_data(self, session, data):
        name = data.decode()
        try:
            session.login(name.rstrip("!"), conflict="replace" if name.endswith("!") else "reject")
        except iocpreuse.LoginConflict:
            session.send(b"taken")

    def on_login(self, session):
        session.send(b"hello " + session.net_id.encode())


def test_login_moves_a_client_between_the_registries(serve):
    server = serve(Names)
    with Client(server.address) as client:
        session = server.next_session()
        assert session.net_id is None
        assert session.logged_in_at is None
        nameless = server.connected_only
        assert dict(nameless) == {session.id: session}
        assert session.id in nameless
        assert nameless[session.id] is session
        assert len(nameless) == 1
        assert list(nameless) == list(nameless.keys()) == [session.id]
        assert list(nameless.values()) == [session]
        assert dict(server.logged_in) == {}
        assert client.ask(b"alice____")[:5] == b"hello"
        assert session.net_id == "alice____"
        assert session.logged_in_at >= session.connected_at
        assert dict(server.logged_in) == {"alice____": session}
        assert dict(nameless) == {}
        assert len(nameless) == 0
        assert session.id not in nameless
        assert nameless.get(session.id) is None
        assert server.get(session.id) is session
    ended, _why = server.next_end()
    assert ended is session
    assert session.net_id == "alice____"
    assert dict(server.logged_in) == dict(server.sessions) == {}


def test_a_taken_name_is_a_conflict(serve):
    server = serve(Names)
    with Client(server.address) as first, Client(server.address) as second:
        first.sendall(b"bob")
        assert first.receive(9) == b"hello bob"
        second.sendall(b"bob")
        assert second.receive(5) == b"taken"
        second.sendall(b"bill")
        assert second.receive(10) == b"hello bill"
        assert set(server.logged_in) == {"bob", "bill"}


def test_takeover_ends_the_other_session_with_replaced(serve):
    server = serve(Names)
    with Client(server.address) as first, Client(server.address) as second:
        first.sendall(b"bob")
        assert first.receive(9) == b"hello bob"
        old = server.logged_in["bob"]
        second.sendall(b"bob!")
        assert second.receive(9) == b"hello bob"
        assert first.is_ended() == "fin"
        first.close()
        session, why = server.next_end()
        assert session is old
        assert why.reason is iocpreuse.CloseReason.REPLACED
        assert why.initiator == "local"
        assert server.logged_in["bob"] is not old
        assert len(server.logged_in) == 1


def test_another_login_of_the_same_session_renames_it(serve):
    server = serve(Names)
    with Client(server.address) as client:
        client.sendall(b"one")
        assert client.receive(9) == b"hello one"
        client.sendall(b"two")
        assert client.receive(9) == b"hello two"
        assert list(server.logged_in) == ["two"]


def test_login_of_a_session_that_has_ended(serve):
    server = serve()
    Client(server.address).close()
    session, _why = server.next_end()
    with pytest.raises(iocpreuse.SessionClosed):
        session.login("late")
    assert dict(server.logged_in) == {}


@pytest.mark.parametrize(
    ("arguments", "options", "error"),
    [
        ((None,), {}, ValueError),
        (([],), {}, TypeError),
        ((), {}, TypeError),
        (("x",), {"conflict": "fight"}, ValueError),
        (("x", "replace"), {}, TypeError),
    ],
)
def test_bad_arguments_of_login(serve, arguments, options, error):
    server = serve()
    with Client(server.address):
        session = server.next_session()
        with pytest.raises(error):
            session.login(*arguments, **options)
        assert session.net_id is None


def test_on_login_does_not_overlap_the_callback_that_logs_in(serve):
    seen = []

    class Slow(Recorder):
        def on_data(self, session, data):
            other = threading.Thread(target=session.login, args=("name",))
            other.start()
            other.join()
            seen.append("on_data ends")

        def on_login(self, session):
            seen.append("on_login")
            session.send(b"!")

    server = serve(Slow)
    with Client(server.address) as client:
        assert client.ask(b"x") == b"!"
    assert seen == ["on_data ends", "on_login"]


class EndsItsSession:
    """A name, equal to "alice", that closes a session when it is compared with the other's."""

    def __init__(self, session):
        self.session = session

    def __hash__(self):
        return hash("alice")

    def __eq__(self, other):
        self.session.close()
        return other == "alice"


@pytest.mark.parametrize("ends", ["before", "amid"])
def test_a_session_that_has_ended_takes_no_name_over(serve, ends):
    server = serve(Names)
    with Client(server.address) as client, Client(server.address) as late:
        assert client.ask(b"alice") == b"hello"
        owner = server.logged_in["alice"]
        session = next(iter(server.connected_only.values()))
        if ends == "before":
            session.close()
        name = "alice" if ends == "before" else EndsItsSession(session)
        with pytest.raises(iocpreuse.SessionClosed):
            session.login(name, conflict="replace")
        assert late.receive_all() == b""
        assert dict(server.logged_in) == {"alice": owner}
        assert not owner.is_closing()
        assert client.receive(6) == b" alice"


@pytest.mark.parametrize("behind", ["pipelined", "from a thread"])
def test_on_login_comes_before_the_messages_behind_the_login(serve, behind):
    seen = []

    class Lines(Recorder):
        def on_data(self, session, line):
            seen.append(line)
            if line == b"login":
                if behind == "pipelined":
                    session.login("bob")
                else:
                    in_threads(1, lambda number: session.login("bob"))
            elif line == b"third":
                session.send(b"!")

        def on_login(self, session):
            seen.append("on_login")

    server = serve(Lines, framing=iocpreuse.Framing.lines())
    with Client(server.address) as client:
        client.sendall(b"zero\nlogin\nfirst\nsecond\nthird\n")
        assert client.receive(1) == b"!"
    assert seen == [b"zero", b"login", "on_login", b"first", b"second", b"third"]


def test_a_paused_session_hears_of_its_login_only(serve):
    told = threading.Event()
    seen = []

    class Lines(Recorder):
        def on_data(self, session, line):
            seen.append(line)
            if line == b"login":
                session.pause_reading()
                session.login("bob")
            else:
                session.send(b"!")

        def on_login(self, session):
            seen.append("on_login")
            told.set()

    server = serve(Lines, framing=iocpreuse.Framing.lines())
    with Client(server.address) as client:
        session = server.next_session()
        client.sendall(b"login\nfirst\n")
        assert told.wait(30)
        session.login("bill")
        session.resume_reading()
        assert client.receive(1) == b"!"
    assert [each for each in seen if each != "on_login"] == [b"login", b"first"]
    assert seen.count("on_login") == 2


def test_logins_while_clients_come_and_go(serve):
    server = serve(Names, workers=3)

    def visit(number):
        for turn in range(60):
            with Client(server.address) as client:
                client.sendall(b"%d!" % (turn % 4))
                if number % 2:
                    client.reset()
                else:
                    assert client.receive(5) in (b"hello", b"")

    in_threads(6, visit)
    wait_until(lambda: not server.sessions)
    assert dict(server.logged_in) == dict(server.connected_only) == {}
    assert [e for e in server.errors if not isinstance(e[2], iocpreuse.SessionClosed)] == []


class RttAtTheEnd(Recorder):
    def on_disconnect(self, session, why):
        self.last_rtt = session.rtt
        super().on_disconnect(session, why)


def test_priority_and_rtt(serve):
    server = serve(RttAtTheEnd)
    with Client(server.address) as client:
        session = server.next_session()
        assert session.priority == 0
        session.priority = -3
        assert session.priority == -3
        with pytest.raises(TypeError):
            session.priority = "high"
        with pytest.raises(TypeError):
            del session.priority
        for number in (2**31, -(2**31) - 1, 2**100):
            with pytest.raises(OverflowError):
                session.priority = number
        assert session.priority == -3
        for number in (2**31 - 1, -(2**31)):
            session.priority = number
            assert session.priority == number
        assert client.ask(b"x") == b"x"
        assert session.rtt is None or 0 < session.rtt < 10
    server.next_end()
    assert server.last_rtt is None or 0 < server.last_rtt < 10
    wait_until(lambda: session.rtt is None, "the return of on_disconnect")
