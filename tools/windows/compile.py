"""Compile checks with MSVC semantics: every C file for three processors, by clang."""

import os
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tools import tree
from tools.windows import python, toolchain

# What Windows declares and the headers of Wine do not.
GAPS = Path(__file__).with_name("wine_gaps.h")
PROCESSORS = ("x86_64", "aarch64", "i686")
SYSTEM = ("-D_WIN32_WINNT=0x0A00", "-DWINVER=0x0A00")
STRICT = ("-std=c11", "-fsyntax-only", "-Wall", "-Wextra", "-Werror")
FREE_THREADED = "-DPy_GIL_DISABLED=1"


def main() -> int:
    """Checks csrc as the three wheels for Windows compile it, as free-threaded Python's does,
    and as mingw does."""
    toolchain.mingw()
    toolchain.msvc()
    files = tree.c_files(*(tree.CSRC / name for name in ("io", "io/iocp", "tls", "py")))
    files += tree.engine_files()
    package = ["-isystem", str(python.home() / "include"), tree.version_macro(), *STRICT]
    variants = [[toolchain.CLANG, *msvc_flags(name), *package] for name in PROCESSORS]
    variants.append([toolchain.CLANG, *msvc_flags(PROCESSORS[0]), FREE_THREADED, *package])
    variants.append([toolchain.MINGW_CC, *_flags(), *package, "-Wconversion"])
    commands = [[*variant, str(path)] for variant in variants for path in files]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        good = list(pool.map(_compiles, commands))
    print(f"compile checks for Windows: {sum(good)} of {len(good)} are good")
    return 0 if all(good) and good else 1


def msvc_flags(processor: str) -> list[str]:
    """What has clang compile for PROCESSOR as Microsoft's compiler does."""
    return [
        f"--target={processor}-pc-windows-msvc",
        *("-isystem", str(toolchain.WINE_HEADERS / "windows")),
        *("-isystem", str(toolchain.WINE_HEADERS / "msvcrt")),
        *("-include", str(GAPS)),
        *_flags(),
    ]


def _flags() -> list[str]:
    return [*SYSTEM, f"-I{tree.CSRC / 'io' / 'iocp'}"]


def _compiles(command: list[str]) -> bool:
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    if ran.returncode != 0:
        print(f"{' '.join(command[:2])}: {command[-1]}\n{ran.stderr}", flush=True)
    return ran.returncode == 0
