"""Who imports what: every import statement with the place it stands in."""

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import lru_cache

from tests.house.source import FUNCTIONS, PACKAGES, File, Offence, Source, dotted

LAZY = re.compile(r"#\s*lazy: \S")
BY_NAME = {"import_module", "importlib.import_module", "__import__"}


@dataclass(frozen=True)
class Where:
    """What surrounds a statement."""

    in_function: bool = False
    for_types_only: bool = False


@dataclass(frozen=True)
class Import:
    """One imported module, and the name taken from it if one was."""

    file: File
    line: int
    target: str
    symbol: str
    where: Where
    marked_lazy: bool

    @property
    def library(self) -> str:
        """The top-level package."""
        return self.target.split(".")[0]

    @property
    def is_ours(self) -> bool:
        """Whether one of the three packages is imported."""
        return self.library in PACKAGES

    def offence(self, why: str) -> Offence:
        """This import as an offender."""
        name = ".".join(filter(None, (self.target, self.symbol)))
        return Offence(self.file.path, self.line, name, why)


@lru_cache
def imports_of(source: Source) -> tuple[Import, ...]:
    """Every import of every file."""
    return tuple(
        found
        for file in source.files
        for node, where in _statements(file.tree, Where())
        for found in _read(source, file, node, where)
    )


def origins(file: File) -> dict[str, str]:
    """The imported names of a file, each with the dotted name it stands for."""
    names: dict[str, str] = {}
    for node in ast.walk(file.tree):
        if isinstance(node, ast.Import):
            names |= {a.asname: a.name for a in node.names if a.asname}
        if isinstance(node, ast.ImportFrom):
            names |= {a.asname or a.name: f"{node.module}.{a.name}" for a in node.names}
    return names


def _statements(node: ast.AST, where: Where) -> Iterator[tuple[ast.AST, Where]]:
    for child in ast.iter_child_nodes(node):
        inside = where
        if isinstance(child, FUNCTIONS):
            inside = replace(where, in_function=True)
        if _is_types_only(node) and child in node.body:  # type: ignore[attr-defined]
            inside = replace(where, for_types_only=True)
        yield child, inside
        yield from _statements(child, inside)


def _is_types_only(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and dotted(node.test).split(".")[-1] == "TYPE_CHECKING"


def _read(source: Source, file: File, node: ast.AST, where: Where) -> Iterator[Import]:
    for target, symbol in _targets(source, file, node):
        yield Import(file, _line(node), target, symbol, where, _marked_lazy(file, node))


def _targets(source: Source, file: File, node: ast.AST) -> Iterator[tuple[str, str]]:
    if isinstance(node, ast.Import):
        yield from ((alias.name, "") for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        yield from (_split(source, _absolute(file, node), a.name) for a in node.names)
    elif isinstance(node, ast.Call) and dotted(node) in BY_NAME:
        yield _named_at_run_time(node), ""


def _split(source: Source, module: str, name: str) -> tuple[str, str]:
    submodule = f"{module}.{name}"
    return (submodule, "") if submodule in source.modules else (module, name)


def _absolute(file: File, node: ast.ImportFrom) -> str:
    if not node.level:
        return node.module or ""
    parts = file.module.split(".")
    kept = parts[: len(parts) - node.level + file.is_package]
    return ".".join([*kept, *filter(None, [node.module])])


def _named_at_run_time(node: ast.Call) -> str:
    first = node.args[0] if node.args else None
    name = first.value if isinstance(first, ast.Constant) else None
    return name if isinstance(name, str) else "<by name>"


def _line(node: ast.AST) -> int:
    return getattr(node, "lineno", 0)


def _marked_lazy(file: File, node: ast.AST) -> bool:
    last = getattr(node, "end_lineno", None) or _line(node)
    return any(LAZY.search(line) for line in file.lines[_line(node) - 1 : last])
