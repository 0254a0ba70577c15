"""TLS handshakes: those that are done, those that fail, and what they agree on."""

import logging
import ssl
import threading

import pytest
from peers import Client, in_threads, noise, wait_until
from secure import CERTS, BioClient, TlsClient, client_context, server_context

from iocpreuse import CloseReason

V12, V13 = ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3


def test_a_client_that_says_nothing_costs_its_deadline_alone(serve_tls):
    server = serve_tls(ssl_handshake_timeout=0.3, max_handshakes=1)
    silent = [Client(server.address) for _ in range(20)]
    with TlsClient(server.address) as client:
        for _ in range(5):
            assert client.ask(b"still there") == b"still there"
        for each in silent:
            assert each.is_ended() == "fin"
            each.close()
        wait_until(lambda: len(server.failed) == 20)
        assert client.ask(b"and now") == b"and now"
    assert all(isinstance(exc, TimeoutError) for _, exc in server.failed)
    assert server.opened.qsize() == 1
    wait_until(lambda: sum(server.stats().handshakes_failed.values()) == 20)
    assert server.stats().handshakes_failed == {CloseReason.HANDSHAKE_TIMEOUT: 20}


def test_one_that_stops_in_the_middle(serve_tls):
    server = serve_tls(ssl_handshake_timeout=0.5, max_handshakes=1)
    hello = client_hello()
    with Client(server.address) as stopper:
        stopper.sendall(hello[:40])
        assert stopper.is_ended() == "fin"
    with Client(server.address) as stopper:
        stopper.sendall(hello)  # and says nothing to what it gets
        assert stopper.is_ended() == "fin"
    wait_until(lambda: len(server.failed) == 2)
    with TlsClient(server.address) as client:  # its place is free
        assert client.ask(b"x") == b"x"
    wait_until(lambda: sum(server.stats().handshakes_failed.values()) == 2)
    assert server.stats().handshakes_failed == {CloseReason.HANDSHAKE_TIMEOUT: 2}


def client_hello():
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = client_context().wrap_bio(incoming, outgoing, server_hostname="localhost")
    with pytest.raises(ssl.SSLWantReadError):
        tls.do_handshake()
    return outgoing.read()


def test_what_is_no_tls(serve_tls, caplog):
    caplog.set_level(logging.INFO, "iocpreuse")
    server = serve_tls()
    for words in (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b"\x16\x03\x01\xff\xff" + noise(90)):
        for _ in range(10):
            with Client(server.address) as client:
                client.sendall(words)
                client.half_close()
                client.is_ended()
    wait_until(lambda: sum(server.stats().handshakes_failed.values()) == 20)
    assert server.stats().handshakes_failed == {CloseReason.TLS_ERROR: 20}
    assert all(isinstance(exc, ssl.SSLError) for _, exc in server.failed)
    assert server.failed[0][1].reason == "HTTP_REQUEST"
    assert server.failed[0][0][0] == "127.0.0.1"
    lines = [record for record in caplog.records if "handshake" in record.message]
    assert 1 <= len(lines) <= 3  # one a second, at most
    assert server.opened.empty()
    wait_until(lambda: server.stats().connections_active == 0)


def test_a_client_that_goes_away(serve_tls):
    server = serve_tls()
    with Client(server.address) as client:
        client.sendall(client_hello())
        client.recv(1)
        client.reset()
    with Client(server.address) as client:
        client.half_close()
        client.is_ended()
    wait_until(lambda: len(server.failed) == 2)
    assert all(isinstance(exc, OSError) for _, exc in server.failed)
    wait_until(lambda: sum(server.stats().handshakes_failed.values()) == 2)


def test_byte_by_byte(serve_tls):
    server = serve_tls()
    with BioClient(server.address, step=1) as client:
        assert client.ask(b"one byte at a time") == b"one byte at a time"


@pytest.mark.parametrize("version", [V12, V13], ids=["1.2", "1.3"])
def test_client_certificates(serve_tls, version):
    context = server_context(verify_mode=ssl.CERT_REQUIRED)
    context.load_verify_locations(CERTS / "ca.pem")
    server = serve_tls(context=context)
    with TlsClient(server.address, client_context(version, "client")) as client:
        assert client.ask(b"x") == b"x"
        cert = server.next_session().get_extra_info("peercert")
        assert ("DNS", "device-7.example") in cert["subjectAltName"]
    with pytest.raises(OSError):  # noqa: SIM117, PT011 - told by 1.3 with the first read only
        with TlsClient(server.address, client_context(version)) as client:
            client.ask(b"x")
    wait_until(lambda: server.failed)
    assert "CERTIFICATE" in server.failed[0][1].reason
    assert server.opened.empty()


def test_a_wrong_client_certificate(serve_tls):
    context = server_context(verify_mode=ssl.CERT_REQUIRED)
    server = serve_tls(context=context)  # which trusts nobody
    with pytest.raises(OSError):  # noqa: SIM117, PT011
        with TlsClient(server.address, client_context(V12, "client")) as client:
            client.ask(b"x")
    wait_until(lambda: server.failed)
    error = server.failed[0][1]
    assert isinstance(error, ssl.SSLCertVerificationError)
    assert error.verify_code != 0
    assert error.verify_message


def test_names_choose_the_context(serve_tls):
    main, other = server_context(), server_context("other")
    seen = []

    def choose(ssl_object, name, context):
        seen.append((name, context))
        if name == "other.example":
            ssl_object.context = other
        elif name == "nobody.example":
            return ssl.ALERT_DESCRIPTION_UNRECOGNIZED_NAME
        return None

    main.sni_callback = choose
    server = serve_tls(context=main)
    with TlsClient(server.address, name="localhost") as client:
        assert client.ask(b"x") == b"x"
        assert server.next_session().ssl_object.context is main
    with TlsClient(server.address, name="other.example") as client:
        assert client.ask(b"x") == b"x"
        assert ("DNS", "other.example") in client.tls.getpeercert()["subjectAltName"]
        assert server.next_session().get_extra_info("sslcontext") is other
    with pytest.raises(ssl.SSLError, match=r"(?i)unrecognized"):
        TlsClient(server.address, name="nobody.example")
    assert seen == [(name, main) for name in ("localhost", "other.example", "nobody.example")]
    wait_until(lambda: server.failed)


def test_names_that_need_other_threads(serve_tls):
    """The callback takes the GIL while other threads send, and wait for locks of the engine's."""
    context = server_context()

    def choose(*_):
        threading.Event().wait(0.001)

    context.sni_callback = choose
    server = serve_tls(context=context, workers=3)
    stop = threading.Event()

    def shout():
        while not stop.is_set():
            server.broadcast(b".")
            for session in list(server.sessions.values()):
                session.is_closing()

    shouter = threading.Thread(target=shout)
    shouter.start()
    try:

        def talk(_):
            for _ in range(5):
                with TlsClient(server.address) as client:
                    client.send(b"hello")
                    assert client.receive(1)

        in_threads(4, talk)
    finally:
        stop.set()
        shouter.join()


def test_protocols_and_keys(serve_tls, tmp_path):
    context = server_context()
    context.set_alpn_protocols(["mqtt", "h2"])
    context.keylog_filename = str(tmp_path / "keys")
    server = serve_tls(context=context)
    mine = client_context()
    mine.set_alpn_protocols(["h2", "mqtt"])
    with TlsClient(server.address, mine) as client:
        assert client.ask(b"x") == b"x"
        assert server.next_session().ssl_object.selected_alpn_protocol() == "mqtt"
        assert client.tls.selected_alpn_protocol() == "mqtt"
    assert "SERVER_TRAFFIC_SECRET_0" in (tmp_path / "keys").read_text()
    context.keylog_filename = None


@pytest.mark.parametrize("version", [V12, V13], ids=["1.2", "1.3"])
def test_resumption(serve_tls, version):
    server = serve_tls()
    context = client_context(version)
    with TlsClient(server.address, context) as client:
        assert client.ask(b"x") == b"x"
        assert not server.next_session().ssl_object.session_reused
        session = client.tls.session
    with TlsClient(server.address, context, session=session) as client:
        assert client.ask(b"x") == b"x"
        assert client.tls.session_reused
        assert server.next_session().ssl_object.session_reused


def test_handshakes_wait_in_order(serve_tls):
    server = serve_tls(max_handshakes=1)

    def talk(_):
        with TlsClient(server.address) as client:
            assert client.ask(b"hello") == b"hello"

    in_threads(16, talk)
    assert server.stats().handshakes == 16
    assert not server.failed
