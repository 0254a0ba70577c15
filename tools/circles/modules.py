"""Modules of a Python package: which needs which other one, by imports and by attributes.

Imports count wherever they stand, also in a function. One under TYPE_CHECKING is for the type
checker only and no need by itself; but what is called on a parameter of such a type is needed.
So is a private attribute that classes of one other module alone have. An attribute that a class or
a Protocol of the module itself has is what others bring along: no need of theirs."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tools.circles.graph import Graph


@dataclass
class Module:
    """A module, and what can be told of it without running it."""

    name: str
    file: str
    imports: set[str] = field(default_factory=set)  # at run time, dotted: of modules, or of names
    types: dict[str, str] = field(default_factory=dict)  # names that imports bind: from where
    classes: set[str] = field(default_factory=set)
    attributes: dict[str, str] = field(default_factory=dict)  # of its classes: whose
    private_uses: set[str] = field(default_factory=set)  # attributes of objects other than self
    typed_uses: set[tuple[str, str]] = field(default_factory=set)  # of a parameter's type


def graph_of(package: Path) -> Graph:
    """Who needs whom among the modules of the PACKAGE in that folder."""
    modules = {module.name: module for module in _read(package)}
    graph = Graph()
    for module in modules.values():
        graph.add(module.file)
        for imported in module.imports:
            target = _module_of(imported, modules)
            if target is not None:
                graph.tie(module.file, target.file, f"import {imported}")
        for attribute in module.private_uses - module.attributes.keys():
            owners = [other for other in modules.values() if attribute in other.attributes]
            if len(owners) == 1:
                what = f"{owners[0].attributes[attribute]}.{attribute}"
                graph.tie(module.file, owners[0].file, what)
        for name, attribute in module.typed_uses:
            target = _module_of(module.types[name], modules)
            if target is not None and name in target.classes:
                graph.tie(module.file, target.file, f"{name}.{attribute}")
    return graph


def _module_of(dotted: str, modules: dict[str, Module]) -> Module | None:
    """The module that DOTTED is, or that has what it is; None for one of others."""
    found = modules.get(dotted)
    return found or modules.get(dotted.rpartition(".")[0])


def _read(package: Path) -> Iterator[Module]:
    for path in sorted(package.rglob("*.py")):
        file = path.relative_to(package.parent)
        parts = file.with_suffix("").parts
        is_package = parts[-1] == "__init__"
        module = Module(".".join(parts[:-1] if is_package else parts), file.as_posix())
        home = module.name if is_package else module.name.rpartition(".")[0]
        tree = ast.parse(path.read_text("utf-8"))
        _Reader(module, home).visit(tree)
        yield module


class _Reader(ast.NodeVisitor):
    """Fills a Module in."""

    def __init__(self, module: Module, home: str) -> None:
        self._module = module
        self._home = home  # the package that relative imports begin at
        self._class: str | None = None
        self._typed: dict[str, str] = {}  # parameters of the function: names of their types
        self._only_types = False

    def visit_If(self, node: ast.If) -> None:
        if "TYPE_CHECKING" not in ast.dump(node.test):
            self.generic_visit(node)
            return
        before, self._only_types = self._only_types, True
        for each in node.body:
            self.visit(each)
        self._only_types = before
        for each in node.orelse:
            self.visit(each)

    def visit_Import(self, node: ast.Import) -> None:
        for alias in node.names:
            self._bind(alias.name, alias.asname or alias.name)

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        source = node.module or ""
        if node.level:
            above = self._home.split(".")
            above = above[: len(above) - (node.level - 1)]
            source = ".".join([*above, *filter(None, [node.module])])
        for alias in node.names:
            self._bind(f"{source}.{alias.name}", alias.asname or alias.name)

    def _bind(self, dotted: str, name: str) -> None:
        self._module.types[name] = dotted
        if not self._only_types:
            self._module.imports.add(dotted)

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        before, self._class = self._class, node.name
        self._module.classes.add(node.name)
        for each in node.body:
            if isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef):
                self._module.attributes[each.name] = node.name
            elif isinstance(each, ast.AnnAssign) and isinstance(each.target, ast.Name):
                self._module.attributes[each.target.id] = node.name
            elif isinstance(each, ast.Assign):
                for target in each.targets:
                    if isinstance(target, ast.Name):
                        self._module.attributes[target.id] = node.name
        self.generic_visit(node)
        self._class = before

    def visit_FunctionDef(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        before, self._typed = self._typed, dict(self._typed)
        arguments = node.args
        for each in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs):
            self._typed.pop(each.arg, None)
            for name in _type_names(each.annotation):
                if name in self._module.types:
                    self._typed[each.arg] = name
        self.generic_visit(node)
        self._typed = before

    visit_AsyncFunctionDef = visit_FunctionDef

    def visit_Attribute(self, node: ast.Attribute) -> None:
        owner = node.value.id if isinstance(node.value, ast.Name) else None
        name = node.attr
        if owner == "self" and self._class is not None:
            if isinstance(node.ctx, ast.Store):
                self._module.attributes.setdefault(name, self._class)
        elif owner in self._typed:
            self._module.typed_uses.add((self._typed[owner], name))
        elif name.startswith("_") and not name.endswith("__") and owner != "cls":
            self._module.private_uses.add(name)
        self.generic_visit(node)


def _type_names(annotation: ast.expr | None) -> list[str]:
    """The names in an annotation, also in one that is a string."""
    if annotation is None:
        return []
    names = []
    for node in ast.walk(annotation):
        if isinstance(node, ast.Name):
            names.append(node.id)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            names += [
                each.id for each in ast.walk(_parse(node.value)) if isinstance(each, ast.Name)
            ]
    return names


def _parse(text: str) -> ast.AST:
    """TEXT as an expression; nothing where it is none, such as a string in a Literal."""
    try:
        return ast.parse(text, mode="eval")
    except SyntaxError:
        return ast.Module([], [])
