"""Builds the extension; everything else about the package stands in pyproject.toml."""

import os
import sys
import tempfile
from pathlib import Path

from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext
from setuptools.errors import CCompilerError

ROOT = Path(__file__).parent

# The whole extension is optimized at once, which saves a message a tenth of its instructions.
# cl.exe does so by itself: Python builds all extensions with /GL and /LTCG.
WHOLE_PROGRAM = "-flto=auto"


def target_is_windows() -> bool:
    """Whether the extension is for Windows, also when it is cross-built elsewhere."""
    suffix = os.environ.get("SETUPTOOLS_EXT_SUFFIX", "")
    return sys.platform == "win32" or suffix.endswith(".pyd")


def sources(*folders: str) -> list[str]:
    """Every C file of the folders of csrc, which may be patterns, in a stable order, relative to
    this file."""
    found = (path for folder in folders for path in (ROOT / "csrc").glob(f"{folder}/*.c"))
    return sorted(str(path.relative_to(ROOT).as_posix()) for path in found)


def version() -> str:
    """The version that iocpreuse/_version.py states, without importing the package."""
    scope: dict[str, str] = {}
    exec((ROOT / "iocpreuse" / "_version.py").read_text("utf-8"), scope)
    return scope["__version__"]


class BuildEngine(build_ext):
    """Optimizes the whole program where the compiler can."""

    def build_extensions(self) -> None:
        """The one there is."""
        if not msvc and not sanitizers and self.can_optimize_whole_program():
            for extension in self.extensions:
                extension.extra_compile_args += [WHOLE_PROGRAM]
                extension.extra_link_args += [WHOLE_PROGRAM]
        super().build_extensions()

    def can_optimize_whole_program(self) -> bool:
        """Whether a program comes out of it: the linker needs a plugin, too."""
        with tempfile.TemporaryDirectory() as folder:
            source = Path(folder, "empty.c")
            source.write_text("int main(void) { return 0; }\n", "utf-8")
            flags = [WHOLE_PROGRAM]
            try:
                objects = self.compiler.compile(
                    [str(source)], output_dir=folder, extra_postargs=flags
                )
                self.compiler.link_executable(
                    objects, "empty", output_dir=folder, extra_postargs=flags
                )
            except CCompilerError:
                return False
        return True


backend = "iocp" if target_is_windows() else "epoll"
# cl.exe takes /-switches; gcc, clang and mingw take the others.
msvc = sys.platform == "win32" and "CC" not in os.environ
compile_args = (
    ["/std:c11", "/W4", "/O2"] if msvc else ["-std=c11", "-fvisibility=hidden", "-Wall", "-Wextra"]
)
link_args: list[str] = []
sanitizers = os.environ.get("IOCPREUSE_SANITIZE", "").split()
for flag in sanitizers:
    compile_args += [f"-fsanitize={flag}", "-fno-omit-frame-pointer", "-g", "-UNDEBUG"]
    link_args += [f"-fsanitize={flag}"]

macros = [("IOCPREUSE_VERSION", f'"{version()}"')]
if target_is_windows():
    macros += [("_WIN32_WINNT", "0x0A00"), ("WINVER", "0x0A00")]
else:
    macros += [("_GNU_SOURCE", "1")]

setup(
    cmdclass={"build_ext": BuildEngine},
    ext_modules=[
        Extension(
            "iocpreuse._engine",
            sources=sources("io", f"io/{backend}", "engine", "engine/*", "tls", "py"),
            depends=[str(path.relative_to(ROOT)) for path in (ROOT / "csrc").rglob("*.h")],
            include_dirs=[f"csrc/io/{backend}"],
            define_macros=macros,
            libraries=["ws2_32"] if target_is_windows() else [],
            extra_compile_args=compile_args,
            extra_link_args=link_args,
        )
    ],
)
