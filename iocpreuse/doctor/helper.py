"""What a step needs another process for: `python -m iocpreuse.doctor.helper NAME ...`."""

import json
import socket
import sys
import threading
import time
from typing import Any, Final

from iocpreuse.doctor.listening import exclusive_socket
from iocpreuse.doctor.recycling import ask

STAY_SECONDS_MAX: Final = 60.0


def predecessor(count: str) -> None:
    """Serves COUNT clients, sends them its FINs when stdin ends, and goes."""
    with exclusive_socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        listener.settimeout(STAY_SECONDS_MAX)
        print(listener.getsockname()[1], flush=True)
        clients = [listener.accept()[0] for _ in range(int(count))]
        sys.stdin.read()
        for client in clients:
            client.shutdown(socket.SHUT_WR)
            client.close()


class Crowd:
    """Clients of one round, some at once."""

    def __init__(self, port: int, connections: int) -> None:
        """CONNECTIONS to PORT of loopback."""
        self._port = port
        self._left = connections
        self._taking = threading.Lock()
        self._errors: list[str] = []

    def run(self, at_once: int) -> dict[str, Any]:
        """All of them: how long it took, and what failed."""
        threads = [threading.Thread(target=self._come_and_go) for _ in range(at_once)]
        begin = time.perf_counter()
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        seconds = time.perf_counter() - begin
        error = self._errors[0] if self._errors else None
        return {"seconds": seconds, "failed": len(self._errors), "error": error}

    def _come_and_go(self) -> None:
        while self._take():
            try:
                if not ask(("127.0.0.1", self._port), b"churn" * 10):
                    self._errors.append("wrong bytes")
            except OSError as exc:
                self._errors.append(str(exc))

    def _take(self) -> bool:
        with self._taking:
            self._left -= 1
            return self._left >= 0


def clients() -> None:
    """A round for each line of stdin, which says port, connections, and how many at once."""
    for line in sys.stdin:
        port, connections, at_once = map(int, line.split())
        print(json.dumps(Crowd(port, connections).run(at_once)), flush=True)


if __name__ == "__main__":
    if sys.argv[1] == "predecessor":
        predecessor(sys.argv[2])
    else:
        clients()
