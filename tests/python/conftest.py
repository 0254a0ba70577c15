"""What the tests share: servers that are stopped at the end, and what the environment expects."""

import contextlib
import os

import pytest
from peers import Recorder


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
