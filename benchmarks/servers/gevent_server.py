"""gevent's StreamServer: a greenlet for each client."""

import socket
from collections.abc import Callable

import gevent
from gevent.server import StreamServer
from gevent.socket import socket as GreenSocket

from benchmarks.servers import task

RECEIVE_MAX = 64 * 1024
members: set[GreenSocket] = set()


def echo(client: GreenSocket) -> None:
    """Sends back what comes."""
    while data := client.recv(RECEIVE_MAX):
        client.sendall(data)


def framed(client: GreenSocket) -> None:
    """Answers each message behind a length; the answers to one segment go out together."""
    rest = b""
    while data := client.recv(RECEIVE_MAX):
        messages, rest = task.cut_frames(rest + data if rest else data)
        client.sendall(b"".join([task.pack_frame(message) for message in messages]))


def chat(client: GreenSocket) -> None:
    """Sends what comes to everybody."""
    members.add(client)
    client.sendall(task.GREETING)
    try:
        while data := client.recv(RECEIVE_MAX):
            for member in tuple(members):
                member.sendall(data)
    finally:
        members.discard(client)


def blocking(client: GreenSocket) -> None:
    """Has gevent's threads wait, as its documentation says for code that blocks."""
    pool = gevent.get_hub().threadpool
    while data := client.recv(RECEIVE_MAX):
        pool.apply(task.block)
        client.sendall(data)


HANDLERS: dict[str, Callable[[GreenSocket], None]] = {
    "echo": echo,
    "framed": framed,
    "chat": chat,
    "broadcast": chat,
    "blocking": blocking,
}


def main() -> None:
    """Serves until it is killed."""
    arguments = task.read_task(__doc__, *HANDLERS)
    handler = HANDLERS[arguments.role]

    def handle(client: GreenSocket, _address: object) -> None:
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            handler(client)
        except ConnectionError:
            pass
        finally:
            client.close()

    def serve() -> None:
        gevent.get_hub().threadpool.maxsize = 8
        server = StreamServer((task.HOST, 0), handle, backlog=task.BACKLOG)
        server.start()
        task.announce(server.server_port, gevent=gevent.__version__)
        server.serve_forever()

    task.run(serve, computing=arguments.computing)


main()
