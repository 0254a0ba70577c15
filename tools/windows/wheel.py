"""The wheel for Windows, cross-built from the unmodified setup.py."""

import os
import re
import shutil
import subprocess
import zipfile
from pathlib import Path

from tools import cache, tree, venvs
from tools.windows import python, toolchain

# The pyd may need Python, Windows itself and the C library, nothing of mingw's own.
IMPORTS_ALLOWED = {f"{python.LIBRARY}.dll", "kernel32.dll", "ws2_32.dll", "msvcrt.dll"}
UCRT = re.compile(r"api-ms-win-crt-.*\.dll|ucrtbase\.dll")

CONFIG = """\
[build_ext]
include_dirs={home}/include
library_dirs={home}/libs
libraries={library}

[bdist_wheel]
plat_name=win_amd64
"""


class BadWheelError(Exception):
    """The wheel has not what it ought to have, or more."""


def build(out: Path) -> Path:
    """Builds the wheel into OUT and checks it."""
    toolchain.mingw()
    interpreter = str(venvs.python("wheel", "setuptools>=77", "wheel"))
    out.mkdir(parents=True, exist_ok=True)
    with cache.scratch("wheel") as scratch:
        config = scratch / "cross.cfg"
        config.write_text(CONFIG.format(home=python.home(), library=python.LIBRARY))
        environment = {
            **os.environ,
            "CC": toolchain.MINGW_CC,
            "CFLAGS": "-O2 -DNDEBUG",
            "LDSHARED": f"{toolchain.MINGW_CC} -shared -static-libgcc",
            "LDFLAGS": "",
            "SETUPTOOLS_EXT_SUFFIX": f".{python.TAG}-win_amd64.pyd",
            "DIST_EXTRA_CONFIG": str(config),
        }
        source = tree.copy_to(scratch / "source")
        pip = [interpreter, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation"]
        pip += ["-w", str(scratch), str(source)]
        subprocess.run(pip, env=environment, stdin=subprocess.DEVNULL, check=True)
        native = next(scratch.glob("*.whl"))
        tags = [interpreter, "-m", "wheel", "tags", "--remove", "--platform-tag", "win_amd64"]
        tags += ["--python-tag", python.TAG, "--abi-tag", python.TAG, str(native)]
        subprocess.run(tags, stdout=subprocess.DEVNULL, check=True)
        built = next(scratch.glob("*.whl"))
        check(built)
        return Path(shutil.move(built, out / built.name))


def check(wheel: Path) -> None:
    """Raises BadWheelError if the wheel or its pyd has anything that it should not."""
    with zipfile.ZipFile(wheel) as archive, cache.scratch("check") as scratch:
        names = archive.namelist()
        pyd = f"iocpreuse/_engine.{python.TAG}-win_amd64.pyd"
        for name in (pyd, "iocpreuse/py.typed", "iocpreuse/_engine.pyi"):
            if name not in names:
                raise BadWheelError(f"{wheel.name} has no {name}")
        for name in names:
            if not re.match(r"iocpreuse/|iocpreuse-[^/]*\.dist-info/", name):
                raise BadWheelError(f"{wheel.name} has {name}")
            if name.endswith((".so", ".c", ".h", ".pyc")):
                raise BadWheelError(f"{wheel.name} has {name}")
        surplus = imports(Path(archive.extract(pyd, scratch))) - IMPORTS_ALLOWED
        surplus = {name for name in surplus if not UCRT.fullmatch(name)}
        if surplus:
            raise BadWheelError(f"{pyd} needs {', '.join(sorted(surplus))}")


def imports(pyd: Path) -> set[str]:
    """The DLLs that PYD needs, in lower case."""
    dump = [toolchain.OBJDUMP, "-p", str(pyd)]
    shown = subprocess.run(dump, capture_output=True, text=True, check=True).stdout
    return {name.lower() for name in re.findall(r"DLL Name: (\S+)", shown)}
