"""The project's own rules for its sources, the ones that no linter knows.

python -m tools.style prints each offence as path:line: what, and exits with 1 if there is one."""

import ast
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tools.tree import CSRC, ROOT

FILE_LINES_MAX = 500
FUNCTION_LINES_MAX = 70
SOURCES = ("csrc", "iocpreuse", "tests", "tools", "benchmarks", "examples")
LOOSE_SOURCES = ("noxfile.py", "setup.py")

# A layer may include itself and what stands before it.
LAYERS = ("base", "io", "engine", "tls", "py")
OS_MACRO = re.compile(
    r"\b(_?_?WIN(?:32|64)(?:__|_)?|_?_?(?:linux|unix|APPLE|FreeBSD|MINGW32|MINGW64|CYGWIN)__?"
    r"|_MSC_VER|__GNUC__|__clang__|_GNU_SOURCE|_POSIX_\w+)\b"
)
CONDITION = re.compile(r"\s*#\s*(?:if|ifdef|ifndef|elif|elifdef|elifndef)\b")
INCLUDE = re.compile(r'\s*#\s*include\s*([<"])([^>"]+)[>"]')
# A C file's first line, such as "/* sock.c: what ..." or "/* io_types.h (sim): what ...".
OPENING = re.compile(r"/\* (\S+)(?: \(\w+\))?: \w")
SENTENCE_END = re.compile(r"[.?!](?=\s|$)")
STATE_ASSIGNED = re.compile(r"\bslot->state\s*=(?!=)")


@dataclass(frozen=True)
class Offence:
    """A rule that a line breaks."""

    path: Path
    line: int
    what: str

    def __str__(self) -> str:
        return f"{self.path.relative_to(ROOT)}:{self.line}: {self.what}"


@dataclass(frozen=True)
class Function:
    """A function's lines, counted from 1, both included."""

    name: str
    first: int
    last: int


def offences() -> Iterator[Offence]:
    """Every offence in the tree."""
    for path in sources():
        lines = path.read_text("utf-8").splitlines()
        yield from opening_offences(path, lines)
        if len(lines) > FILE_LINES_MAX:
            yield Offence(path, len(lines), f"more than {FILE_LINES_MAX} lines")
        functions = c_functions(lines) if path.suffix in (".c", ".h") else py_functions(lines)
        for function in functions:
            if function.last - function.first + 1 > FUNCTION_LINES_MAX:
                what = f"{function.name} has more than {FUNCTION_LINES_MAX} lines"
                yield Offence(path, function.first, what)
        if path.is_relative_to(CSRC):
            yield from macro_offences(path, lines)
            yield from include_offences(path, lines)
    yield from state_offences()


def sources() -> Iterator[Path]:
    """The files with code in them."""
    for name in LOOSE_SOURCES:
        if (ROOT / name).exists():
            yield ROOT / name
    for folder in SOURCES:
        for path in sorted((ROOT / folder).rglob("*")):
            if path.suffix in (".c", ".h", ".py", ".pyi") and "__pycache__" not in path.parts:
                yield path


def c_functions(lines: list[str]) -> list[Function]:
    """The functions of a C file in our format: their braces stand in the first column."""
    functions = []
    signature: list[str] = []
    begin = 0
    for number, line in enumerate(lines, 1):
        if line == "{":
            begin = number - len(signature)
        elif line.startswith("}"):
            name = re.search(r"(\w+)\s*\(", " ".join(signature))
            if begin and name:
                functions.append(Function(name.group(1), begin, number))
            signature, begin = [], 0
        elif not begin:
            ends = not line.strip() or line.endswith((";", "*/")) or line.startswith("#")
            signature = [] if ends else [*signature, line]
    return functions


def py_functions(lines: list[str]) -> list[Function]:
    """The functions and methods of a Python file."""
    return [
        Function(node.name, node.lineno, node.end_lineno or node.lineno)
        for node in ast.walk(ast.parse("\n".join(lines)))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    ]


def opening_offences(path: Path, lines: list[str]) -> Iterator[Offence]:
    """A file opens with a sentence that says what it is, before any include or constant."""
    if path.suffix in (".c", ".h"):
        comment = "\n".join(lines).partition("*/")[0]
        found = OPENING.match(comment)
        named = found is not None and found.group(1) == path.name
        if not named or not SENTENCE_END.search(comment):
            yield Offence(path, 1, f"opens without /* {path.name}: what it is. */")
        return
    docstring = ast.get_docstring(ast.parse("\n".join(lines))) or ""
    opening = docstring.partition("\n\n")[0]
    # Or it ends with the command that runs it: "Does this: python -m tools.that".
    if not SENTENCE_END.search(opening) and ": " not in opening:
        yield Offence(path, 1, "opens without a docstring that says what it is")


def layer_of(path: Path) -> str:
    return path.relative_to(CSRC).parts[0]


def backend_of(path: Path) -> str | None:
    """The backend that a file of csrc belongs to, if it does."""
    parts = path.relative_to(CSRC).parts
    return parts[1] if parts[0] == "io" and len(parts) > 2 else None


def macro_offences(path: Path, lines: list[str]) -> Iterator[Offence]:
    """Only base and the backends may ask which system this is."""
    if layer_of(path) == "base" or backend_of(path):
        return
    for number, line in enumerate(lines, 1):
        found = OS_MACRO.search(line) if CONDITION.match(line) else None
        if found:
            yield Offence(path, number, f"{found.group()} is for csrc/base and the backends")


def include_offences(path: Path, lines: list[str]) -> Iterator[Offence]:
    """Includes point one way: py, engine, io, base; and Python.h is for py only."""
    for number, line in enumerate(lines, 1):
        found = INCLUDE.match(line)
        if not found:
            continue
        quote, name = found.groups()
        if name in ("Python.h", "structmember.h") and layer_of(path) != "py":
            yield Offence(path, number, f"{name} is for csrc/py only")
        if quote != '"':
            continue
        target = (path.parent / name).resolve()
        if not target.exists():
            # The build chooses the backend's folder; io_types.h is the one header it names so.
            if name != "io_types.h":
                yield Offence(path, number, f'"{name}" is not beside this file')
        elif not target.is_relative_to(CSRC):
            yield Offence(path, number, f'"{name}" is outside csrc')
        elif LAYERS.index(layer_of(target)) > LAYERS.index(layer_of(path)):
            yield Offence(path, number, f"{layer_of(path)} may not include {layer_of(target)}")
        elif backend_of(target) not in (None, backend_of(path)):
            yield Offence(path, number, f'"{name}" belongs to the backend {backend_of(target)}')


def state_offences() -> Iterator[Offence]:
    """A slot's state is assigned in one function, which checks the transition."""
    seen: set[tuple[Path, str]] = set()
    for path in sorted(CSRC.rglob("*.[ch]")):
        lines = path.read_text("utf-8").splitlines()
        functions = c_functions(lines)
        for number, line in enumerate(lines, 1):
            if STATE_ASSIGNED.search(line):
                names = [f.name for f in functions if f.first <= number <= f.last]
                seen.add((path, names[0] if names else "?"))
                if len(seen) > 1:
                    yield Offence(path, number, "slot->state is assigned in another function too")


def main() -> int:
    found = list(offences())
    for offence in found:
        print(offence)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
