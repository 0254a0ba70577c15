"""What becomes of a SessionClosed that leaves a callback: of one's own client, or of another."""

import threading

import pytest
from peers import Client, Recorder, wait_until

import iocpreuse
from iocpreuse import CloseReason, SessionClosed, WriteOverflow


class Sends(Recorder):
    """Each client says whom it is; "to NAME" sends to another one, as a careless chat would."""

    def __init__(self, *arguments, **options):
        super().__init__(*arguments, **options)
        self.members = {}

    def on_data(self, session, data):
        word, _, name = data.decode().partition(" ")
        if word == "i":
            session.state = name
            self.members[name] = session
        elif word == "to":
            self.members[name].send(b"from " + session.state.encode())
        elif word == "close":
            session.close()
            session.send(b"too late")
        session.send(b"ok")


def join(server, stack, name):
    client = stack.enter_context(Client(server.address))
    client.sendall(f"i {name}".encode())
    assert client.receive(2) == b"ok"
    return client


def leave(server, client):
    client.close()
    return server.next_end()[0]


def test_of_another_session_it_is_an_error_and_the_sender_goes_on(serve, stack):
    server = serve(Sends)
    gone = leave(server, join(server, stack, "gone"))
    live = join(server, stack, "live")
    live.sendall(b"to gone")
    wait_until(lambda: server.errors)
    session, where, exc = server.errors[0]
    assert session is server.members["live"]
    assert where == "on_data"
    assert isinstance(exc, SessionClosed)
    assert exc.session_id == gone.id
    assert server.stats().callback_errors == 1
    assert live.ask(b"ok") == b"ok"  # it has not been ended for that


def test_of_ones_own_session_it_is_no_error(serve, stack):
    server = serve(Sends)
    client = join(server, stack, "one")
    client.sendall(b"close")
    assert client.receive_all() == b""
    session, why = server.next_end()
    assert why.reason is CloseReason.LOCAL_CLOSE
    with pytest.raises(SessionClosed) as caught:
        session.send(b"x")
    assert caught.value.session_id == session.id
    assert server.errors == []
    assert server.stats().callback_errors == 0


def test_one_of_the_applications_own_is_an_error(serve, stack):
    class Raises(Recorder):
        def on_data(self, session, data):
            session.close()
            raise SessionClosed("about something else entirely")

    server = serve(Raises)
    stack.enter_context(Client(server.address)).sendall(b"x")
    server.next_end()
    assert [(where, exc.session_id) for _, where, exc in server.errors] == [("on_data", None)]


def test_none_is_a_farewell_when_the_end_is_told(serve, stack):
    class Late(Recorder):
        def on_disconnect(self, session, why):
            super().on_disconnect(session, why)
            session.send(b"bye")

    server = serve(Late)
    leave(server, stack.enter_context(Client(server.address)))
    wait_until(lambda: server.errors)
    assert [(where, type(exc)) for _, where, exc in server.errors] == [
        ("on_disconnect", SessionClosed)
    ]


def test_on_disconnect_that_tells_others(serve, stack):
    """The loop over members as the guide writes it: one who has gone hides nobody behind him."""
    told = threading.Event()

    class Chat(Sends):
        def on_disconnect(self, session, why):
            super().on_disconnect(session, why)
            if session.state == "leaver":
                for other in self.members.values():
                    self.send(other.id, b"bye")
                told.set()

    server = serve(Chat)
    leave(server, join(server, stack, "gone"))
    live = join(server, stack, "live")
    leave(server, join(server, stack, "leaver"))
    assert told.wait(30)
    assert live.receive(3) == b"bye"
    assert server.errors == []


def test_login_and_begin_say_whom_they_are_about(serve, stack):
    server = serve(Sends)
    gone = leave(server, join(server, stack, "gone"))
    for call in (lambda: gone.login("x"), gone.begin, lambda: gone.send(b"x")):
        with pytest.raises(SessionClosed) as caught:
            call()
        assert caught.value.session_id == gone.id
    server.stop()
    with pytest.raises(SessionClosed) as caught:
        gone.begin()
    assert caught.value.session_id == gone.id


def test_an_overflow_of_another_session_does_not_end_the_sender(serve, stack):
    class Floods(Sends):
        def on_data(self, session, data):
            if data == b"flood":
                while True:
                    self.members["slow"].send(bytes(100_000))
            super().on_data(session, data)

    server = serve(Floods, write_limit=1_000_000)
    join(server, stack, "slow")
    slow = server.members["slow"]
    flooder = join(server, stack, "flooder")
    flooder.sendall(b"flood")
    ended, why = server.next_end()
    assert ended is slow
    assert why.reason is CloseReason.WRITE_OVERFLOW
    wait_until(lambda: server.errors)
    (session, _, exc) = server.errors[0]
    assert session is server.members["flooder"]
    assert isinstance(exc, WriteOverflow)
    assert exc.session_id == slow.id
    assert flooder.ask(b"ok") == b"ok"


def test_an_exception_of_the_applications_own_has_no_session():
    assert SessionClosed("x").session_id is None
    assert iocpreuse.StaleSession().session_id is None
    assert WriteOverflow("x").session_id is None
