"""Where servers listen: IPv4, IPv6, both, names, taken ports, sockets made elsewhere."""

import errno
import socket

import pytest
from peers import Client, Recorder

import iocpreuse


def has_ipv6():
    try:
        with socket.socket(socket.AF_INET6) as sock:
            sock.bind(("::1", 0))
    except OSError:
        return False
    return True


needs_ipv6 = pytest.mark.skipif(not has_ipv6(), reason="this system has no IPv6")


def check_echo(address):
    with Client(address) as client:
        assert client.ask(b"x") == b"x"


def test_port_zero_is_any_free_one(serve):
    first, second = serve(), serve()
    assert first.address[0] == "127.0.0.1"
    assert first.address[1] != second.address[1] != 0
    check_echo(first.address)
    check_echo(second.address)


@needs_ipv6
def test_ipv6(serve):
    server = serve(Recorder, "::1")
    assert server.address[0] == "::1"
    assert len(server.address) == 4
    check_echo(server.address)
    session, _ = server.next_end()
    assert session.peername[0] == "::1"
    assert len(session.peername) == 4


def test_no_host_is_every_interface(serve):
    server = serve(Recorder, None)
    check_echo(("127.0.0.1", server.address[1]))
    if has_ipv6() and socket.has_dualstack_ipv6():
        assert server.address[0] == "::"
        check_echo(("::1", server.address[1]))


@needs_ipv6
def test_dual_stack_and_not(serve):
    both = serve(Recorder, "::")
    check_echo(("127.0.0.1", both.address[1]))
    check_echo(("::1", both.address[1]))
    session, _ = both.next_end()
    assert session.peername[0] == "::ffff:127.0.0.1"
    only = serve(Recorder, "::", dual_stack=False)
    check_echo(("::1", only.address[1]))
    with pytest.raises(ConnectionError):
        Client(("127.0.0.1", only.address[1]))


def test_no_host_without_dual_stack_is_ipv4(serve):
    server = serve(Recorder, None, dual_stack=False)
    assert server.address[0] == "0.0.0.0"


def test_name(serve):
    server = serve(Recorder, "localhost")
    assert server.address[0] == "127.0.0.1"
    check_echo(server.address)


def test_name_that_does_not_resolve():
    server = Recorder("no-such-host.invalid")
    with pytest.raises(socket.gaierror):
        server.start()


def test_address_of_another_machine():
    server = Recorder("192.0.2.1", 5)
    with pytest.raises(OSError, match=r"192\.0\.2\.1 port 5") as caught:
        server.start()
    assert caught.value.errno == errno.EADDRNOTAVAIL


def test_taken_port_is_the_error_that_python_knows(serve):
    first = serve()
    second = Recorder("127.0.0.1", first.address[1])
    with pytest.raises(OSError, match=f"127.0.0.1 port {first.address[1]}") as caught:
        second.start()
    error = caught.value
    assert error.errno == errno.EADDRINUSE
    assert getattr(error, "winerror", 10048) == 10048
    check_echo(first.address)
    # It may be tried again.
    first.stop()
    with second:
        check_echo(second.address)


def test_port_is_free_again_after_stop(serve):
    port = 0
    for _ in range(3):
        with Recorder("127.0.0.1", port) as server:
            port = server.address[1]
            check_echo(server.address)
            server.next_end()


def test_sock(serve):
    sock = socket.create_server(("127.0.0.1", 0))
    address = sock.getsockname()
    server = serve(Recorder, None, sock=sock)
    assert sock.fileno() == -1  # it is the server's now
    assert server.address == address
    for _ in range(3):
        check_echo(address)
    server.stop()
    with pytest.raises(ConnectionError):
        Client(address)
    sock.close()


def test_sock_with_clients_waiting(serve):
    with socket.create_server(("127.0.0.1", 0)) as sock, Client(sock.getsockname()) as client:
        client.sendall(b"early")
        serve(Recorder, None, sock=sock)
        assert client.receive(5) == b"early"


def test_sock_that_was_closed_meanwhile():
    sock = socket.create_server(("127.0.0.1", 0))
    server = iocpreuse.Server(sock=sock)
    sock.close()
    with pytest.raises(OSError, match="sock has been closed"):
        server.start()
