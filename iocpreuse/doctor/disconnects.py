"""How long DisconnectEx takes, by who ended the connection: the client, we, or a reset."""

import time
from collections.abc import Callable
from typing import Any, Final

from iocpreuse.doctor import winsock
from iocpreuse.doctor.answer import Answer
from iocpreuse.doctor.connection import (
    WAIT_SECONDS,
    Connection,
    open_listener,
    read_to_the_end,
    reset,
)
from iocpreuse.doctor.histogram import Histogram
from iocpreuse.doctor.winsock import NO_ERROR, PENDING, Operation, Port

SAMPLES_MAX: Final = 100
# How long each one is waited for before the next begins; the others are waited for at the end.
GLANCE_SECONDS: Final = 0.05


class Sample:
    """Many disconnects of one kind."""

    def __init__(self, prepare: Callable[[Connection], None]) -> None:
        """PREPARE brings a new connection to where DisconnectEx is called."""
        self._prepare = prepare
        self._port = Port()
        self._listener = open_listener()
        self._port.associate(self._listener)
        self._running: list[tuple[Connection, Operation]] = []
        self.histogram = Histogram()

    def run(self, until: float) -> None:
        """As many as can be had until then, SAMPLES_MAX at most."""
        for _ in range(SAMPLES_MAX):
            if time.perf_counter() > until:
                break
            self._one()

    def _one(self) -> None:
        connection = Connection(self._port, self._listener)
        self._prepare(connection)
        operation = Operation()
        error = winsock.disconnect(self._port, connection.server, operation)
        if error not in (NO_ERROR, PENDING):
            self.histogram.refuse(f"error {error}")
            connection.server.close()
            connection.client.close()
            return
        self._running.append((connection, operation))
        if connection.client.fileno() != -1:  # we are first: the client follows at once
            read_to_the_end(connection.client)
            connection.client.close()
        self._port.wait(operation, GLANCE_SECONDS)

    def finish(self, until: float) -> None:
        """Waits until then for what has not ended; counts all."""
        for connection, operation in self._running:
            left = until - time.perf_counter()
            if not self._port.wait(operation, max(0.0, left)):
                self.histogram.still_waiting += 1
            elif operation.status != 0:
                self.histogram.refuse(f"status {operation.status:08X}")
            else:
                self.histogram.add(operation.seconds)
            connection.server.close()


def _client_first(connection: Connection) -> None:
    _, operation = connection.receive()
    connection.client.close()
    connection.port.wait(operation, WAIT_SECONDS)  # our side has seen the FIN


def _reset(connection: Connection) -> None:
    _, operation = connection.receive()
    reset(connection.client)
    connection.port.wait(operation, WAIT_SECONDS)


def _we_first(connection: Connection) -> None:
    """The client is still there."""


KINDS: Final = {"client_first": _client_first, "we_first": _we_first, "reset": _reset}


def measure(seconds: float) -> Answer:
    """In so many SECONDS: a fifth for each kind, the rest for those that wait."""
    begin = time.perf_counter()
    samples = {kind: Sample(prepare) for kind, prepare in KINDS.items()}
    for number, sample in enumerate(samples.values(), 1):
        sample.run(begin + seconds * number / 5)
    waited_from = time.perf_counter()
    for sample in samples.values():
        sample.finish(begin + seconds)
    figures: dict[str, Any] = {kind: each.histogram.as_json() for kind, each in samples.items()}
    figures["waited_seconds"] = round(time.perf_counter() - waited_from, 3)
    return Answer("; ".join(map(_in_words, KINDS, figures.values())), figures)


def _in_words(kind: str, figures: dict[str, Any]) -> str:
    words = [f"{kind.replace('_', ' ')}: {figures['ended']} of {figures['count']} ended"]
    if figures["ended"]:
        words.append(f"median {figures['median_ms']:.3g} ms, at most {figures['max_ms']:.3g} ms")
    if figures["still_waiting"]:
        words.append(f"{figures['still_waiting']} still waited when we stopped looking")
    words += [f"{count} gave {why}" for why, count in figures["refused"].items()]
    return ", ".join(words)
