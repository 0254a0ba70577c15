"""What `echo` and `run` tell while they serve: JSON lines, the table, and who reads them."""

import dataclasses
import json
import os
import subprocess
import sys
import textwrap
import time

import pytest
from peers import DEADLINE_SECONDS, WINDOWS, Client, child_environment, run_python

from iocpreuse import Stats
from iocpreuse.cli.figures import Snapshot, format_bytes
from iocpreuse.reason import CloseReason

# The command line in a child that ends itself with SIGINT when it reads a line.
CODE = """
import signal, sys, threading
from iocpreuse.cli import main

def interrupt():
    sys.stdin.readline()
    signal.raise_signal(signal.SIGINT)

threading.Thread(target=interrupt, daemon=True).start()
sys.exit(main(sys.argv[1:]))
"""


@pytest.fixture
def start(stack):
    """Starts the command line with pipes, and ends it after the test."""

    def run(*arguments, **how):
        pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
        child = subprocess.Popen(
            [sys.executable, "-c", CODE, *arguments],
            **{**pipes, "env": child_environment(), "text": True, **how},
        )

        def end():
            if child.poll() is None:
                child.kill()
            for stream in (child.stdin, child.stdout, child.stderr):
                if stream is not None:
                    stream.close()
            child.wait()

        stack.callback(end)
        return child

    return run


def interrupt(child):
    """Ctrl-C; what it wrote then."""
    return child.communicate("\n", timeout=DEADLINE_SECONDS)


def test_json_lines(start):
    child = start("echo", "--port", "0", "--json", "--interval", "0.05")
    first = json.loads(child.stdout.readline())
    with Client(tuple(first["address"])) as client:
        assert client.ask(b"x" * 100) == b"x" * 100
        while (figures := json.loads(child.stdout.readline()))["bytes_received"] == 0:
            assert figures["event"] == "figures"
    while not figures["closed_by_reason"]:
        figures = json.loads(child.stdout.readline())
    output, errors = interrupt(child)
    assert (child.returncode, errors) == (0, "")
    *others, last = [json.loads(line) for line in output.splitlines()]
    assert {each["event"] for each in others} <= {"figures"}
    assert (first["event"], last["event"]) == ("start", "stop")
    fields = {field.name for field in dataclasses.fields(Stats)}
    head = {"event", "time", "seconds", "server", "address", "recycling", "connections_logged_in"}
    head |= {"recycled_share"}
    assert set(first) == set(figures) == set(last) == head | fields
    assert last["server"] == "Echo"
    assert last["bytes_received"] == last["bytes_sent"] == 100
    assert last["connections_total"] == 1
    assert last["connections_active"] == last["accepts_pending"] == 0
    assert last["closed_by_reason"] == {"peer_eof": 1}
    assert 0 < last["callback_seconds"] < last["seconds"]
    assert first["seconds"] == 0
    assert abs(last["time"] - time.time()) < DEADLINE_SECONDS


def test_the_interval_is_kept(start):
    child = start("echo", "--port", "0", "--json", "--interval", "0.3")
    seconds = [json.loads(child.stdout.readline())["seconds"] for _ in range(4)]
    assert seconds[-1] >= 0.85
    interrupt(child)
    assert child.returncode == 0


CHATTY = """
import logging
import iocpreuse

print("a line at import")

class Chatty(iocpreuse.Server):
    def on_connect(self, session):
        print("a line in a callback")

    def on_data(self, session, data):
        raise ValueError("as asked")
"""


def test_nothing_else_is_on_stdout(start, tmp_path):
    """What the application prints, and what is logged, goes to stderr."""
    (tmp_path / "chatty_app.py").write_text(textwrap.dedent(CHATTY), "utf-8")
    arguments = ("chatty_app:Chatty", "--host", "127.0.0.1", "--json", "--interval", "60")
    child = start("run", *arguments, cwd=tmp_path)
    first = json.loads(child.stdout.readline())
    with Client(tuple(first["address"])) as client:
        client.sendall(b"x")
        assert client.is_ended()
    output, errors = interrupt(child)
    assert json.loads(output)["closed_by_reason"] == {"callback_error": 1}
    assert json.loads(output)["callback_errors"] == 1
    for text in ("a line at import", "a line in a callback", "ValueError: as asked"):
        assert text in errors


@pytest.mark.parametrize("report", [("--json",), ()])
def test_a_reader_that_goes_does_not_end_the_server(start, report):
    """Its clients are served on, one line says so, and the exit status is good."""
    child = start("echo", "--port", "0", *report, "--interval", "0.05")
    line = child.stdout.readline()
    if report:
        address = tuple(json.loads(line)["address"])
    else:
        host, _, port = line.partition("listening on ")[2].partition(",")[0].rpartition(":")
        address = (host, int(port))
    child.stdout.close()
    child.stdout = None
    with Client(address) as client:
        assert client.ask(b"x") == b"x"
        assert "no more figures, the server goes on" in child.stderr.readline()
        assert client.ask(b"y") == b"y"
    _, errors = interrupt(child)
    assert errors == ""
    assert child.returncode == 0


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (("--interval", "0"), "--interval must be a number of seconds above 0"),
        (("--interval", "-1"), "--interval must be a number of seconds above 0"),
        (("--interval", "nan"), "--interval must be a number of seconds above 0"),
        (("--interval", "inf"), "at most 86400, not inf"),
        (("--option", "idle_timeout"), "'idle_timeout' is not NAME=VALUE"),
        (("--option", "=5"), "'=5' is not NAME=VALUE"),
        (("--option", "idle_timout=5"), "did you mean 'idle_timeout'?"),
        (("--option", "idle_timeout=soon"), "idle_timeout must be a number of seconds above 0"),
        (("--option", "idle_timeout=-5"), "idle_timeout must be a number of seconds above 0"),
        (("--option", "keepalive=(1,2)"), "keepalive must be True, False or"),
        (("--option", "write_high=10", "--option", "write_low=20"), "write_low must be at most"),
        (("--option", "port=5"), "that is what --port is for"),
        (("--option", "sock=5"), "a socket cannot be given"),
        (("--option", "workers=2", "--option", "workers=3"), "workers is given twice"),
        (("--workers", "2", "--option", "workers=3"), "workers is given twice"),
    ],
)
def test_mistakes_are_one_clear_line(arguments, text):
    done = run_python("-m", "iocpreuse", "echo", "--port", "0", *arguments)
    assert done.returncode == 1
    assert text in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert done.stdout == ""


def test_options_arrive(start, tmp_path):
    """Numbers, tuples and plain words; a server can be run with any option it has."""
    (tmp_path / "options_app.py").write_text(
        "import iocpreuse\n"
        "class Tells(iocpreuse.Server):\n"
        "    def on_connect(self, session):\n"
        "        s = self._settings\n"
        "        session.send(repr((s.read_size, s.keepalive, s.recycle, s.nodelay)).encode())\n"
        "        session.close()\n"
        "made = Tells('127.0.0.1', 0)\n",
        "utf-8",
    )
    options = ("read_size=4096", "keepalive=(60, 10, 3)", "recycle=off", "nodelay=False")
    given = [word for option in options for word in ("--option", option)]
    spec = "options_app:Tells"
    child = start("run", spec, "--host", "127.0.0.1", "--json", *given, cwd=tmp_path)
    first = json.loads(child.stdout.readline())
    assert first["recycling"] == "off"
    with Client(tuple(first["address"])) as client:
        assert client.receive_all() == b"(4096, (60, 10, 3), 'off', False)"
    interrupt(child)
    refused = run_python("-m", "iocpreuse", "run", "options_app:made", *given, cwd=tmp_path)
    assert "leave out --option read_size=..., --option keepalive=..." in refused.stderr


def make_stats(**figures):
    zeros = {field.name: 0 for field in dataclasses.fields(Stats)}
    return Stats(**{**zeros, "replaced_by_cause": {}, "closed_by_reason": {}, **figures})


def test_rows():
    """Rates are those since the last time; the most frequent reasons come first."""
    before = Snapshot(make_stats(connections_total=100, bytes_received=10_000), 0, 10.0, 0.0)
    reasons = {
        CloseReason.PEER_EOF: 1_000,
        CloseReason.PEER_RESET: 2_000,
        CloseReason.NETWORK: 3,
        CloseReason.SHUTDOWN: 3,
        CloseReason.REFUSED: 2,
        CloseReason.LOCAL_CLOSE: 1,
    }
    now = make_stats(
        connections_active=3,
        connections_total=150,
        bytes_received=10_000 + 2 * 1024 * 1024,
        completions=60,
        batches=20,
        callback_seconds=0.5,
        gil_wait_seconds=0.1,
        sockets_replaced=7,
        replaced_by_cause={"abort": 2, "reset": 5},
        closed_by_reason=reasons,
    )
    rows = Snapshot(now, 2, 12.0, 0.0).rows(before)
    assert rows["connected"] == "3 (2 logged in)"
    assert rows["served"] == "150 (25.0/s)"
    assert rows["received"] == "2.0 MiB (1.0 MiB/s)"
    assert rows["completions"] == "30/s, 3.0 a batch"
    assert rows["in callbacks"] == "25.0 % of one thread"
    assert rows["waiting for the GIL"] == "5.0 %"
    assert rows["replaced"] == "7 (reset 5, abort 2)"
    assert rows["ended by"] == "peer_reset 2,000, peer_eof 1,000, network 3, shutdown 3, others 3"
    assert Snapshot(make_stats(), 0, 1.0, 0.0).rows(before)["ended by"] == "none"


def test_format_bytes():
    assert [format_bytes(n) for n in (0, 1023, 1024, 1 << 20, 3 << 30, 5 << 40, 5 << 50)] == [
        *("0 B", "1023 B", "1.0 KiB", "1.0 MiB", "3.0 GiB", "5.0 TiB", "5120.0 TiB")
    ]


@pytest.mark.skipif(WINDOWS, reason="needs a pseudo terminal")
@pytest.mark.parametrize("plain", [(), ("--plain",)])
def test_on_a_terminal(start, plain):
    """With rich a table that is drawn in place; with --plain a line that is. The log passes by."""
    import pty

    pytest.importorskip("rich")
    leader, follower = pty.openpty()
    child = start(
        *("-v", "echo", "--port", "0", "--interval", "0.05", *plain),
        stdout=follower,
        stderr=follower,
        env={**child_environment(), "TERM": "xterm", "COLUMNS": "100", "LINES": "40"},
    )
    os.close(follower)
    output = ""

    def read_until(text):
        nonlocal output
        while text not in output:
            output += os.read(leader, 65536).decode()

    read_until("Ctrl-C stops it")
    host, _, port = output.partition("listening on ")[2].partition(",")[0].rpartition(":")
    with Client((host, int(port))) as client:
        assert client.ask(b"x" * 2048) == b"x" * 2048
        read_until("2.0 KiB")
    read_until("peer_eof" if not plain else "0 connected, 0 of them logged in, 1 served")
    child.stdin.write("\n")
    child.stdin.flush()
    assert child.wait(DEADLINE_SECONDS) == 0
    try:
        while part := os.read(leader, 65536):
            output += part.decode()
    except OSError:  # the terminal's end
        pass
    os.close(leader)
    assert ("waiting for the GIL" in output) is not bool(plain)
    assert "serving on" in output  # from the log
    last = output.replace("\x1b[?25h", "").rstrip()  # the cursor is shown again
    assert last.endswith("┘" if not plain else "1 replaced")
