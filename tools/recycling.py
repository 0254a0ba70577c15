"""Proves that sockets are recycled, with the demo's own figures: python tools/recycling.py"""

import json
import subprocess
import sys
from typing import Any

# -P: the demo is the installed package's, also where this is run in the tree.
DEMO = ("-P", "-m", "iocpreuse", "demo", "--json", "--clients", "50", "--connections", "2000")
# So many connections have to be served by a socket, on the average. Those that a client has
# reset do not count: such a socket cannot be used again.
SERVED_PER_SOCKET_MIN = 10


def faults(output: str) -> list[str]:
    """What is wrong with the figures that the demo printed as its last line."""
    try:
        figures: dict[str, Any] = json.loads(output.strip().rpartition("\n")[2])
    except ValueError:
        return ["the demo ended without its figures"]
    found = []
    if figures["recycling"] != "verified":
        found.append(f"recycling is {figures['recycling']}, not verified")
    served, created = figures["connections_served"], figures["sockets_created"]
    reset = figures["replaced_by_cause"].get("reset", 0)
    print(f"{served} connections served by {created} sockets; {reset} were reset", flush=True)
    if served - reset < (created - reset) * SERVED_PER_SOCKET_MIN:
        found.append(f"{created} sockets for {served} connections are too many")
    return found + list(figures["failures"])


def main() -> int:
    ran = subprocess.run([sys.executable, *DEMO], stdout=subprocess.PIPE, text=True, check=False)
    found = faults(ran.stdout)
    if found:
        print(ran.stdout)
    for fault in found:
        print(fault)
    return 1 if found or ran.returncode != 0 else 0


if __name__ == "__main__":
    sys.exit(main())
