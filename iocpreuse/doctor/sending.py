"""Questions about sends and completions: threads that end, and success that brings no packet."""

import socket
import threading
import time
from typing import Any, Final

from iocpreuse.doctor import winsock
from iocpreuse.doctor.answer import Answer, does_not_apply
from iocpreuse.doctor.connection import WAIT_SECONDS, Connection, Refused
from iocpreuse.doctor.winsock import NO_ERROR, PENDING, Operation, Port

ROUNDS: Final = 8
PIECE: Final = bytes(range(256)) * 64
PIECES_MAX: Final = 4096
WOULD_BLOCK: Final = 10035
GLANCE_SECONDS: Final = 0.3
BIG_SEND: Final = bytes(8 << 20)  # more than any system buffers


def without_overlapped() -> Answer:
    """A thread sends until nothing more goes, and ends; then the client reads."""
    sent = lost = 0
    for _ in range(ROUNDS):
        connection = Connection(Port())
        connection.server.setblocking(False)
        taken: list[int] = []
        _in_a_thread(lambda sock=connection.server, out=taken: out.append(_fill(sock)))
        connection.server.shutdown(socket.SHUT_WR)
        sent += taken[0]
        lost += taken[0] - _read_pattern(connection.client)
        connection.close()
    figures: dict[str, Any] = {"threads": ROUNDS, "bytes_taken": sent, "bytes_lost": lost}
    figures |= _with_overlapped()
    safe = "yes" if lost == 0 else "NO"
    text = f"{safe}: {ROUNDS} threads sent {sent:,} bytes and ended, {lost:,} were lost"
    return Answer(f"{text}; {_contrast(figures)}", figures)


def _in_a_thread(work: Any) -> None:
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()


def _fill(sock: socket.socket) -> int:
    """Sends until the system takes no more; how many bytes it took."""
    total = 0
    for _ in range(PIECES_MAX):
        at = total % len(PIECE)
        error, count = winsock.send_now(sock, PIECE[at:] + PIECE[:at])
        if error == WOULD_BLOCK:
            break
        if error:
            raise Refused(f"WSASend without OVERLAPPED gives error {error}")
        total += count
    return total


def _read_pattern(client: socket.socket) -> int:
    """How many bytes of the pattern come, until the end or the first wrong one."""
    count = 0
    while data := client.recv(len(PIECE)):
        at = count % len(PIECE)
        if data != (PIECE[at:] + PIECE[:at])[: len(data)]:
            break
        count += len(data)
    return count


def _with_overlapped() -> dict[str, Any]:
    """For contrast: a send that is pending when its thread ends."""
    connection = Connection(Port())
    operation = Operation(data=BIG_SEND)
    result: list[int] = []
    _in_a_thread(lambda: result.append(winsock.send(connection.port, connection.server, operation)))
    told: dict[str, Any] = {"overlapped_error": result[0]}
    told["overlapped_ended"] = connection.port.wait(operation, GLANCE_SECONDS)
    if told["overlapped_ended"]:
        told["overlapped_status"] = f"{operation.status:08X}"
    connection.close()
    return told


def _contrast(figures: dict[str, Any]) -> str:
    if figures["overlapped_error"] != PENDING:
        return f"an overlapped one of 8 MiB did not wait (error {figures['overlapped_error']})"
    if not figures["overlapped_ended"]:
        return "an overlapped one that was pending at its thread's end went on"
    return f"an overlapped one ended with its thread ({figures['overlapped_status']})"


def skip_on_success() -> Answer:
    """Receives that succeed at once, before and after the socket is recycled."""
    connection = Connection(Port())
    if error := winsock.skip_on_success(connection.server):
        return does_not_apply(f"SetFileCompletionNotificationModes gives error {error}")
    figures: dict[str, Any] = {"before": _packets(connection)}
    connection.client.close()
    _wait_for_fin(connection)
    operation = Operation()
    error = winsock.disconnect(connection.port, connection.server, operation)
    figures["disconnect_error"] = error
    if error not in (NO_ERROR, PENDING):
        raise Refused(f"DisconnectEx gives error {error}")
    figures["disconnect_packet"] = connection.port.wait(operation, GLANCE_SECONDS)
    try:
        connection.accept()
        _prove_alive(connection)
        figures["after"] = _packets(connection)
    except (Refused, OSError) as exc:
        why = f"the recycled socket is dead ({exc})"
        return does_not_apply(
            f"{why}; {_packets_in_words('a fresh one', figures['before'])}", figures
        )
    finally:
        connection.close()
    packet = "a packet" if figures["disconnect_packet"] else "no packet"
    returned = "at once" if error == NO_ERROR else "with 997"
    parts = [
        _packets_in_words("before", figures["before"]),
        f"DisconnectEx returned {returned} and brought {packet}",
        _packets_in_words("recycled", figures["after"]),
    ]
    if error == PENDING and not figures["disconnect_packet"]:
        verdict = "NO: a disconnect never ends"
    else:
        verdict = "yes" if figures["before"] == figures["after"] else "NO: a receive changes"
    return Answer(f"{verdict}: {'; '.join(parts)}", figures)


def _prove_alive(connection: Connection) -> None:
    """A receive that waits for its data, and a send: an unchanged Wine does neither any more."""
    error, operation = connection.receive()
    connection.client.sendall(b"x")
    if error == PENDING and not connection.port.wait(operation, WAIT_SECONDS):
        raise Refused(f"a receive brought no completion in {WAIT_SECONDS:g} s")
    error, count = winsock.send_now(connection.server, b"x")
    if error or count != 1:
        raise Refused(f"a send gives error {error}")


def _wait_for_fin(connection: Connection) -> None:
    error, operation = connection.receive()
    if error == PENDING:
        connection.finish(operation, "a receive of the client's FIN")


def _packets(connection: Connection) -> dict[str, Any]:
    """A receive with data there: whether it succeeds at once, and whether a packet comes."""
    connection.client.sendall(b"x")
    end = time.monotonic() + WAIT_SECONDS
    connection.server.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, round(WAIT_SECONDS * 1000))
    connection.server.recv(1, socket.MSG_PEEK)  # the byte is here
    if time.monotonic() > end:
        raise Refused("a byte did not come to the server's socket")
    error, operation = connection.receive()
    packet = connection.port.wait(operation, GLANCE_SECONDS if error == NO_ERROR else WAIT_SECONDS)
    if error == PENDING and not packet:
        raise Refused("a receive brought no completion")
    return {"receive_error": error, "packet": packet}


def _packets_in_words(when: str, told: dict[str, Any]) -> str:
    returned = "at once" if told["receive_error"] == NO_ERROR else f"with {told['receive_error']}"
    packet = "a packet" if told["packet"] else "no packet"
    return f"{when}, a receive returned {returned} and brought {packet}"
