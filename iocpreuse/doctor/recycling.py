"""Does recycling hold: a real server, and clients that come one by one and close first."""

import queue
import socket
import time
from typing import Any, Final

import iocpreuse
from iocpreuse.doctor.answer import Answer

ROUNDS: Final = 1000
SHARE_MIN: Final = 0.99  # of the connections have to leave a socket that serves another
SETTLE_SECONDS: Final = 3.0
CALL_SECONDS: Final = 5.0


class Echo(iocpreuse.Server):
    """An echo that tells of each end."""

    def __init__(self, **options: Any) -> None:
        """On loopback, with the options that a user has who gives none."""
        super().__init__("127.0.0.1", 0, **options)
        self.ended: queue.SimpleQueue[str] = queue.SimpleQueue()

    def on_data(self, session: iocpreuse.Session, data: bytes) -> None:
        """The same again."""
        session.send(data)

    def on_disconnect(self, session: iocpreuse.Session, why: iocpreuse.Disconnect) -> None:
        """One less."""
        self.ended.put(why.reason.name)


def ask(address: tuple[Any, ...], message: bytes) -> bool:
    """One client from its connect to its close; whether it got its own bytes back."""
    with socket.create_connection(address[:2], timeout=CALL_SECONDS) as client:
        client.sendall(message)
        answer = b""
        while len(answer) < len(message) and (part := client.recv(len(message) - len(answer))):
            answer += part
    return answer == message


def _settled(server: iocpreuse.Server, rounds: int) -> iocpreuse.Stats:
    """The figures when every socket is where it belongs, or after a while."""
    end = time.monotonic() + SETTLE_SECONDS
    while True:
        stats = server.stats()
        back = stats.sockets_recycled + stats.sockets_replaced
        if (stats.connections_active == 0 and back >= rounds) or time.monotonic() > end:
            return stats
        time.sleep(0.01)


def measure(seconds: float) -> Answer:
    """ROUNDS of it, or as many as SECONDS allow."""
    begin = time.monotonic()
    rounds = wrong = ended = 0
    with Echo() as server:
        while rounds < ROUNDS and time.monotonic() < begin + seconds:
            wrong += not ask(server.address, b"round %06d" % rounds)
            rounds += 1
        took = time.monotonic() - begin
        try:
            for _ in range(rounds):
                server.ended.get(timeout=SETTLE_SECONDS)
                ended += 1
        except queue.Empty:
            pass
        stats = _settled(server, rounds)
        state = server.recycling
    figures: dict[str, Any] = {
        "recycling": state,
        "rounds": rounds,
        "wrong_answers": wrong,
        "ends_told": ended,
        "connections_total": stats.connections_total,
        "sockets_created": stats.sockets_created,
        "sockets_recycled": stats.sockets_recycled,
        "sockets_replaced": stats.sockets_replaced,
        "replaced_by_cause": dict(stats.replaced_by_cause),
        "seconds": round(took, 3),
    }
    figures["failures"] = faults(figures)
    return Answer(_in_words(figures), figures)


def faults(figures: dict[str, Any]) -> list[str]:
    """What must not be so; empty if all is well."""
    found = []
    rounds = figures["rounds"]
    if figures["wrong_answers"]:
        found.append(f"{figures['wrong_answers']} of {rounds} clients got wrong bytes, or none")
    if figures["ends_told"] != rounds or figures["connections_total"] != rounds:
        served, ended = figures["connections_total"], figures["ends_told"]
        found.append(f"{rounds} clients came, {served} were served, the end of {ended} was told")
    if figures["recycling"] == "verified" and figures["sockets_recycled"] < SHARE_MIN * rounds:
        found.append(f"only {figures['sockets_recycled']} of {rounds} sockets were recycled")
    return found


def _in_words(figures: dict[str, Any]) -> str:
    counts = (
        f"{figures['rounds']:,} rounds of a client that closes first: "
        f"{figures['sockets_created']:,} sockets made, {figures['sockets_recycled']:,} recycled, "
        f"{figures['sockets_replaced']:,} closed and replaced"
    )
    if figures["failures"]:
        return f"{figures['recycling']}, and it FAILS: {counts}; {'; '.join(figures['failures'])}"
    held = "it holds" if figures["recycling"] == "verified" else "sockets are closed and replaced"
    return f"{figures['recycling']}, {held}: {counts}"
