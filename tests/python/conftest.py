"""What the tests share: servers that are stopped at the end, and what the environment expects."""

import contextlib
import os
import signal

import pytest
from peers import Recorder

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


@pytest.fixture(scope="session")
def expect_recycling():
    """What the environment says `recycling` must be here; None = it does not say."""
    return os.environ.get("IOCPREUSE_EXPECT_RECYCLING")
