"""The guide's code: every block of a page is found, and they are run one after the other.

What a block is follows from its language; an HTML comment just before it says what else there is
to know: <!-- guide: ORDER; ORDER -->. Readers do not see it.

python      is executed, and goes on where the page's last one ended
            file NAME         it is a program: saved under that name for what follows
            serve             and started; it runs until the page's next server, or its end
            needs MODULE      it is left out where that is not installed
console     "$ COMMAND" lines are run, and must print what stands below; "..." stands for anything
            background        it serves until the page's next server, or its end
text        is no code
            output            it is what the python blocks before it have printed
any         not run: REASON   it is not run; test_guide.py knows which ones these may be

<!-- guide: check
...             is Python that tries out what the reader has just read
-->
"""

import contextlib
import importlib.util
import io
import re
import shlex
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

import peers
from markdown_it import MarkdownIt
from peers import DEADLINE_SECONDS, ROOT, wait_until
from programs import PACKAGES, PythonProgram, free_port, wait_for_port, why_missing

import iocpreuse

DOCS = ROOT / "docs"
COMMENT = re.compile(r"\s*<!-- guide: (.*?)\s*-->\s*", re.DOTALL)
PORT = re.compile(r"\b(?:70\d\d|6380|8080|9100)\b")
WINE_END = ("PEER_RESET by peer - ConnectionResetError", "PEER_EOF by peer - NoneType")
ORDERS = ("file", "serve", "needs", "background", "output", "not run:")


@dataclass(frozen=True)
class Block:
    """A fenced block, or a check; LINE is that of its first line of content."""

    page: str
    line: int
    language: str
    content: str
    orders: tuple[str, ...] = ()

    @property
    def where(self):
        return f"docs/{self.page}:{self.line}"

    def order(self, name):
        """What an order says; "" if it says no more, None if it is not given."""
        for order in self.orders:
            if order.startswith(name):
                return order.removeprefix(name).strip()
        return None


def pages():
    """The names of all pages, in docs/."""
    return sorted(path.relative_to(DOCS).as_posix() for path in DOCS.rglob("*.md"))


def blocks_of(page):
    """Every block of PAGE, in order."""
    text = (DOCS / page).read_text("utf-8")
    found = []
    orders = ()
    for token in MarkdownIt("commonmark").enable("table").parse(text):
        comment = COMMENT.fullmatch(token.content) if token.type == "html_block" else None
        first, _, code = comment[1].partition("\n") if comment else ("", "", "")
        if comment:
            assert not orders, f"{page}:{token.map[0] + 1}: orders for no block"
            orders = tuple(order.strip() for order in first.split(";"))
        if first.startswith("check"):
            found.append(Block(page, token.map[0] + 2, "check", code, orders[1:]))
            orders = ()
        elif comment:
            assert all(order.startswith(ORDERS) for order in orders), (page, orders)
        elif token.type in ("fence", "code_block"):
            language = token.info.strip() if token.type == "fence" else "indented"
            found.append(Block(page, token.map[0] + 2, language, token.content, orders))
            orders = ()
        elif token.type != "html_block":
            assert not orders, f"{page}: {orders} belongs to no block"
    # None may hide from us where another reader of Markdown would see it.
    assert len(re.findall(r"^\s*`{3,}", text, re.MULTILINE)) == 2 * sum(
        block.language not in ("check", "indented") for block in found
    ), f"{page} has fences that are not blocks"
    return found


def programs_in(command):
    """Other people's programs that a command line for a shell runs."""
    found = [name for name in PACKAGES if re.search(rf"(^|\| *){name} ", command)]
    assert found, f"what does {command!r} run?"
    return found


def matches(expected, got):
    """Whether GOT is EXPECTED, in which "..." stands for anything."""
    pattern = ".*".join(map(re.escape, expected.strip().split("...")))
    return re.fullmatch(pattern, got.strip(), re.DOTALL) is not None


@dataclass
class PageRun:
    """Runs the blocks of one page. FOLDER is where the reader would be."""

    folder: Path
    names: dict = field(default_factory=lambda: {"__name__": "guide"})
    ports: dict = field(default_factory=dict)
    left_out: list = field(default_factory=list)
    files: set = field(default_factory=set)  # saved, and not run yet
    listening: dict = field(default_factory=dict)
    output: io.StringIO = field(default_factory=io.StringIO)
    serving: PythonProgram | None = None
    ours: bool = True

    def __enter__(self):
        self._stack = contextlib.ExitStack()
        self._stack.enter_context(contextlib.redirect_stdout(self.output))
        return self

    def __exit__(self, kind, *exc):
        with self._stack:
            for value in self.names.values():
                if isinstance(value, iocpreuse.Server):
                    value.stop(drain=0)
            self.stop_serving(kill=kind is not None)

    def run(self, block):
        """Runs BLOCK; an AssertionError or what it raises itself says what is wrong."""
        if (reason := block.order("not run:")) is not None:
            self.left_out.append((block.where, reason))
        elif (module := block.order("needs")) and importlib.util.find_spec(module) is None:
            self.left_out.append((block.where, f"{module} is not installed"))
        elif block.order("file"):
            self.save(block)
        elif block.language in ("python", "check"):
            self.execute(block)
        elif block.language == "console":
            self.console(block)
        elif block.order("output") is not None:
            expected = self.text(block.content)
            wait_until(lambda: self.has_printed(expected), block.where)
            self.output.seek(0)
            self.output.truncate()

    def has_printed(self, expected):
        """As it stands; under Wine a reset may have passed for an ordinary end (peers.py)."""
        got = self.output.getvalue()
        return matches(expected, got) or (peers.WINE and matches(expected.replace(*WINE_END), got))

    def text(self, content):
        """CONTENT with ports that are free here."""

        def free(found):
            if found[0] not in self.ports:
                self.ports[found[0]] = str(free_port())
            return self.ports[found[0]]

        return PORT.sub(free, content)

    def execute(self, block):
        """In this process; line numbers are those of the page."""
        if block.language == "check":
            self.names |= {name: getattr(peers, name) for name in ("Client", "LineClient")}
            self.names |= {"wait_until": wait_until}
        code = "\n" * (block.line - 1) + self.text(block.content)
        exec(compile(code, str(DOCS / block.page), "exec"), self.names)

    def save(self, block):
        """Saves a program, and starts it if it serves; other people's servers need not end well."""
        path = self.folder / block.order("file")
        path.write_text(self.text(block.content), "utf-8")
        self.files.add(path.name)
        self.listening[path.name] = PORT.findall(block.content)
        if block.order("serve") is not None:
            self.stop_serving()
            self.files.remove(path.name)
            self.serving = PythonProgram(path.name, cwd=self.folder)
            self.ours = "import iocpreuse" in block.content
            self.wait_for(self.listening[path.name])

    def console(self, block):
        """Runs each command, and compares what it prints."""
        for part in re.split(r"^\$ ", block.content, flags=re.MULTILINE)[1:]:
            command, _, expected = self.text(part).partition("\n")
            self.files -= {name for name in self.files if name.partition(".")[0] in command}
            if block.order("background") is not None:
                self.serve(command, expected)
            elif command.startswith("python "):
                with PythonProgram(*shlex.split(command)[1:], cwd=self.folder) as program:
                    status = program.end()
                self.compare(block, command, expected, status, program.output.decode())
            elif reasons := [*filter(None, map(why_missing, programs_in(command)))]:
                self.left_out.append((block.where, reasons[0]))
            else:
                self.shell(block, command, expected)

    def shell(self, block, command, expected):
        """A command line for a shell."""
        done = subprocess.run(
            ["sh", "-c", command],
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=DEADLINE_SECONDS,
            check=False,
        )
        self.compare(block, command, expected, done.returncode, done.stdout)

    def compare(self, block, command, expected, status, got):
        got = got.replace("\r\n", "\n")
        assert status == 0, f"{block.where}: {command}: status {status}\n{got}"
        assert matches(expected, got), f"{block.where}: {command} printed\n{got}"

    def serve(self, command, expected):
        """Starts a server; waits for what it is to print, or else for its port."""
        self.stop_serving()
        arguments = shlex.split(command)[1:]
        self.serving = PythonProgram(*arguments, cwd=self.folder)
        self.ours = True
        lines = expected.count("\n")
        wait_until(lambda: self.serving.output.count(b"\n") >= lines or self.has_ended(), command)
        got = self.serving.output.decode().replace("\r\n", "\n")
        assert matches(expected, "".join(got.splitlines(keepends=True)[:lines])), got

        if not lines:
            self.wait_for(self.listening[arguments[0]])

    def wait_for(self, ports):
        """Until the server listens at the first of PORTS, which are those of the page."""
        wait_for_port(("127.0.0.1", int(self.ports[ports[0]])), self.serving)

    def has_ended(self):
        return self.serving.child.poll() is not None

    def stop_serving(self, *, kill=False):
        """Ctrl-C for the server that runs; it must end well."""
        if self.serving is not None:
            program, self.serving = self.serving, None
            with program:
                status = program.interrupt() if self.ours and not kill else 0
            assert status == 0, program.output
