"""Names: login, the registries, takeover, on_login."""

import gc
import random
import threading
import weakref

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


class Meddler:
    """A name like any other, but for what happens when it is hashed or compared."""

    def __init__(self, name, meddle, hash_=7):
        self.name = name
        self.meddle = meddle
        self.hash = hash_

    def __hash__(self):
        return self.hash

    def __eq__(self, other):
        self.meddle()
        return isinstance(other, Meddler) and self.name == other.name

    def __repr__(self):
        return f"Meddler({self.name!r})"


def test_a_name_that_is_entered_while_it_is_compared_is_one_name(serve):
    server = serve()
    with Client(server.address), Client(server.address), Client(server.address):
        first, second, third = (server.next_session() for _ in range(3))
        turns = []

        def log_in_amid():
            if not turns:
                turns.append(None)
                second.login(Meddler("new", lambda: None))

        first.login(Meddler("old", log_in_amid))
        with pytest.raises(iocpreuse.LoginConflict, match="new"):
            third.login(Meddler("new", lambda: None))
        assert turns
        assert [key.name for key in server.logged_in] == ["old", "new"]
        assert server.logged_in[Meddler("new", lambda: None)] is second
        assert third.net_id is None


def test_comparing_that_raises_changes_nothing(serve):
    server = serve()

    def fail():
        raise ZeroDivisionError

    with Client(server.address), Client(server.address):
        first, second = server.next_session(), server.next_session()
        first.login(Meddler("one", fail))
        with pytest.raises(ZeroDivisionError):
            second.login(Meddler("two", lambda: None))
        with pytest.raises(ZeroDivisionError):
            server.logged_in.get(Meddler("two", lambda: None))
        assert second.net_id is None
        assert len(server.logged_in) == 1
        assert list(server.logged_in.values()) == [first]


def test_names_that_collect_log_in_and_close_while_they_are_compared(serve):
    """Names with one hash, from several threads: each has one session, and none is left."""
    server = serve(workers=3)
    clients = [Client(server.address) for _ in range(6)]
    sessions = [server.next_session() for _ in clients]
    conflicts = []

    def visit(number):
        random_ = random.Random(number)
        deep = threading.local()

        def meddle():
            if getattr(deep, "is_in", False):
                return
            deep.is_in = True
            try:
                choice = random_.randrange(12)
                if choice == 0:
                    gc.collect()
                elif choice == 1:
                    log_in(random_.choice(sessions))
                elif choice == 2:
                    list(server.logged_in.items())
            finally:
                deep.is_in = False

        def log_in(session):
            name = Meddler(random_.randrange(4), meddle)
            weakref.finalize(name, meddle)
            try:
                session.login(name, conflict=random_.choice(("reject", "replace")))
            except iocpreuse.LoginConflict:
                conflicts.append(number)
            except iocpreuse.SessionClosed:
                pass

        for _ in range(40):
            log_in(sessions[number])
            names = [name.name for name in server.logged_in]
            assert len(names) == len(set(names))

    in_threads(6, visit)
    for client in clients:
        client.close()
    wait_until(lambda: not server.sessions)
    assert dict(server.logged_in) == {}
    assert len(server.logged_in) == 0


def test_a_name_is_let_go_of_with_its_session(serve):
    class Name:
        pass

    server = serve()
    with Client(server.address):
        session = server.next_session()
        name, other = Name(), Name()
        session.login(name)
        session.login(other)
        gone, kept = weakref.ref(name), weakref.ref(other)
        del name, other
        wait_until(lambda: gone() is None, "the end of a name that nobody has")
        assert session.net_id is kept()
    server.next_end()
    del session

    def is_gone():
        gc.collect()  # without a GIL what an idle worker has made is freed by it, or by this
        return kept() is None

    wait_until(is_gone, "the end of a name whose session has ended")
