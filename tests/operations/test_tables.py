"""Tables for other programs: RFC 4180 and JSON, exact, streamed, and no formula among them."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from billing_plugin import Money, errors
from billing_plugin.money import Exact
from billing_plugin.operations.tables import decimal_text, write_csv, write_json

CELLS: list[tuple[Any, str, Any]] = [  # what it is, as CSV, as JSON
    (None, "", None),
    ("", "", ""),
    (0, "0", 0),
    (True, "true", True),
    (-5, "-5", -5),
    (Decimal("-0.10"), "-0.1", "-0.1"),
    (Decimal("1E+3"), "1000", "1000"),
    (Decimal("-0"), "0", "0"),
    (Exact(610_000), "0.00061", "0.00061"),
    (Exact(-1, 999_999_999), "-0.000000000000000001", "-0.000000000000000001"),
    (Money.parse("42.5"), "42.50", "42.50"),
    (date(2026, 1, 2), "2026-01-02", "2026-01-02"),
    (datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC), "2026-01-02T03:04:05Z", "2026-01-02T03:04:05Z"),
    (
        datetime(2026, 1, 2, 3, 4, 5, 6, tzinfo=timezone(timedelta(hours=1))),
        *("2026-01-02T02:04:05.000006Z",) * 2,
    ),
    ({"b": 1, "a": Decimal("0.1")}, '{"a": "0.1", "b": 1}', {"b": 1, "a": "0.1"}),
]
FORMULAS = [
    "=1+1",
    "=cmd|' /C calc'!A0",
    "+1+1",
    "-1+1",
    "@SUM(A1)",
    "\t=1",
    "\r=1",
    "\n=1",
    "=",
    "-",
]
NUMBERS = ["-1", "+1", "-0.5", "+49.50", "-00012"]
INEXACT = 0.1


def parsed(columns: list[str], rows: list[list[Any]]) -> list[list[str]]:
    text = "".join(write_csv(columns, rows))
    return list(csv.reader(io.StringIO(text, newline=""), strict=True))


@pytest.mark.parametrize(("cell", "text", "value"), CELLS, ids=[repr(cell[0]) for cell in CELLS])
def test_a_cell_is_told_exactly(cell: Any, text: str, value: Any) -> None:
    assert parsed(["a", "b"], [[cell, 1]])[1] == [text, "1"]
    assert json.loads("".join(write_json(["a"], [[cell]]))) == [{"a": value}]


def test_csv_is_as_rfc_4180_wants_it() -> None:
    rows = [['say "hi"', "a,b"], ["two\r\nlines", " ü😀"]]
    assert list(write_csv(["x", "y"], rows)) == [
        *("x,y\r\n", '"say ""hi""","a,b"\r\n', '"two\r\nlines", ü😀\r\n')
    ]
    assert parsed(["x", "y"], rows) == [["x", "y"], *rows]


@pytest.mark.parametrize("text", FORMULAS)
def test_no_text_is_a_formula(text: str) -> None:
    assert parsed([text], [[text]]) == [[f"'{text}"], [f"'{text}"]]
    assert json.loads("".join(write_json([text], [[text]]))) == [{text: text}]


@pytest.mark.parametrize("text", NUMBERS)
def test_a_number_is_no_formula(text: str) -> None:
    assert parsed(["a"], [[text]])[1] == [text]
    assert parsed(["a"], [[Decimal(text)]])[1] == [decimal_text(Decimal(text))]


@settings(deadline=None)
@given(st.lists(st.lists(st.text(), min_size=2, max_size=2)))
def test_every_text_is_read_again(rows: list[list[str]]) -> None:
    def restored(cell: str) -> str:
        safe = len(cell) > 1 and cell[0] == "'" and cell[1] in "=+-@\t\r\n"
        return cell[1:] if safe else cell

    again = [[restored(cell) for cell in row] for row in parsed(["a", "b"], rows)[1:]]
    assert again == [[restored(cell) for cell in row] for row in rows]
    named = [dict(zip(["a", "b"], row, strict=True)) for row in rows]
    assert json.loads("".join(write_json(["a", "b"], rows))) == named


@settings(deadline=None)
@given(st.decimals(allow_nan=False, allow_infinity=False, places=18, min_value=-(10**20)))
def test_every_decimal_is_exact_and_short(amount: Decimal) -> None:
    text = decimal_text(amount)
    assert Decimal(text) == amount
    assert not set(text) - set("-.0123456789")
    assert "." not in text or text[-1] not in ".0"


def test_nothing_is_a_table_too() -> None:
    assert list(write_csv(["a"], [])) == ["a\r\n"]
    assert json.loads("".join(write_json(["a"], []))) == []


def test_rows_are_written_as_they_come() -> None:
    def endless() -> Iterator[list[int]]:
        number = 0
        while True:
            number += 1
            yield [number]

    lines, pieces = write_csv(["a"], endless()), write_json(["a"], endless())
    assert [next(lines) for _ in range(3)] == ["a\r\n", "1\r\n", "2\r\n"]
    assert [next(pieces) for _ in range(2)] == ['[\n{"a": 1}', ',\n{"a": 2}']


@pytest.mark.parametrize("write", [write_csv, write_json])
@pytest.mark.parametrize(
    "row",
    [
        *([], ["a", "b"], [INEXACT], [{"a": INEXACT}], [b"a"], [["a"]]),
        *([datetime(2026, 1, 1)], [Decimal("NaN")], [Decimal("1E1000000000")]),
    ],
    ids=repr,
)
def test_what_is_no_row_is_refused(write: Any, row: list[Any]) -> None:
    with pytest.raises(errors.InvalidRequest):
        list(write(["a"], [row]))
