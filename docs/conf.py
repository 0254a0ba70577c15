"""The documentation's site, made by nox -s docs: Sphinx reads Markdown and the docstrings."""

import inspect
import re
from importlib.metadata import version as installed_version
from typing import Any

project = "iocpreuse"
author = "the iocpreuse authors"
version = release = installed_version("iocpreuse")
extensions = ["myst_parser", "sphinx.ext.autodoc"]
exclude_patterns = ["_build"]
myst_heading_anchors = 3

html_theme = "furo"
html_title = f"iocpreuse {version}"
html_copy_source = False
html_show_copyright = False

# A name in backquotes in a docstring leads to what it names.
default_role = "py:obj"
autodoc_member_order = "bysource"
python_use_unqualified_type_names = True
toc_object_entries_show_parents = "hide"

FIELD = re.compile(r"^    (\w+)(?:: ([^#\n=]*)| = [^#\n]*)(?:# (.*))?$", re.MULTILINE)


def describe(field: str, kind: str, comment: str, *, has_default: bool) -> list[str]:
    """A field of a class as an entry of a definition list."""
    text, semicolon, default = comment.rpartition("; ") if has_default else (comment, "", "")
    if has_default and not semicolon:
        text, default = "", comment
    words = [text and f"{text}.", default and f"Default: {default}."]
    plain = " ".join(filter(None, words)).replace("*", r"\*").replace("`", "")
    head = f"``{field}``: ``{kind.strip()}``" if kind else f"``{field}``"
    return [head, f"    {plain or 'As its name says.'}", ""]


def add_fields(app: Any, what: str, name: str, thing: Any, options: Any, lines: list[str]) -> None:
    """Adds the fields of a class whose comments say what they are: Options, Stats, CloseReason."""
    # The extension's signatures end with a line for inspect.
    if "--" in lines:
        lines.remove("--")
    # In single backquotes a backslash would be taken for an escape.
    lines[:] = [re.sub(r"`([^`]*\\[^`]*)`", r"``\1``", line) for line in lines]
    if name in ("iocpreuse.Options", "iocpreuse.Stats", "iocpreuse.CloseReason"):
        for field, kind, comment in FIELD.findall(inspect.getsource(thing)):
            has_default = name == "iocpreuse.Options"
            lines += describe(field, kind, comment, has_default=has_default)


def drop_orders(app: Any, docname: str, source: list[str]) -> None:
    """Comments to the tests are not for readers of the site."""
    source[0] = re.sub(r"^<!--.*?-->\n", "", source[0], flags=re.MULTILINE | re.DOTALL)


def setup(app: Any) -> None:
    """Called by Sphinx."""
    app.connect("autodoc-process-docstring", add_fields)
    app.connect("source-read", drop_orders)
