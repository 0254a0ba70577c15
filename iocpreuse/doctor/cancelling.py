"""Questions about CancelIoEx: what it does to a DisconnectEx that waits, and to a receive."""

import time
from typing import Any, Final

from iocpreuse.doctor import winsock
from iocpreuse.doctor.answer import Answer, does_not_apply
from iocpreuse.doctor.connection import Connection, Refused, read_to_the_end
from iocpreuse.doctor.winsock import NO_ERROR, PENDING, Operation, Port

LAST_ANSWER: Final = b"last" * 8192  # it fits what a client's system buffers
# A DisconnectEx that has not ended by then waits for something.
PATIENCE_SECONDS: Final = 0.5
# What a cancel brings, it brings soon; there are several of these in one question.
CANCEL_SECONDS: Final = 2.0


def cancel_disconnect() -> Answer:
    """Once with the client still there, and once when only TIME_WAIT is left."""
    figures = {
        "client_there": _cancel_one(client_leaves=False),
        "time_wait": _cancel_one(client_leaves=True),
    }
    parts = [
        f"with the client still there {_in_words(figures['client_there'])}",
        f"with the client gone {_in_words(figures['time_wait'])}",
    ]
    if not any(each["waited"] for each in figures.values()):
        return does_not_apply("DisconnectEx does not wait here: " + "; ".join(parts), figures)
    return Answer("; ".join(parts), figures)


def _cancel_one(*, client_leaves: bool) -> dict[str, Any]:
    connection = Connection(Port())
    connection.server.sendall(LAST_ANSWER)
    operation = Operation()
    error = winsock.disconnect(connection.port, connection.server, operation)
    if error not in (NO_ERROR, PENDING):
        raise Refused(f"DisconnectEx gives error {error}")
    told: dict[str, Any] = {}
    if client_leaves:
        told["client_read"], told["client_end"] = read_to_the_end(connection.client)
        connection.client.close()
    told["waited"] = not connection.port.wait(operation, PATIENCE_SECONDS)
    if told["waited"]:
        told |= _cancel(connection, operation)
    else:
        told |= {
            "ended_ms": round(operation.seconds * 1000, 3),
            "status": f"{operation.status:08X}",
        }
    if not client_leaves:
        told["client_read"], told["client_end"] = read_to_the_end(connection.client)
    connection.close()
    return told


def _cancel(connection: Connection, operation: Operation) -> dict[str, Any]:
    """Cancels; where that brings no end, closes the socket."""
    begin = time.perf_counter()
    told: dict[str, Any] = {
        "cancel_error": winsock.cancel(connection.server, operation),
        "cancelled": connection.port.wait(operation, CANCEL_SECONDS),
    }
    if not told["cancelled"]:
        begin = time.perf_counter()
        connection.server.close()
        told["closed_brought_end"] = connection.port.wait(operation, CANCEL_SECONDS)
    if operation.ended_at is not None:
        told["end_after_ms"] = round((operation.ended_at - begin) * 1000, 3)
        told["status"] = f"{operation.status:08X}"
    return told


def _in_words(told: dict[str, Any]) -> str:
    read = f"the client read {told['client_read']:,} of {len(LAST_ANSWER):,} bytes and "
    read += told["client_end"]
    if not told["waited"]:
        return f"it ended by itself in {told['ended_ms']:.3g} ms ({told['status']}), {read}"
    if told["cancelled"]:
        end = f"the cancel ended it in {told['end_after_ms']:.3g} ms ({told['status']})"
    elif told["closed_brought_end"]:
        end = (
            f"the cancel (error {told['cancel_error']}) brought nothing in {CANCEL_SECONDS:g} s, "
            f"closesocket ended it in {told['end_after_ms']:.3g} ms ({told['status']})"
        )
    else:
        end = f"neither the cancel (error {told['cancel_error']}) nor closesocket ended it"
    return f"it waited, {end}, {read}"


def cancel_receive() -> Answer:
    """A receive with nothing to receive."""
    connection = Connection(Port())
    begun, operation = connection.receive()
    if begun != PENDING:
        raise Refused(f"WSARecv with nothing to receive gives error {begun}")
    begin = time.perf_counter()
    error = winsock.cancel(connection.server, operation)
    figures: dict[str, Any] = {"cancel_error": error}
    figures["heard"] = connection.port.wait(operation, CANCEL_SECONDS)
    if figures["heard"]:
        assert operation.ended_at is not None
        figures["end_after_ms"] = round((operation.ended_at - begin) * 1000, 3)
        figures["status"] = f"{operation.status:08X}"
    connection.close()
    if not figures["heard"]:
        return Answer(f"yes, this one: nothing in {CANCEL_SECONDS:g} s (error {error})", figures)
    return Answer(
        f"not this one: the receive ended {figures['end_after_ms']:.3g} ms after the cancel "
        f"({figures['status']})",
        figures,
    )
