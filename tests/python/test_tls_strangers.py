"""TLS with OpenSSL's own client, where there is one."""

import shutil
import subprocess

import pytest
from peers import WINDOWS, run_python, wait_until
from secure import CA, CERTS, server_context

OPENSSL = shutil.which("openssl")
pytestmark = pytest.mark.skipif(WINDOWS or OPENSSL is None, reason="needs openssl s_client")


class Stranger:
    """An openssl s_client, whose input is written line by line."""

    def __init__(self, server, *arguments):
        host, port = server.address
        self.process = subprocess.Popen(
            [OPENSSL, "s_client", "-connect", f"{host}:{port}", "-CAfile", CA, *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            bufsize=0,
        )
        self.heard = b""

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.process.stdin.close()
        self.process.kill()
        self.process.stdout.close()
        self.process.wait()

    def say(self, words):
        self.process.stdin.write(words)

    def hear(self, words):
        while words not in self.heard:
            part = self.process.stdout.read(4096)
            assert part, self.heard.decode(errors="replace")
            self.heard += part
        self.heard = self.heard.partition(words)[2]


@pytest.mark.parametrize("version", ["-tls1_2", "-tls1_3"])
def test_it_is_answered(serve_tls, version):
    server = serve_tls()
    with Stranger(server, version, "-verify_return_error") as stranger:
        stranger.say(b"hello\n")
        stranger.hear(b"hello\n")
        stranger.say(b"Q\n")  # its own command: goodbye
        _, why = server.next_end()
    assert why.reason.name in ("PEER_EOF", "TRUNCATED")


@pytest.mark.parametrize("command", [b"k\n", b"K\n"])
def test_new_keys(serve_tls, command):
    """In the middle of a stream; with K, the server answers with new keys of its own."""
    server = serve_tls()
    with Stranger(server, "-tls1_3") as stranger:
        stranger.say(b"before\n")
        stranger.hear(b"before\n")
        stranger.say(command)
        stranger.hear(b"KEYUPDATE")
        stranger.say(b"after\n")
        stranger.hear(b"after\n")
        session = server.next_session()
        assert session.messages_received == 2
        assert server.broadcast(b"and from here\n") == 1
        stranger.hear(b"and from here\n")


def test_sessions_are_resumed(serve_tls, tmp_path):
    server = serve_tls()
    kept = str(tmp_path / "session")
    with Stranger(server, "-tls1_2", "-sess_out", kept) as stranger:
        stranger.say(b"first word\n")
        stranger.hear(b"first word\n")
        stranger.say(b"Q\n")
        stranger.process.wait(30)
    with Stranger(server, "-tls1_2", "-sess_in", kept) as stranger:
        stranger.say(b"next word\n")
        stranger.hear(b"Reused, TLSv1.2")
        stranger.hear(b"next word\n")
    assert not server.next_session().ssl_object.session_reused
    assert server.next_session().ssl_object.session_reused


def test_renegotiation_is_refused(serve_tls):
    server = serve_tls()
    with Stranger(server, "-tls1_2") as stranger:
        stranger.say(b"before\n")
        stranger.hear(b"before\n")
        stranger.say(b"R\n")
        stranger.process.wait(30)
    _, why = server.next_end()
    assert why.reason.name in ("TLS_ERROR", "TRUNCATED", "PEER_EOF", "PEER_RESET")
    assert server.stats().handshakes == 1


def test_a_certificate_of_its_own(serve_tls):
    context = server_context()
    context.verify_mode = 2  # ssl.CERT_REQUIRED
    context.load_verify_locations(CA)
    server = serve_tls(context=context)
    with Stranger(server, "-cert", str(CERTS / "client.pem")) as stranger:
        stranger.say(b"it is me\n")
        stranger.hear(b"it is me\n")
        assert server.next_session().get_extra_info("peercert")["serialNumber"]
    with Stranger(server) as stranger:
        stranger.hear(b"certificate required")
    wait_until(lambda: server.failed)


def test_early_data_is_refused(serve_tls, tmp_path):
    server = serve_tls()
    kept, early = str(tmp_path / "session"), tmp_path / "early"
    early.write_bytes(b"too early\n")
    with Stranger(server, "-tls1_3", "-sess_out", kept) as stranger:
        stranger.say(b"first word\n")
        stranger.hear(b"first word\n")
        stranger.say(b"Q\n")
        stranger.process.wait(30)
    with Stranger(server, "-tls1_3", "-sess_in", kept, "-early_data", str(early)) as stranger:
        stranger.say(b"next word\n")
        stranger.hear(b"next word\n")
    assert server.stats().bytes_received == 21


def test_the_command_line(serve_tls):
    """`iocpreuse echo --tls`, and what it says of wrong files."""
    pem = str(CERTS / "server.pem")
    done = run_python("-m", "iocpreuse", "echo", "--port", "0", "--tls", pem, CA)
    assert done.returncode == 1
    assert f"--tls {pem} {CA}: not a certificate and its key as PEM files" in done.stderr
    done = run_python("-m", "iocpreuse", "echo", "--port", "0", "--tls", "no.pem", "no.key")
    assert done.returncode == 1
    assert "--tls no.pem no.key: No such file" in done.stderr
