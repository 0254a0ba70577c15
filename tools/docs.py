"""The documentation's site: python -m tools.docs [FOLDER], in an environment with the docs group.

It is built with every warning an error, and then has to name all that is public, and to show
itself without the network."""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from tools import cache, tree
from tools.tree import ROOT

DOCS = ROOT / "docs"
# What a browser gets by itself, as opposed to where a reader may go.
FETCHED = re.compile(
    r"""(?:<(?:script|img|link)\b[^>]*?(?:src|href)=|@import\s+(?:url\()?|url\()["']?(\S+?)["')>]"""
)
# Names of the public classes, as the inventory has them; printed where the package is installed.
LIST_NAMES = """
import iocpreuse
for name in iocpreuse.__all__:
    thing = getattr(iocpreuse, name)
    if name != "__version__":
        print(f"iocpreuse.{name}")
    if name in ("Server", "Session", "Framing"):
        for member in vars(thing):
            if not member.startswith("_"):
                print(f"iocpreuse.{name}.{member}")
"""


def build(site: Path) -> bool:
    """Builds the site in SITE."""
    command = [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-q", "-E", "-b", "html"]
    return _run([*command, str(DOCS), str(site)]).returncode == 0


def unnamed(site: Path) -> Iterator[str]:
    """Public names that the site's inventory lacks."""
    listed = _run([sys.executable, "-c", LIST_NAMES], output=True).stdout.split()
    command = [sys.executable, "-m", "sphinx.ext.intersphinx", str(site / "objects.inv")]
    inventory = set(_run(command, output=True).stdout.split())
    yield from (name for name in listed if name not in inventory)


def fetched(site: Path) -> Iterator[str]:
    """What a browser would fetch from elsewhere to show a page."""
    for path in sorted(site.rglob("*")):
        if path.suffix in (".html", ".css"):
            for address in FETCHED.findall(path.read_text("utf-8")):
                if re.match(r"(?:\w+:)?//", address):
                    yield f"{path.relative_to(site)}: {address}"


def _run(command: list[str], *, output: bool = False) -> subprocess.CompletedProcess[str]:
    # Elsewhere, for in the tree "import iocpreuse" would find the sources without the extension.
    with tree.elsewhere() as folder:
        return subprocess.run(
            command,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE if output else None,
            text=True,
            check=output,
        )


def main(arguments: list[str]) -> int:
    """Builds and checks; returns the exit code."""
    site = Path(arguments[0]).absolute() if arguments else cache.folder("site")
    if not build(site):
        return 1
    offences = [f"not in the reference: {name}" for name in unnamed(site)]
    offences += [f"from the network: {address}" for address in fetched(site)]
    for offence in offences:
        print(offence)
    pages = len(list(site.glob("*.html")))
    print(f"{pages} pages: {site / 'index.html'}")
    return 1 if offences else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
