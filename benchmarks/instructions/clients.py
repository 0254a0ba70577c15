"""The clients of script.py: python clients.py SCENARIO PORT TIMES; exit code 0 if all came back."""

import socket
import sys
from collections.abc import Callable

MESSAGE = b"m" * 64
FRAMES = (len(MESSAGE).to_bytes(4, "big") + MESSAGE) * 16
CROWD = 20


def connect(port: int) -> socket.socket:
    """One of them. It gives up rather than waits for ever."""
    client = socket.create_connection(("127.0.0.1", port), timeout=60)
    client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return client


def take(client: socket.socket, expected: bytes) -> None:
    """Receives just that."""
    received = b""
    while len(received) < len(expected):
        piece = client.recv(len(expected) - len(received))
        if not piece:
            sys.exit("the server closed a connection")
        received += piece
    if received != expected:
        sys.exit("wrong bytes have come back")


def ping(port: int, times: int, message: bytes) -> None:
    """One client, one message after the other."""
    with connect(port) as client:
        for _ in range(times):
            client.sendall(message)
            take(client, message)


def crowd(port: int, times: int) -> None:
    """Many clients, each in its turn."""
    clients = [connect(port) for _ in range(CROWD)]
    for turn in range(times):
        client = clients[turn % CROWD]
        client.sendall(MESSAGE)
        take(client, MESSAGE)
    for client in clients:
        client.close()


def churn(port: int, times: int) -> None:
    """A new client for each message."""
    for _ in range(times):
        ping(port, 1, MESSAGE)


def chat(port: int, times: int) -> None:
    """One speaks, all hear it."""
    members = [connect(port) for _ in range(CROWD)]
    # The server knows a member for certain when it has heard it, and so has everybody before.
    for number, member in enumerate(members, 1):
        member.sendall(MESSAGE)
        for other in members[:number]:
            take(other, MESSAGE)
    for _ in range(times):
        members[0].sendall(MESSAGE)
        for member in members:
            take(member, MESSAGE)
    for member in members:
        member.close()


SCENARIOS: dict[str, Callable[[int, int], None]] = {
    "echo": lambda port, times: ping(port, times, MESSAGE),
    "framed": lambda port, times: ping(port, times, FRAMES),
    "crowd": crowd,
    "churn": churn,
    "chat": chat,
}

if __name__ == "__main__":
    SCENARIOS[sys.argv[1]](int(sys.argv[2]), int(sys.argv[3]))
