"""Questions about listening sockets: inherited events, adopted ones, a port just left by others."""

import os
import socket
import subprocess
import time
from typing import Any, Final

from iocpreuse.doctor import winsock
from iocpreuse.doctor.answer import Answer
from iocpreuse.doctor.child import start_helper
from iocpreuse.doctor.connection import WAIT_SECONDS, Connection, open_client, open_listener
from iocpreuse.doctor.winsock import FD_ACCEPT, FD_READ, Event, Port

GLANCE_SECONDS: Final = 0.3
CLIENTS: Final = 5
BIND_SECONDS: Final = 2.0
WOULD_BLOCK: Final = 10035


def context_events() -> Answer:
    """Events and blocking of an accepted socket, before and after the call."""
    connection = Connection(Port())
    event = Event()
    event.select(connection.listener, FD_ACCEPT | FD_READ)
    connection.client.close()
    connection.server.close()
    connection.server = socket.socket()
    connection.port.associate(connection.server)
    connection.accept(update=False)
    figures: dict[str, Any] = {"blocks_before": _blocks(connection.server)}
    event.take(connection.listener)
    winsock.update_accept_context(connection.server, connection.listener)
    figures["blocks_after"] = _blocks(connection.server)
    connection.client.sendall(b"x")
    figures["event_set"] = event.is_set(GLANCE_SECONDS)
    figures["events"] = event.take(connection.server)
    connection.close()
    copied = figures["event_set"] or bool(figures["events"] & FD_READ)
    modes = {True: "blocks", False: "does not block"}
    text = "yes: the accepted socket sets the event" if copied else "no: its data sets no event"
    text += f"; it {modes[figures['blocks_before']]} before the call"
    text += f", and {modes[figures['blocks_after']]} after it"
    return Answer(text, figures)


def _blocks(sock: socket.socket) -> bool:
    """Whether a receive with nothing to receive waits."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, 100)
    try:
        sock.recv(1)
    except OSError as exc:
        return getattr(exc, "winerror", 0) != WOULD_BLOCK
    return True


def adopted_listener() -> Answer:
    """A second handle of a listener, as another process would have it."""
    first, second = Port(), Port()
    listener = open_listener()
    # Before its events are selected: Python asks for blocking, which a socket with events refuses.
    adopted = listener.dup()
    first.associate(listener)
    ours, theirs = Event(), Event()
    ours.select(listener, FD_ACCEPT)
    figures: dict[str, Any] = {"second_port_error": second.associate(adopted)}
    figures["first_still_hears"] = _hears(listener, ours)
    figures["second_select_error"] = theirs.select(adopted, FD_ACCEPT)
    figures["second_hears_after_its_select"] = _hears(adopted, theirs)
    figures["first_hears_after_that"] = _hears(listener, ours)
    listener.close()
    adopted.close()
    error = figures["second_port_error"]
    refused = f"is refused (error {error})" if error else "is NOT refused"
    told = [f"a second port {refused}"]
    hears = {True: "still hears", False: "does not hear"}
    told.append(f"after that the first process {hears[figures['first_still_hears']]} of clients")
    told.append(f"after a second WSAEventSelect it {hears[figures['first_hears_after_that']]}")
    if error and not figures["first_hears_after_that"]:
        told.append("so associating comes first")
    return Answer("; ".join(told), figures)


def _hears(listener: socket.socket, event: Event) -> bool:
    """Whether EVENT is set by a client, who is accepted and closed then."""
    event.take(listener)
    with open_client(listener.getsockname()):
        heard = event.is_set(GLANCE_SECONDS)
        listener.accept()[0].close()
    return heard


def bind_again() -> Answer:
    """A process serves clients, sends them its FINs and ends; another one wants its port."""
    with start_helper("predecessor", str(CLIENTS)) as predecessor:
        port = int(_line(predecessor))
        clients = [open_client(("127.0.0.1", port)) for _ in range(CLIENTS)]
        assert predecessor.stdin is not None
        predecessor.stdin.close()  # it may close and end
        for client in clients:
            client.recv(1)  # its FIN
        predecessor.wait(WAIT_SECONDS)
    figures = {"fin_wait": _bind(port)}
    for client in clients:
        client.close()
    figures["time_wait"] = _bind(port)
    return Answer(
        f"with {CLIENTS} clients in FIN_WAIT {_bound(figures['fin_wait'])}; "
        f"when they have closed, too, {_bound(figures['time_wait'])}",
        figures,
    )


def _line(process: "subprocess.Popen[str]") -> str:
    assert process.stdout is not None
    return process.stdout.readline()


def exclusive_socket() -> socket.socket:
    """A socket with the options that the engine's listener has here."""
    sock = socket.socket()
    name = "SO_EXCLUSIVEADDRUSE" if os.name == "nt" else "SO_REUSEADDR"
    sock.setsockopt(socket.SOL_SOCKET, getattr(socket, name), 1)
    return sock


def _bind(port: int) -> dict[str, Any]:
    """Tries for a while; tells the first error, and after how long it went."""
    begin = time.monotonic()
    told: dict[str, Any] = {"first_error": 0}
    while True:
        try:
            with exclusive_socket() as sock:
                sock.bind(("127.0.0.1", port))
                sock.listen()
        except OSError as exc:
            told["first_error"] = told["first_error"] or getattr(exc, "winerror", exc.errno)
            if time.monotonic() > begin + BIND_SECONDS:
                return told | {"bound_after_seconds": None}
        else:
            return told | {"bound_after_seconds": round(time.monotonic() - begin, 3)}
        time.sleep(0.05)  # a bind has no event to wait for


def _bound(told: dict[str, Any]) -> str:
    if not told["first_error"]:
        return "the bind succeeds at once"
    if told["bound_after_seconds"] is None:
        return f"it FAILS with error {told['first_error']}, still after {BIND_SECONDS:g} s"
    after = told["bound_after_seconds"]
    return f"it fails with error {told['first_error']} first, and succeeds after {after:.3g} s"
