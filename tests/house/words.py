"""The laws of words: annotations, docstrings, names, and words a room must not use."""

import ast
import re
import tomllib
from collections.abc import Iterator

from tests.house.imports import origins
from tests.house.rooms import room_of
from tests.house.source import FUNCTIONS, File, Function, Offence, Source, dotted

TESTED_ROOMS = {
    *("models", "operations", "dialects", "dashboard", "providers", "processors", "receivers"),
}
EXACT_ROOMS = {"money", "models", "operations"}
# SQLite keeps peewee's DecimalField as a binary fraction too.
INEXACT = {"float", "FloatField", "DoubleField", "DecimalField"}
CLOCKS = {
    "datetime.datetime.now",
    "datetime.datetime.utcnow",
    "datetime.datetime.today",
    "datetime.date.today",
    "time.time",
    "time.time_ns",
}
EMPTY_WORDS = re.compile("utils|helper|manager|service|handle_", re.IGNORECASE)


def annotations(source: Source) -> Iterator[Offence]:
    """Every parameter and every return is annotated."""
    for function in source.functions:
        for missing in _unannotated(function):
            yield function.offence(f"no annotation: {missing}")


def module_docstrings(source: Source) -> Iterator[Offence]:
    """Every file says what it is for."""
    for file in source.files:
        if len((ast.get_docstring(file.tree) or "").split()) < 3:
            yield Offence(file.path, 1, file.module, "no docstring that says what it is for")


def docstrings(source: Source) -> Iterator[Offence]:
    """Operations, tools, provider and processor methods and public classes are documented."""
    for function in source.functions:
        if _owes_docstring(function) and not ast.get_docstring(function.node):
            yield function.offence("no docstring")
    for file in source.files:
        for node in _public_classes(file):
            if not ast.get_docstring(node):
                yield Offence(file.path, node.lineno, node.name, "no docstring")


def namesakes(source: Source) -> Iterator[Offence]:
    """Every file of the tested rooms has a test file of its name, with tests in it."""
    for file in source.files:
        below = file.path.removeprefix("billing_plugin/")
        if below.split("/")[0] in TESTED_ROOMS and not file.is_package:
            folder, _, name = below.rpartition("/")
            test = f"tests/{folder}/test_{name}"
            if not _has_tests(source, test):
                yield Offence(file.path, 1, file.module, f"no tests in {test}")


def floats(source: Source) -> Iterator[Offence]:
    """No binary fraction where money is: no float call, annotation, literal or column."""
    for file in source.files:
        if room_of(file.module) in EXACT_ROOMS:
            yield from (
                Offence(file.path, line, word, "float") for line, word in _floats(file.tree)
            )


def aborts(source: Source) -> Iterator[Offence]:
    """A dialect raises errors of the tree; `abort()` would end in the host's error pages."""
    for file in source.files:
        for node in ast.walk(file.tree) if room_of(file.module) == "dialects" else ():
            if isinstance(node, ast.Call) and dotted(node).split(".")[-1] == "abort":
                yield Offence(file.path, node.lineno, dotted(node), "abort in a dialect")


def clocks(source: Source) -> Iterator[Offence]:
    """Only the context reads the clock, so that a test can freeze it. Ids need the real one."""
    for file in source.files:
        if room_of(file.module) not in ("context", "ids"):
            yield from _clock_readings(file)


def names(source: Source) -> Iterator[Offence]:
    """No module, function or class is named by a word that says nothing."""
    for file in source.files:
        for line, name in _names(file):
            if word := EMPTY_WORDS.search(name):
                yield Offence(file.path, line, name, f"contains {word[0]}")


def warnings_are_errors(source: Source) -> Iterator[Offence]:
    """pytest turns every warning into an error."""
    path = source.root / "pyproject.toml"
    settings = tomllib.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    if settings.get("tool", {}).get("pytest", {}).get("filterwarnings") != ["error"]:
        yield Offence(path.name, 1, "tool.pytest.filterwarnings", 'is not ["error"]')


def _unannotated(function: Function) -> Iterator[str]:
    args = function.node.args
    listed = [*args.posonlyargs, *args.args]
    bound = listed[:1] if listed and listed[0].arg in ("self", "cls") else []
    for argument in (*listed, *args.kwonlyargs, args.vararg, args.kwarg):
        if argument and argument not in bound and argument.annotation is None:
            yield argument.arg
    if function.node.returns is None:
        yield "return"


def _owes_docstring(function: Function) -> bool:
    marks = {dotted(decorator).split(".")[-1] for decorator in function.node.decorator_list}
    if "operation" in marks:
        return True
    if function.file.path.startswith("mcp_server/tools/"):
        return any("tool" in mark for mark in marks)
    owner, _, method = function.name.rpartition(".")
    outward = room_of(function.file.module) in {"providers", "processors", "receivers"}
    return outward and _is_class(function.file, owner) and not method.startswith("_")


def _is_class(file: File, name: str) -> bool:
    return any(node.name == name for node in _public_classes(file))


def _public_classes(file: File) -> list[ast.ClassDef]:
    classes = (node for node in ast.walk(file.tree) if isinstance(node, ast.ClassDef))
    at_top = {id(node) for node in file.tree.body}
    return [node for node in classes if id(node) in at_top and not node.name.startswith("_")]


def _has_tests(source: Source, test: str) -> bool:
    path = source.root / test
    tree = ast.parse(path.read_text(encoding="utf-8")) if path.exists() else ast.Module([], [])
    nodes = (node for node in ast.walk(tree) if isinstance(node, FUNCTIONS))
    return any(node.name.startswith("test") for node in nodes)


def _floats(tree: ast.AST) -> Iterator[tuple[int, str]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, float):
            yield node.lineno, str(node.value)
        elif isinstance(node, ast.Call) and dotted(node).split(".")[-1] in INEXACT:
            yield node.lineno, f"{dotted(node)}()"
        elif re.search(r"\bfloat\b", annotation := _annotation(node)):
            yield getattr(node, "lineno", 0), f"annotation {annotation}"


def _annotation(node: ast.AST) -> str:
    name = "returns" if isinstance(node, FUNCTIONS) else "annotation"
    annotation = getattr(node, name, None)
    return ast.unparse(annotation) if annotation else ""


def _clock_readings(file: File) -> Iterator[Offence]:
    stands_for = origins(file)
    for node in ast.walk(file.tree):
        first, dot, rest = dotted(node).partition(".")
        origin = stands_for.get(first, first) + dot + rest
        if isinstance(node, ast.Attribute | ast.Name) and origin in CLOCKS:
            yield Offence(file.path, node.lineno, origin, "the clock is in the context")


def _names(file: File) -> Iterator[tuple[int, str]]:
    yield 1, file.module
    for node in ast.walk(file.tree):
        if isinstance(node, (*FUNCTIONS, ast.ClassDef)):
            yield node.lineno, node.name
