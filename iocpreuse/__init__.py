"""TCP servers on Windows I/O completion ports that recycle their sockets.

Subclass `Server`, override what you need, and serve:

    class Echo(iocpreuse.Server):
        def on_data(self, session, data):
            session.send(data)

    Echo("127.0.0.1", 7007).serve_forever()
"""

from iocpreuse import _engine
from iocpreuse._engine import Session
from iocpreuse._version import __version__
from iocpreuse.errors import (
    IocpReuseError,
    LoginConflict,
    ServerStateError,
    SessionClosed,
    StaleSession,
    WriteOverflow,
)
from iocpreuse.framing import Framing
from iocpreuse.options import Options
from iocpreuse.pending import Aborted, Pending
from iocpreuse.reason import CloseReason, Disconnect
from iocpreuse.server import Server
from iocpreuse.session import NetId, SessionId
from iocpreuse.stats import Stats

if _engine.__version__ != __version__:
    raise ImportError(
        f"iocpreuse {__version__} found an extension built for {_engine.__version__} "
        f"({_engine.__file__}); install it again"
    )

__all__ = [
    "Aborted",
    "CloseReason",
    "Disconnect",
    "Framing",
    "IocpReuseError",
    "LoginConflict",
    "NetId",
    "Options",
    "Pending",
    "Server",
    "ServerStateError",
    "Session",
    "SessionClosed",
    "SessionId",
    "StaleSession",
    "Stats",
    "WriteOverflow",
    "__version__",
]
