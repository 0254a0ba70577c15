"""What runs here: versions of the package, Python and the system."""

import platform
import sys
import sysconfig
from pathlib import Path
from typing import Any

from iocpreuse import __version__, _engine
from iocpreuse.doctor import winsock
from iocpreuse.options import gil_enabled, processors


def _windows() -> str:
    """By calls that cannot crash: platform's own go through WMI, which old Wines do not have."""
    if sys.platform != "win32":
        return ""
    import winreg

    version = sys.getwindowsversion()
    name = f"Windows {'.'.join(map(str, version.platform_version))}"
    try:
        with winreg.OpenKey(
            winreg.HKEY_LOCAL_MACHINE, r"SOFTWARE\Microsoft\Windows NT\CurrentVersion"
        ) as key:
            update = winreg.QueryValueEx(key, "UBR")[0]
            name += f".{update}"
    except OSError:
        pass  # older than Windows 10, or Wine
    edition = {1: "workstation", 2: "domain controller", 3: "server"}.get(version.product_type, "?")
    return f"{name} ({edition})"


def _elsewhere() -> str:
    try:
        name = platform.freedesktop_os_release()["PRETTY_NAME"] + ", "
    except (OSError, KeyError):
        name = ""
    return f"{name}{platform.system()} {platform.release()}"


def machine() -> str:
    """The processor that this Python was built for."""
    return sysconfig.get_platform().rpartition("-")[2]


def describe() -> dict[str, Any]:
    """All of it, for JSON."""
    return {
        "package": __version__,
        "backend": _engine.backend,
        "extension": Path(_engine.__file__).name,
        "python": sys.version.split()[0],
        "implementation": sys.implementation.name,
        "compiler": platform.python_compiler(),
        "debug_build": hasattr(sys, "gettotalrefcount"),
        "free_threaded_build": bool(sysconfig.get_config_var("Py_GIL_DISABLED")),
        "gil": gil_enabled(),
        "os": _windows() if winsock.AVAILABLE else _elsewhere(),
        "wine": winsock.wine_version(),
        "machine": machine(),
        "processors": processors(),
    }
