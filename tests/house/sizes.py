"""The laws of size: how long, how deep, how branched, and with how many parameters."""

import ast
import math
from collections.abc import Callable, Iterable, Iterator
from statistics import median

from tests.house.source import FUNCTIONS, Function, FunctionNode, Offence, Source, own_nodes

BLOCKS = (
    *(ast.If, ast.For, ast.AsyncFor, ast.While, ast.With, ast.AsyncWith),
    *(ast.Try, ast.TryStar, ast.Match),
)
FORKS = (
    *(ast.If, ast.IfExp, ast.For, ast.AsyncFor, ast.While),
    *(ast.ExceptHandler, ast.match_case),
)
LISTED = 20

Measure = Callable[[FunctionNode], int]


def function_length(source: Source) -> Iterator[Offence]:
    """No function is longer than 50 lines, docstring included."""
    yield from _over(source, length, 50)


def function_p90(source: Source) -> Iterator[Offence]:
    """Nine in ten functions have no more than 25 lines."""
    yield from _often_over(source, length, 25)


def function_median(source: Source) -> Iterator[Offence]:
    """Half of all functions have no more than 8 lines."""
    sized = [(length(f.node), f) for f in source.functions]
    middle = median(size for size, _ in sized) if sized else 0
    if middle > 8:
        for size, function in _largest(sized, 8)[:LISTED]:
            yield function.offence(f"{size} lines; median {middle:g} > 8")


def file_length(source: Source) -> Iterator[Offence]:
    """No file is longer than 350 lines."""
    for file in source.files:
        if len(file.lines) > 350:
            yield Offence(file.path, 1, file.module, f"{len(file.lines)} > 350")


def file_median(source: Source) -> Iterator[Offence]:
    """Half of all files have no more than 120 lines."""
    files = sorted(source.files, key=lambda file: -len(file.lines))
    middle = median(len(file.lines) for file in files) if files else 0
    if middle > 120:
        for file in files[:LISTED]:
            why = f"{len(file.lines)} lines; median {middle:g} > 120"
            yield Offence(file.path, 1, file.module, why)


def parameters(source: Source) -> Iterator[Offence]:
    """Three positional parameters at most; the rest is keyword-only."""
    yield from _over(source, positional, 3)


def nesting(source: Source) -> Iterator[Offence]:
    """Blocks stand at most three deep."""
    yield from _over(source, depth, 3)


def branches(source: Source) -> Iterator[Offence]:
    """No function forks more than 10 times."""
    yield from _over(source, forks, 10)


def branches_p90(source: Source) -> Iterator[Offence]:
    """Nine in ten functions fork no more than 5 times."""
    yield from _often_over(source, forks, 5)


def length(node: FunctionNode) -> int:
    """Lines from `def` to the end; decorators stand outside."""
    return (node.end_lineno or node.lineno) - node.lineno + 1


def positional(node: FunctionNode) -> int:
    """Parameters that can be given by position, without `self` and `cls`."""
    names = [argument.arg for argument in (*node.args.posonlyargs, *node.args.args)]
    return len(names) - (names[:1] in (["self"], ["cls"]))


def depth(node: ast.AST) -> int:
    """The deepest block inside; an `elif` stands as deep as its `if`."""
    return max((_depth(child, node) for child in _children(node)), default=0)


def forks(node: FunctionNode) -> int:
    """Places where the flow divides: if, elif, conditional expression, loop, except, case."""
    return sum(isinstance(inner, FORKS) for inner in own_nodes(node))


def _depth(child: ast.AST, parent: ast.AST) -> int:
    return depth(child) + (isinstance(child, BLOCKS) and not _is_elif(child, parent))


def _is_elif(child: ast.AST, parent: ast.AST) -> bool:
    if not isinstance(child, ast.If) or not isinstance(parent, ast.If):
        return False
    return parent.orelse == [child] and child.col_offset == parent.col_offset


def _children(node: ast.AST) -> Iterable[ast.AST]:
    return (child for child in ast.iter_child_nodes(node) if not isinstance(child, FUNCTIONS))


def _over(source: Source, measure: Measure, limit: int) -> Iterator[Offence]:
    sized = [(measure(f.node), f) for f in source.functions]
    yield from (f.offence(f"{size} > {limit}") for size, f in _largest(sized, limit))


def _often_over(source: Source, measure: Measure, limit: int) -> Iterator[Offence]:
    sized = [(measure(f.node), f) for f in source.functions]
    ranked = sorted(size for size, _ in sized)
    if ranked and ranked[math.ceil(0.9 * len(ranked)) - 1] > limit:
        for size, function in _largest(sized, limit):
            yield function.offence(f"{size} > {limit} in more than one of ten")


def _largest(sized: list[tuple[int, Function]], limit: int) -> list[tuple[int, Function]]:
    return sorted((pair for pair in sized if pair[0] > limit), key=lambda pair: -pair[0])
