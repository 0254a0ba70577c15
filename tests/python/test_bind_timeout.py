"""The option bind_timeout: an address that is in use is tried again, until it is free."""

import _thread
import errno
import signal
import socket
import threading
import time

import pytest
from peers import WINDOWS, Client, Recorder, in_threads

from iocpreuse import ServerStateError
from iocpreuse.engine import make_engine

LONG = 3600.0


@pytest.fixture
def holder():
    """A socket that has an address."""
    with socket.create_server(("127.0.0.1", 0)) as sock:
        yield sock


@pytest.fixture
def refused(monkeypatch):
    """Calls what is appended to it, once for each time that the address was in use."""
    calls = []

    def make(*arguments):
        try:
            return make_engine(*arguments)
        except OSError:
            if calls:
                calls.pop(0)()
            raise

    monkeypatch.setattr("iocpreuse.server.make_engine", make)
    return calls


def test_it_starts_as_soon_as_the_address_is_free(holder, refused):
    host, port = holder.getsockname()
    refused += [lambda: None, holder.close]
    with Recorder(host, port, bind_timeout=LONG) as server:
        assert not refused
        with Client(server.address) as client:
            assert client.ask(b"x") == b"x"


def test_without_it_the_first_refusal_is_the_last(holder, refused):
    refused += [lambda: None, holder.close]
    with pytest.raises(OSError, match="listen on") as caught:
        Recorder(*holder.getsockname()).start()
    assert len(refused) == 1
    assert "bind_timeout" not in str(caught.value)


def test_the_error_says_how_long_it_was_tried(holder):
    begun = time.monotonic()
    host, port = holder.getsockname()
    server = Recorder(host, port, bind_timeout=0.2)
    with pytest.raises(OSError, match=r"tried for 0.2 s of bind_timeout=0.2") as caught:
        server.start()
    assert time.monotonic() - begun >= 0.2
    assert f"listen on 127.0.0.1 port {port}: " in str(caught.value)
    if getattr(caught.value, "winerror", None) is None:
        assert caught.value.errno == errno.EADDRINUSE
    holder.close()
    with server:  # a start that failed may be tried again
        assert server.address[1] == port


def test_another_error_is_told_at_once(refused):
    refused += [lambda: None, lambda: None]
    with pytest.raises(OSError, match="listen on"):
        Recorder("192.0.2.1", 0, bind_timeout=LONG).start()
    assert len(refused) == 1


def test_a_stop_ends_it(holder, refused):
    host, port = holder.getsockname()
    waits = threading.Event()
    refused.append(waits.set)
    server = Recorder(host, port, bind_timeout=LONG)

    def start():
        with pytest.raises(OSError, match=r"of bind_timeout=3600"):
            server.start()

    def stop():
        assert waits.wait(60)
        server.stop()

    in_threads(2, lambda number: (start, stop)[number]())
    with pytest.raises(ServerStateError, match="stopped"):
        server.start()


def interrupt():
    """A Ctrl-C. Only a real signal wakes a main thread that waits on Linux."""
    if WINDOWS:
        _thread.interrupt_main()
    else:
        signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)


def test_an_interrupt_ends_it(holder, refused):
    host, port = holder.getsockname()
    refused.append(interrupt)
    server = Recorder(host, port, bind_timeout=LONG)
    before = threading.active_count()
    with pytest.raises(KeyboardInterrupt):
        server.start()
    assert threading.active_count() == before
    holder.close()
    with server:
        assert server.address[1] == port
