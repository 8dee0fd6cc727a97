"""Lists and reports of commands: columns for people, JSON or CSV for programs."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, TextIO

import click

from billing_plugin.operations.breakdowns import Basis
from billing_plugin.operations.tables import Cell, time_text, write_csv, write_json

CSV = click.option(
    "--csv", "csv_file", type=click.File("w", encoding="utf-8"), metavar="FILE",
    help="Write CSV to FILE (-: standard output) that no spreadsheet runs.",
)  # fmt: skip
Rows = Iterable[Sequence[Cell]]
NONE: Mapping[str, Any] = MappingProxyType({})


def print_rows(
    columns: Sequence[str], rows: Rows, *, as_json: bool, csv_file: TextIO | None
) -> None:
    """Prints rows as one JSON array, as CSV into the file, or as columns for people."""
    if csv_file is not None:
        write(csv_file, columns, rows)
    elif as_json:
        for piece in write_json(columns, rows):
            click.echo(piece, nl=False)
    else:
        print_columns(columns, rows)


def print_report(
    basis: Basis, columns: Sequence[str], rows: Rows, *, as_json: bool, csv_file: TextIO | None,
    scope: Mapping[str, str] = NONE, facts: Mapping[str, Any] = NONE,
) -> None:  # fmt: skip
    """Prints a report and what it is about; in CSV that stands in every row."""
    about = _about(basis, scope)
    if csv_file is not None:
        write(csv_file, (*columns, *about), ([*row, *about.values()] for row in rows))
    elif as_json:
        print_json({**about, **facts, "sources": list(basis.sources)}, columns, rows)
    else:
        days = f"{about['from'] or 'the beginning'} to {about['to'] or 'the end'}"
        told = ", ".join([about["sources"], *(f"{name} {of}" for name, of in scope.items())])
        click.echo(f"{days} ({basis.zone}), {told}, as of {about['asOf']}")
        print_columns(columns, rows)
        if basis.coverage:
            click.echo(basis.coverage.text)


def write(file: TextIO, columns: Sequence[str], rows: Rows) -> None:
    """Writes rows as CSV, its lines ended as RFC 4180 says."""
    for line in write_csv(columns, rows):
        click.echo(line, file, nl=False)


def print_json(facts: Mapping[str, Any], columns: Sequence[str], rows: Rows) -> None:
    """Prints facts as one JSON object, the rows among them."""
    click.echo(json.dumps({**facts, "rows": json.loads("".join(write_json(columns, rows)))}))


def print_columns(columns: Sequence[str], rows: Rows) -> None:
    """Prints rows under each other, without what a terminal would obey."""
    table = [list(columns), *([_word(cell) for cell in row] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    for line in table:
        pairs = zip(line, widths, strict=True)
        click.echo("  ".join(text.ljust(width) for text, width in pairs).rstrip())


def _about(basis: Basis, scope: Mapping[str, str]) -> dict[str, Any]:
    about = {
        "scope": dict(scope),
        "from": basis.since and basis.since.isoformat(),
        "to": basis.until and basis.until.isoformat(),
        "zone": basis.zone,
        "sources": " ".join(basis.sources),
        "asOf": time_text(basis.as_of),
    }
    return about | ({"coverage": basis.coverage.text} if basis.coverage else {})


def _word(cell: Cell) -> str:
    text = "" if cell is None else str(cell)
    return "".join(letter if letter.isprintable() else " " for letter in text)
