"""What the tests share: servers that are stopped at the end, and what the environment expects."""

import contextlib
import os
import signal

import pytest
from peers import Recorder
from secure import TlsRecorder, server_context

# A shell that has all this run in the background has it ignore Ctrl-C, and all that it starts.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture
def stack():
    """Closes clients and stops servers in the reverse order, whatever the test does."""
    with contextlib.ExitStack() as exit_stack:
        yield exit_stack


@pytest.fixture
def serve(stack):
    """Starts a server of the class given; it is stopped at the end of the test."""

    def start(server_class=Recorder, *arguments, **options):
        server = server_class(*arguments, **options)
        stack.callback(server.stop, drain=0)
        return server.start()

    return start


@pytest.fixture(params=["native", "fallback"])
def way(request, monkeypatch):
    """How TLS is done: a test that has this runs in both."""
    monkeypatch.setenv("IOCPREUSE_TLS", request.param)
    return request.param


@pytest.fixture
def serve_tls(serve, way):
    """Starts a server whose clients speak TLS."""

    def start(server_class=TlsRecorder, context=None, **options):
        server = serve(server_class, ssl=context or server_context(), **options)
        assert server.tls == way
        return server

    return start


@pytest.fixture(scope="session")
def expect_recycling():
    """What the environment says `recycling` must be here; None = it does not say."""
    return os.environ.get("IOCPREUSE_EXPECT_RECYCLING")
