"""Reports and lists as tables for other programs: CSV that no spreadsheet runs, and JSON.

Both are written row by row, so that a long list takes no more memory than a short one.
"""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import TypeAlias

from billing_plugin.errors import InvalidRequest
from billing_plugin.money import Exact, Money
from billing_plugin.periods import aware

Cell: TypeAlias = (
    "str | int | Decimal | Exact | Money | datetime | date | Mapping[str, object] | None"
)
# What a spreadsheet takes for the beginning of a formula (OWASP, CSV injection).
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")
MOST_DIGITS = 100  # before or after the dot
_NUMBER = re.compile(r"[+-]?[0-9]+(\.[0-9]+)?")


def write_csv(columns: Sequence[str], rows: Iterable[Sequence[Cell]]) -> Iterator[str]:
    """The lines of a CSV file (RFC 4180: commas, CRLF, quotes doubled), its header first.

    None is an empty cell; times are ISO 8601 in UTC with Z; amounts are exact decimals with a dot,
    their currency stands in a column of its own. A cell that begins with = + - @ or a tab or line
    end gets an apostrophe before it, unless it is a plain number, so that no spreadsheet takes it
    for a formula. Raises InvalidRequest for a row of another length, and for floats.
    """
    writer = csv.writer(Echo())
    yield writer.writerow([_safe(name) for name in columns])
    for row in rows:
        yield writer.writerow([_safe(_text(cell)) for cell in _checked(columns, row)])


def write_json(columns: Sequence[str], rows: Iterable[Sequence[Cell]]) -> Iterator[str]:
    """The pieces of a JSON array with one object for each row, by the names of the columns.

    Amounts and decimals are text, so that no reader rounds them; whole numbers are numbers.
    Raises InvalidRequest for a row of another length, and for floats.
    """
    before = "[\n"
    for row in rows:
        cells = [_plain(cell) for cell in _checked(columns, row)]
        yield before + json.dumps(dict(zip(columns, cells, strict=True)), ensure_ascii=False)
        before = ",\n"
    yield "[]\n" if before == "[\n" else "\n]\n"


class Echo:
    """A file that hands back what is written to it, so that a csv.writer makes lines."""

    def write(self, line: str) -> str:
        """The line itself."""
        return line


def decimal_text(amount: Decimal) -> str:
    """The shortest exact decimal: a dot, no exponent, no zeros at the end, no negative zero.

    Raises InvalidRequest for what is not finite or has more than 100 digits on a side of the dot.
    """
    if not amount.is_finite() or (amount and not -MOST_DIGITS < amount.adjusted() < MOST_DIGITS):
        raise InvalidRequest("An amount is a finite number of ordinary size.")
    text = f"{amount:f}" if amount else "0"
    return text.rstrip("0").rstrip(".") if "." in text else text


def time_text(at: datetime) -> str:
    """ISO 8601 in UTC with Z. Raises InvalidRequest for a time without a zone."""
    return aware(at).isoformat().replace("+00:00", "Z")


def _checked(columns: Sequence[str], row: Sequence[Cell]) -> Sequence[Cell]:
    if len(row) != len(columns):
        raise InvalidRequest("A row has one cell for each column.")
    return row


def _safe(text: str) -> str:
    if text.startswith(_FORMULA) and not _NUMBER.fullmatch(text):
        return f"'{text}"
    return text


def _text(cell: Cell) -> str:
    plain = _plain(cell)
    if isinstance(plain, str):
        return plain
    return "" if plain is None else json.dumps(plain, ensure_ascii=False, sort_keys=True)


def _plain(cell: object) -> str | int | dict[str, object] | None:
    """The cell in words of JSON."""
    if cell is None or isinstance(cell, str | int):
        return cell
    if isinstance(cell, Decimal | Exact):
        return decimal_text(cell if isinstance(cell, Decimal) else cell.amount)
    if isinstance(cell, Money):
        return cell.text
    if isinstance(cell, datetime):
        return time_text(cell)
    if isinstance(cell, date):
        return cell.isoformat()
    if isinstance(cell, Mapping):
        return {str(name): _plain(inner) for name, inner in cell.items()}
    raise InvalidRequest("A cell is text, a whole number, an exact amount, a time or nothing.")
