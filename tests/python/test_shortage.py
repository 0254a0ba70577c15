"""What is short: descriptors for clients, memory for what is told of an end."""

import importlib.util
import logging
import os
import sysconfig

import pytest
from peers import WINDOWS, Recorder, run_python

from iocpreuse import server as server_module

pytestmark = pytest.mark.skipif(WINDOWS, reason="there is no such limit on Windows")

EMFILE = """
    import logging, resource, socket, sys, time
    from peers import Recorder

    lines = []
    class Lines(logging.Handler):
        def emit(self, record):
            lines.append((record.levelname, record.getMessage()))
    logging.getLogger("iocpreuse").addHandler(Lines())

    def wait_for(count):
        deadline = time.monotonic() + 30
        while len(lines) < count and time.monotonic() < deadline:
            time.sleep(0.01)

    with Recorder() as server:
        clients = [socket.socket() for _ in range(6)]
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(c.fileno() for c in clients) + 3, hard))
        for client in clients:
            client.connect(server.address)
        wait_for(1)
        time.sleep(0.5)  # in which accepts fail ten times, without a line
        print(len(lines), *lines[0])
        for client in clients:
            client.close()
        wait_for(2)
        print(len(lines), *lines[1])
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        print(server.stats().accept_errors > 3)
"""


def test_accepts_that_fail_are_logged_at_the_beginning_and_at_the_end():
    done = run_python(code=EMFILE)
    assert done.stderr == ""
    first, second, third = done.stdout.splitlines()
    assert first == (
        "1 WARNING cannot accept clients, who wait in the backlog meanwhile: Too many open files"
    )
    assert second.startswith("2 WARNING clients are accepted again, after ")
    assert third == "True"


def test_the_lines_of_a_shortage(caplog):
    with caplog.at_level(logging.WARNING):
        server_module._log_shortage("begins", 1, 0, 0.0)
        server_module._log_shortage("lasts", 1200, 24, 60.0)
        server_module._log_shortage("over", 40, 24, 62.0)
    assert [record.getMessage() for record in caplog.records] == [
        "cannot accept clients, who wait in the backlog meanwhile: no memory",
        "still cannot accept clients (failed 1200 times more): Too many open files",
        "clients are accepted again, after 62.0 s",
    ]


class Loses(Recorder):
    """Has a request open, and more queued than the client takes."""

    def __init__(self, *arguments, **options):
        super().__init__(*arguments, **options)
        self.lost = []

    def on_data(self, session, data):
        session.login(session.id)
        self.pending = session.begin("request")
        session.send(bytes(1 << 20))
        session.send(bytes(1 << 20))
        session.abort()

    def on_abort(self, session, lost):
        self.lost.append(lost)


needs_hooks = pytest.mark.skipif(
    importlib.util.find_spec("_testcapi") is None,
    reason="this Python's memory cannot be made short",
)


@needs_hooks
def test_an_end_without_memory_leaves_no_ghost():
    """Each allocation of an end fails, in turn; and in the end all is as it should be."""
    done = run_python(
        code="""
    import _testcapi
    from peers import Client, wait_until
    from test_shortage import Loses

    failing = None
    class Short(Loses):
        on_error = lambda self, session, where, exc: None
        def on_data(self, session, data):
            session.login(session.id)
            session.send(bytes(1 << 20))
            session.abort()
            _testcapi.set_nomemory(failing, failing + 1)

    import sys
    sys.unraisablehook = lambda unraisable: None
    server = Short(workers=1, write_limit=None).start()
    # Made before: this thread is not to be the one that lacks memory.
    buffer, expected = bytearray(200), (OSError, MemoryError)
    for failing in range(60):
        with Client(server.address) as client:
            client.sendall(b"x")
            try:
                while client.recv_into(buffer):  # what it counts is no new object
                    pass
            except expected:
                pass  # the RST, which comes when the end has been told
            finally:
                _testcapi.remove_mem_hooks()
        wait_until(lambda: server.stats().connections_active == 0)
        print(len(server.sessions), len(server.logged_in))
    server.stop()
    """
    )
    assert done.stderr == ""
    assert done.stdout.split() == ["0"] * 120


@pytest.mark.skipif(
    "asan" in os.environ.get("LD_PRELOAD", ""),
    reason="ASan ends a process that has no more memory",
)
@pytest.mark.skipif(
    bool(sysconfig.get_config_var("Py_GIL_DISABLED")),
    reason="without a GIL, Python's allocator has taken more from the system than the test needs",
)
def test_a_loss_that_cannot_be_listed_is_told():
    """The messages take more memory than there is: an empty list, and the request is aborted."""
    done = run_python(
        code="""
    import pathlib, resource
    from peers import Client, wait_until
    from test_shortage import Loses

    class Huge(Loses):
        BIG = bytes(200 << 20)
        def on_data(self, session, data):
            self.pending = session.begin("request")
            session.send(self.BIG)
            session.send(self.BIG)
            pages = int(pathlib.Path("/proc/self/statm").read_text().split()[0])
            resource.setrlimit(resource.RLIMIT_AS, (pages * 4096 + (64 << 20), hard))
            session.abort()
        def on_error(self, *what):
            print(what)

    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    with Huge(write_limit=None) as server, Client(server.address) as client:
        client.sendall(b"x")
        wait_until(lambda: server.lost)
        wait_until(lambda: server.stats().connections_active == 0)
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))
        [lost] = server.lost
        print(list(lost.unsent), lost.partial, lost.pending == (server.pending,))
        print(server.pending.aborted, server.pending.reply(b"x"))
    """
    )
    assert done.stderr == ""
    assert done.stdout.splitlines() == ["[] True True", "True False"]
