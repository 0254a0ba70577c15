"""The programs that the Windows side needs here, from Debian's packages."""

from pathlib import Path

from tools import debian

MINGW_PREFIX = "x86_64-w64-mingw32-"
MINGW_CC = f"{MINGW_PREFIX}gcc"
OBJDUMP = f"{MINGW_PREFIX}objdump"

CLANG = "clang-19"
WINE_HEADERS = Path("/usr/include/wine/wine")


def wine() -> None:
    # procps has the `kill` with which a test sends Ctrl-C; a small Debian comes without it.
    debian.install("running under Wine", "wine", "wine64", "procps")


def mingw() -> None:
    debian.install("cross-building for Windows", "gcc-mingw-w64-x86-64")


def msvc() -> None:
    """Not Microsoft's compiler: clang with its semantics, and Wine's headers."""
    debian.install("compile checks with MSVC semantics", CLANG, "libwine-dev")


def wineserver() -> None:
    packages = "gcc libc6-dev perl patch xz-utils dpkg-dev autoconf autotools-dev flex bison make"
    debian.install("the mended wineserver", *packages.split())
