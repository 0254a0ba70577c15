"""Subclasses that cannot be meant so are told so when they start; those that can, work."""

import abc
import functools
import typing
from unittest import mock

import pytest
from peers import Client, Recorder

import iocpreuse
from iocpreuse import ServerStateError


def refused(body, message, *bases):
    """A class with BODY cannot be started, and says MESSAGE; it is not stopped by that."""
    server = type("Wrong", (*bases, iocpreuse.Server), body)("127.0.0.1", 0)
    with pytest.raises(TypeError, match=message):
        server.start()
    assert "not started" in repr(server)


async def coroutine(self, session, data=None):
    pass


async def async_generator(self, session, data):
    yield


def generator(self, session, data):
    yield session.send(data)


class AsyncCall:
    async def __call__(self, session, data):
        pass


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("on_data", coroutine),
        ("on_connect", coroutine),
        ("on_abort", coroutine),
        ("on_data", staticmethod(functools.partial(coroutine, None))),
        ("on_data", AsyncCall()),
        ("on_data", mock.AsyncMock()),
    ],
)
def test_coroutines(name, value):
    refused({name: value}, rf"{name} of Wrong is a coroutine function.*def {name}\(self, session")


@pytest.mark.parametrize("value", [generator, async_generator])
def test_generators(value):
    refused({"on_data": value}, "on_data of Wrong is a generator function")


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("on_recieve", "did you mean on_data?"),
        ("on_message", "did you mean on_data?"),
        ("on_close", "did you mean on_disconnect?"),
        ("on_disconect", "did you mean on_disconnect?"),
        ("on_conect", "did you mean on_connect?"),
        ("on_zzz", "there are on_connect, on_data"),
    ],
)
def test_names_that_are_none(name, meant):
    def helper(self):
        pass

    refused(
        {name: helper},
        f"{name} of Wrong is none of a server's callbacks; {meant}".replace("?", r"\?"),
    )
    refused({}, f"{name} of Mixin", type("Mixin", (), {name: helper}))
    server = Recorder()
    setattr(server, name, helper)
    with pytest.raises(TypeError, match=f"{name} of the Recorder object"):
        server.start()


@pytest.mark.parametrize("value", [5, None, "send"])
def test_what_cannot_be_called(value):
    refused(
        {"on_data": value},
        r"on_data of Wrong must be a function, def on_data\(self, session, data\)",
    )


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("on_data", lambda self, data: None),
        ("on_data", lambda: None),
        ("on_data", lambda self, session, data, more: None),
        ("on_data", lambda self, session, *, data: None),
        ("on_connect", lambda self: None),
        ("on_disconnect", lambda self, session: None),
        ("on_error", lambda self, exc: None),
        ("on_data", staticmethod(lambda self, session, data: None)),
    ],
)
def test_parameters(name, value):
    refused(
        {name: value}, rf"{name} of Wrong takes \(.*\), but it is called with \((self, )?session"
    )


def test_a_mixin_behind_the_server():
    class Mixin:
        def on_data(self, session, data):
            session.send(data)

    class Behind(iocpreuse.Server, Mixin):
        pass

    class Between(Recorder, Mixin):
        """Recorder's own on_data is meant: it is no empty one."""

    class Before(Mixin, iocpreuse.Server):
        pass

    with pytest.raises(
        TypeError, match=r"Mixin.on_data would never be called.*class Behind\(Mixin, Server\)"
    ):
        Behind("127.0.0.1").start()
    for each in (Between, Before):
        with each("127.0.0.1") as server, Client(server.address) as client:
            assert client.ask(b"x") == b"x"


def test_a_protocol_behind_the_server_is_a_declaration():
    class Connects(typing.Protocol):
        def on_connect(self, session): ...

    class Ends(abc.ABC):
        @abc.abstractmethod
        def on_disconnect(self, session, why): ...

    class Declares(iocpreuse.Server, Connects):
        pass

    class Abstract(iocpreuse.Server, Ends):
        pass

    for each in (Declares, Abstract):
        each("127.0.0.1").start().stop(drain=0)


class Forgets(iocpreuse.Server):
    def __init__(self):
        self.mine = 1


@pytest.mark.parametrize(
    "use",
    [
        lambda server: server.start(),
        lambda server: server.stop(),
        lambda server: server.wait(),
        lambda server: server.serve_forever(),
        lambda server: server.serve_forever(handle_signals=False),
        lambda server: server.stats(),
        lambda server: server.sessions,
        lambda server: server.connected_only,
        lambda server: server.logged_in,
        lambda server: server.address,
        lambda server: server.recycling,
        lambda server: server.get(1),
        lambda server: server.send(1, b"x"),
        lambda server: server.send_message(1, b"x"),
        lambda server: server.broadcast(b"x"),
        lambda server: server.pause_accepting(),
        lambda server: server.resume_accepting(),
        lambda server: server.__enter__(),
        lambda server: server.__exit__(None, None, None),
    ],
)
def test_no_init(use):
    server = Forgets()
    with pytest.raises(ServerStateError, match=r"Forgets did not call Server\.__init__.*super"):
        use(server)
    assert "without Server.__init__" in repr(server)
    assert server.mine == 1
    with pytest.raises(AttributeError, match="'Forgets' object has no attribute 'yours'"):
        _ = server.yours
    assert not hasattr(server, "yours")


def test_no_init_is_told_of_each_name_that_it_sets():
    from iocpreuse.server import _OWN

    assert set(vars(iocpreuse.Server())) == _OWN


def sends(text):
    return lambda session, data: session.send(text)


class Callable:
    def __call__(self, session, data):
        session.send(b"ok")


class Descriptor:
    def __get__(self, instance, owner):
        return sends(b"ok")


def wrapped(function):
    """A decorator that gives the function more than it gets."""

    @functools.wraps(function)
    def wrapper(self, session, data):
        return function(self, session, data, b"ok")

    return wrapper


@pytest.mark.parametrize(
    "value",
    [
        staticmethod(sends(b"ok")),
        classmethod(lambda cls, session, data: session.send(b"ok")),
        functools.partialmethod(lambda self, text, session, data: session.send(text), b"ok"),
        staticmethod(functools.partial(lambda text, session, data: session.send(text), b"ok")),
        Callable(),
        Descriptor(),
        property(lambda self: sends(b"ok")),
        mock.Mock(side_effect=sends(b"ok")),
        staticmethod(mock.create_autospec(lambda session, data: None, side_effect=sends(b"ok"))),
        lambda self, *arguments: arguments[0].send(b"ok"),
        lambda self, session, data, more=b"ok": session.send(more),
        wrapped(lambda self, session, data, more: session.send(more)),
    ],
)
def test_what_can_be_called(serve, value):
    server = serve(type("Right", (iocpreuse.Server,), {"on_data": value}), "127.0.0.1")
    with Client(server.address) as client:
        assert client.ask(b"??") == b"ok"


def test_callbacks_of_the_object(serve):
    server = iocpreuse.Server("127.0.0.1")
    server.on_data = sends(b"ok")
    with server, Client(server.address) as client:
        assert client.ask(b"??") == b"ok"


def test_other_names_are_the_applications_own(serve):
    class Helps(Recorder):
        _on_tick = None
        once = on = onward = 5

        def _on_receive(self):
            pass

    serve(Helps)
