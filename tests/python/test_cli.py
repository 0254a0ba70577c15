"""`python -m iocpreuse`: demo, echo, run."""

import json
import subprocess
import sys
import textwrap

import pytest
from peers import DEADLINE_SECONDS, WINDOWS, Client, child_environment, run_python

import iocpreuse
from iocpreuse.cli.messages import ECHO, Splitter, foreign_mark, make_message


def cli(*arguments, **options):
    return run_python("-m", "iocpreuse", *arguments, timeout=110, **options)


def test_demo(expect_recycling):
    done = cli("demo", "--json", "--clients", "40", "--connections", "400", "--accept-pool", "8")
    assert done.stderr == ""
    figures = json.loads(done.stdout)
    assert figures["ok"] is True, figures
    assert done.returncode == 0
    assert figures["connections_served"] == figures["connections_made"] == 400
    assert figures["sessions_opened"] == figures["sessions_closed"] == 400
    assert figures["wrong_bytes"] == figures["misdelivered_bytes"] == 0
    assert figures["stale_sends_blocked"] > 0
    assert figures["messages"] >= 400
    assert sum(figures["reasons"].values()) == 400
    assert set(figures["reasons"]) == {"peer_eof", "peer_reset", "local_close"}
    if expect_recycling is not None:
        assert figures["recycling"] == expect_recycling
    if figures["recycling"] == "verified":
        assert figures["sockets_created"] < 300
        assert figures["sockets_recycled"] > 100


def test_demo_in_plain_lines():
    done = cli("demo", "--clients", "5", "--connections", "50")
    assert done.returncode == 0, done.stdout + done.stderr
    lines = done.stdout.splitlines()
    assert lines[0].startswith("serving on 127.0.0.1:")
    assert lines[-1] == "all right"
    assert any(line.split() == ["misdelivered", "bytes", "0"] for line in lines)


def test_demo_for_some_seconds():
    done = cli("demo", "--json", "--clients", "5", "--connections", "1000000", "--seconds", "0.5")
    figures = json.loads(done.stdout)
    assert done.returncode == 0, figures
    assert 0 < figures["connections_served"] < 1000000


def test_demo_finds_a_server_that_mixes_up_answers():
    """The demo must be able to fail: here each answer bears another client's mark."""
    done = run_python(
        code="""
        import sys
        from iocpreuse.cli import demo_server, main

        class MixesUp(demo_server.DemoServer):
            def on_data(self, session, data):
                super().on_data(session, data[:16] + bytes([data[16] ^ 255]) + data[17:])

        from iocpreuse.cli import demo
        demo.DemoServer = MixesUp
        sys.exit(main(["demo", "--json", "--clients", "5", "--connections", "50"]))
        """
    )
    figures = json.loads(done.stdout)
    assert done.returncode == 1
    assert figures["ok"] is False
    assert figures["misdelivered_bytes"] > 0


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (("demo", "--clients", "0"), "--clients must be at least 1"),
        (("echo", "--port", "99999"), "port must be an integer from 0 to 65535"),
        (("echo", "--port", "0", "--workers", "0"), "workers must be an integer from 1"),
        (("echo", "--host", "192.0.2.1", "--port", "9"), "192.0.2.1 port 9"),
        (("echo", "--host", "no-such-host.invalid"), "iocpreuse: "),
        (("run", "json"), "'json' is not module:ClassOrInstance"),
        (("run", ":Server"), "is not module:ClassOrInstance"),
        (("run", "no_such_module:Server"), "no module named 'no_such_module'"),
        (("run", "json.nothing:Server"), "no module named 'json.nothing'"),
        (("run", "app.py:Server"), "is not the name of a module"),
        (("run", "json:Server"), "'json' has no 'Server'"),
        (("run", "json:dumps"), "neither a subclass of iocpreuse.Server nor an instance"),
        (("run", "json:JSONEncoder"), "neither a subclass"),
    ],
)
def test_mistakes_are_one_clear_line(arguments, text):
    done = cli(*arguments)
    assert done.returncode == 1
    assert text in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert "Traceback" not in done.stderr


def test_usage():
    assert cli().returncode == 2
    assert cli("nonsense").returncode == 2
    assert cli("--version").stdout == f"iocpreuse {iocpreuse.__version__}\n"
    helped = cli("--help")
    assert helped.returncode == 0
    for command in ("demo", "doctor", "echo", "run"):
        assert command in helped.stdout


class Serving:
    """The CLI in a child that ends itself with SIGINT when it reads a line."""

    CODE = """
    import signal, sys, threading
    from iocpreuse.cli import main

    def interrupt():
        sys.stdin.readline()
        signal.raise_signal(signal.SIGINT)

    threading.Thread(target=interrupt, daemon=True).start()
    sys.exit(main(sys.argv[1:]))
    """

    def __init__(self, *arguments, cwd=None):
        self.child = subprocess.Popen(
            [sys.executable, "-c", textwrap.dedent(self.CODE), *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=child_environment(),
            cwd=cwd,
        )

    def __enter__(self):
        self.first_line = self.child.stdout.readline()
        where = self.first_line.partition("listening on ")[2].partition(",")[0]
        host, _, port = where.rpartition(":")
        self.address = (host.strip("[]"), int(port))
        return self

    def __exit__(self, *exc):
        if self.child.poll() is None:
            self.child.kill()
        self.child.communicate()

    def interrupt(self):
        """Ctrl-C; what it printed after its first line, and its exit status."""
        output, errors = self.child.communicate("\n", timeout=DEADLINE_SECONDS)
        assert errors == ""
        return output, self.child.returncode


def test_echo():
    with Serving("echo", "--port", "0", "--workers", "2", "--accept-pool", "3") as serving:
        assert serving.first_line.startswith("Echo listening on 127.0.0.1:")
        assert "Ctrl-C" in serving.first_line
        with Client(serving.address) as client:
            assert client.ask(b"hello") == b"hello"
        output, status = serving.interrupt()
    assert "1 served" in output
    assert status == 0


APPLICATION = """
import iocpreuse

class Shouts(iocpreuse.Server):
    def on_data(self, session, data):
        session.send(data.upper())

class nested:
    instance = Shouts("127.0.0.1", 0)

def function():
    pass
"""


@pytest.fixture
def application(tmp_path):
    (tmp_path / "shouting_app.py").write_text(APPLICATION, "utf-8")
    (tmp_path / "broken_app.py").write_text("import shouting_app, no_such_thing\n", "utf-8")
    return tmp_path


@pytest.mark.parametrize(
    "arguments",
    [
        ("shouting_app:Shouts", "--host", "127.0.0.1", "--port", "0", "--workers", "1"),
        ("shouting_app:nested.instance",),
    ],
)
def test_run(application, arguments):
    with Serving("run", *arguments, cwd=application) as serving:
        assert serving.first_line.startswith("Shouts listening on 127.0.0.1:")
        with Client(serving.address) as client:
            client.sendall(b"hello")
            assert client.receive(5) == b"HELLO"
        _, status = serving.interrupt()
    assert status == 0


def test_run_mistakes(application):
    instance = cli("run", "shouting_app:nested.instance", "--workers", "3", cwd=application)
    assert "leave out --workers" in instance.stderr
    assert instance.returncode == 1
    function = cli("run", "shouting_app:function", cwd=application)
    assert "neither a subclass" in function.stderr
    # What an application imports in vain is its own affair: the traceback shows where.
    broken = cli("run", "broken_app:Shouts", cwd=application)
    assert "Traceback" in broken.stderr
    assert "no_such_thing" in broken.stderr


@pytest.mark.skipif(WINDOWS, reason="needs a pseudo terminal")
@pytest.mark.parametrize("plain", [(), ("--plain",)])
def test_demo_on_a_terminal(plain):
    """With a terminal and rich there is a table, with --plain there are lines."""
    import os
    import pty

    pytest.importorskip("rich")
    leader, follower = pty.openpty()
    command = [sys.executable, "-m", "iocpreuse", "demo", "--clients", "5", "--connections", "50"]
    with subprocess.Popen(
        [*command, *plain],
        stdin=subprocess.DEVNULL,
        stdout=follower,
        env={**child_environment(), "TERM": "xterm", "COLUMNS": "100", "LINES": "40"},
    ) as child:
        os.close(follower)
        parts = []
        try:
            while part := os.read(leader, 65536):
                parts.append(part)
        except OSError:  # the terminal's end
            pass
        os.close(leader)
    output = b"".join(parts).decode()
    assert child.returncode == 0, output
    assert "all right" in output
    # The table is drawn in place, by escape sequences.
    assert ("\x1b[" in output) is not bool(plain)


def test_messages():
    messages = [make_message(ECHO, 5, number, number * 100) for number in range(4)]
    splitter = Splitter()
    stream = b"".join(messages)
    found = [item for byte in stream for item in splitter.feed(bytes([byte]))]
    assert found == [(ECHO, message) for message in messages]
    assert not foreign_mark(stream, 5)
    assert foreign_mark(stream, 6)
    assert not foreign_mark(b"short", 6)
    with pytest.raises(ValueError, match="not a message"):
        list(splitter.feed(b"x" * 100))
