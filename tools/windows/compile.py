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
FLAGS = ["-std=c11", "-fsyntax-only", "-Wall", "-Wextra", "-Werror"]
FLAGS += ["-D_WIN32_WINNT=0x0A00", "-DWINVER=0x0A00"]


def main() -> int:
    """Checks csrc as the three wheels for Windows compile it, and as free-threaded Python's."""
    toolchain.msvc()
    files = tree.c_files(*(tree.CSRC / name for name in ("io", "io/iocp", "engine", "py")))
    variants = [(f"--target={name}-pc-windows-msvc",) for name in PROCESSORS]
    variants.append((f"--target={PROCESSORS[0]}-pc-windows-msvc", "-DPy_GIL_DISABLED=1"))
    commands = [_command(path, *variant) for variant in variants for path in files]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        good = list(pool.map(_compiles, commands))
    print(f"MSVC semantics: {sum(good)} of {len(good)} compile checks are good")
    return 0 if all(good) and good else 1


def _command(path: Path, *flags: str) -> list[str]:
    headers = [
        *("-isystem", str(python.home() / "include")),
        *("-isystem", str(toolchain.WINE_HEADERS / "windows")),
        *("-isystem", str(toolchain.WINE_HEADERS / "msvcrt")),
        *("-include", str(GAPS)),
        f"-I{tree.CSRC / 'io' / 'iocp'}",
    ]
    version = f'-DIOCPREUSE_VERSION="{tree.version()}"'
    return [toolchain.CLANG, *flags, *FLAGS, *headers, version, str(path)]


def _compiles(command: list[str]) -> bool:
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    if ran.returncode != 0:
        print(f"{' '.join(command[1:3])} {command[-1]}\n{ran.stderr}", flush=True)
    return ran.returncode == 0
