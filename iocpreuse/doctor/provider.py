"""Who carries TCP here: Winsock's providers, and whether their sockets are real handles."""

import socket
from typing import Final

from iocpreuse.doctor import winsock
from iocpreuse.doctor.answer import Answer

IFS_HANDLES: Final = 0x20000  # XP1_IFS_HANDLES: without it no completion port, no reuse


def look() -> Answer:
    """The catalog's entries for TCP, and the one that a socket of ours comes from."""
    catalog = winsock.protocols()
    tcp = [each for each in catalog if each.protocol == socket.IPPROTO_TCP]
    layered = sorted({each.name for each in tcp if each.chain_length != 1})
    with socket.socket() as sock:
        ours = winsock.provider_of(sock)
    handles = bool(ours.service_flags[0] & IFS_HANDLES)
    figures = {
        "provider": ours.name,
        "ifs_handles": handles,
        "layered": layered,
        "catalog": [
            {
                "name": each.name,
                "family": each.family,
                "chain_length": each.chain_length,
                "ifs_handles": bool(each.service_flags[0] & IFS_HANDLES),
            }
            for each in tcp
        ],
    }
    text = f"sockets come from {ours.name!r}, " + (
        "real handles" if handles else "NOT real handles: reuse cannot work"
    )
    text += f"; layered above TCP: {', '.join(layered)}" if layered else "; nothing layered above"
    return Answer(text, figures)
