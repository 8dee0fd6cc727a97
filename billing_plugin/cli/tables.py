"""Lists and reports of commands: columns for people, JSON or CSV for programs."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TextIO

import click

from billing_plugin.operations.tables import Cell, write_csv, write_json

CSV = click.option(
    "--csv", "csv_file", type=click.File("w", encoding="utf-8"), metavar="FILE",
    help="Write CSV to FILE (-: standard output) that no spreadsheet runs.",
)  # fmt: skip
Rows = Iterable[Sequence[Cell]]


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


def _word(cell: Cell) -> str:
    text = "" if cell is None else str(cell)
    return "".join(letter if letter.isprintable() else " " for letter in text)
