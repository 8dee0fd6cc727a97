"""The source as the laws see it: files parsed once, their functions, and what breaks a law."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path

PACKAGES = ("billing_plugin", "worker", "mcp_server")

FunctionNode = ast.FunctionDef | ast.AsyncFunctionDef
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


@dataclass(frozen=True)
class Offence:
    """One place that breaks a law."""

    path: str
    line: int
    name: str
    why: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line} {self.name} ({self.why})"

    @property
    def place(self) -> str:
        """The offence without line and value, which change with every edit."""
        return f"{self.path} {self.name}"


@dataclass(frozen=True)
class File:
    """One parsed file; `path` is relative to the root, with forward slashes."""

    path: str
    text: str
    tree: ast.Module

    @property
    def is_package(self) -> bool:
        """Whether this is an `__init__.py`."""
        return self.path.endswith("__init__.py")

    @property
    def module(self) -> str:
        """The dotted name under which the file is imported."""
        return self.path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")

    @cached_property
    def lines(self) -> list[str]:
        """The text, line by line."""
        return self.text.splitlines()

    @cached_property
    def functions(self) -> list["Function"]:
        """Every function and method, nested ones included."""
        return list(_functions(self, self.tree, ""))


@dataclass(frozen=True)
class Function:
    """One function with the name a reader would look for: `Class.method`."""

    file: File
    node: FunctionNode
    name: str

    def offence(self, why: str) -> Offence:
        """This function as an offender."""
        return Offence(self.file.path, self.node.lineno, self.name, why)


@dataclass(frozen=True)
class Source:
    """Every Python file of the three packages under one root."""

    root: Path
    files: tuple[File, ...]

    @cached_property
    def modules(self) -> dict[str, File]:
        """The files by dotted name."""
        return {file.module: file for file in self.files}

    @property
    def functions(self) -> list[Function]:
        """Every function of every file."""
        return [function for file in self.files for function in file.functions]


@lru_cache
def read_source(root: Path) -> Source:
    """Read and parse everything under the root that the laws govern."""
    paths = (path for package in PACKAGES for path in sorted((root / package).rglob("*.py")))
    return Source(root, tuple(_read_file(root, path) for path in paths))


def dotted(node: ast.AST) -> str:
    """The dotted name of an expression such as `a.b.c`; of a call, the name of what is called."""
    if isinstance(node, ast.Call):
        return dotted(node.func)
    if isinstance(node, ast.Attribute):
        return f"{dotted(node.value)}.{node.attr}"
    return node.id if isinstance(node, ast.Name) else ""


def own_nodes(node: ast.AST) -> Iterator[ast.AST]:
    """Everything inside a function, without what belongs to functions nested in it."""
    for child in ast.iter_child_nodes(node):
        if not isinstance(child, FUNCTIONS):
            yield child
            yield from own_nodes(child)


def _read_file(root: Path, path: Path) -> File:
    text = path.read_text(encoding="utf-8")
    return File(path.relative_to(root).as_posix(), text, ast.parse(text, filename=str(path)))


def _functions(file: File, node: ast.AST, prefix: str) -> Iterator[Function]:
    for child in ast.iter_child_nodes(node):
        inner = prefix
        if isinstance(child, FUNCTIONS):
            yield Function(file, child, prefix + child.name)
        if isinstance(child, (*FUNCTIONS, ast.ClassDef)):
            inner = f"{prefix}{child.name}."
        yield from _functions(file, child, inner)
