"""What Windows tells a program whose console is closed: watch_console. Windows only.

Ctrl-C and Ctrl-Break come as signals. The end of the console, of the session or of the system does
not: Windows calls a handler in a thread of its own, gives it a few seconds, and ends the process
when it returns.
"""

import atexit
import contextlib
import ctypes
import sys
import time
from collections.abc import Callable, Iterator
from ctypes import wintypes
from typing import Final

assert sys.platform == "win32"

CTRL_CLOSE_EVENT: Final = 2
CTRL_LOGOFF_EVENT: Final = 5
CTRL_SHUTDOWN_EVENT: Final = 6

# Windows waits 5 s for a handler of a console that is closed, then ends the process anyway.
WAIT_SECONDS: Final = 4.5

_kernel32: Final = ctypes.WinDLL("kernel32", use_last_error=True)
_HANDLER: Final = ctypes.WINFUNCTYPE(wintypes.BOOL, wintypes.DWORD)
_kernel32.SetConsoleCtrlHandler.argtypes = (_HANDLER, wintypes.BOOL)
_kernel32.SetConsoleCtrlHandler.restype = wintypes.BOOL
_kernel32.GetCurrentProcessId.restype = wintypes.DWORD
_kernel32.ProcessIdToSessionId.argtypes = (wintypes.DWORD, wintypes.LPDWORD)
_kernel32.ProcessIdToSessionId.restype = wintypes.BOOL

# No lock: a Ctrl-C in the main thread could leave it held. Each call on the list is one step.
_watchers: list[Callable[[], None]] = []
_registered = False
_closing = False


def is_service() -> bool:
    """Whether this process is in session 0, where services are, and no user is."""
    session = wintypes.DWORD()
    process = _kernel32.GetCurrentProcessId()
    return bool(_kernel32.ProcessIdToSessionId(process, session)) and session.value == 0


def _ends_us(event: int) -> bool:
    # A service hears of it when any user logs off, and goes on.
    return event in (CTRL_CLOSE_EVENT, CTRL_SHUTDOWN_EVENT) or (
        event == CTRL_LOGOFF_EVENT and not is_service()
    )


def _handle(event: int) -> bool:
    global _closing
    watchers = tuple(_watchers)
    ends = _ends_us(event)
    _closing = _closing or (ends and bool(watchers))
    if not watchers or not ends:
        # False: on to the next handler, which makes signals of Ctrl-C and Ctrl-Break. It would make
        # one of a log-off as well.
        return bool(watchers) and event == CTRL_LOGOFF_EVENT
    for tell in watchers:
        tell()
    # To return is to be killed. The program ends by itself meanwhile, and this thread with it.
    time.sleep(WAIT_SECONDS)
    return True


# The system may be in it at any time, so it lives as long as the process.
HANDLER: Final = _HANDLER(_handle)


def _register() -> None:
    """Once: the system calls handlers under a lock, and one that is taken off waits for it.

    In the main thread only.
    """
    global _registered
    if not _registered:
        if not _kernel32.SetConsoleCtrlHandler(HANDLER, True):
            raise ctypes.WinError(ctypes.get_last_error())
        _registered = True


@atexit.register
def _unregister() -> None:
    # Not while it sleeps in another thread: that thread ends with the process.
    if _registered and not _closing:
        _kernel32.SetConsoleCtrlHandler(HANDLER, False)


@contextlib.contextmanager
def watch_console(tell: Callable[[], None]) -> Iterator[None]:
    """Calls TELL, in a foreign thread, when Windows is about to end the process, in the block.

    The program then has WAIT_SECONDS to come to its end. TELL must not block.
    """
    try:
        _register()
        _watchers.append(tell)
        yield
    finally:
        with contextlib.suppress(ValueError):
            _watchers.remove(tell)
