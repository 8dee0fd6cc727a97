"""Real bills: 1,000 rows of three vendors, read to the last decimal and written again."""

from __future__ import annotations

import io
from collections import Counter
from dataclasses import replace
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import pytest

from billing_plugin.money import Exact
from billing_plugin.operations.focus_columns import other_in
from billing_plugin.operations.focus_reading import FocusHeader, FocusRow, focus_lines, read_focus
from billing_plugin.operations.focus_writing import write_focus
from tests.focus_rules import complaints

SAMPLE = Path(__file__).parents[2] / "shared" / "data" / "focus-1.0-sample.csv"
# Provider: rows, sum in dollars, zero rows, negative rows, below a cent, a cent or more; as the
# notes beside the file state them.
PROVIDERS = {
    "AWS": (942, "18.00663861840", 327, 1, 529, 85),
    "Microsoft": (51, "1.97651418586", 1, 12, 35, 3),
    "Oracle": (7, "0.53707392473", 1, 0, 1, 5),
}
TOTAL = Decimal("20.52022672899")
CENT = Decimal("0.01")
pytestmark = pytest.mark.skipif(
    not SAMPLE.exists(), reason=f"The public bill {SAMPLE.name} is not beside this project."
)


@pytest.fixture(scope="module")
def rows() -> list[FocusRow]:
    with SAMPLE.open("rb") as file:
        return list(read_focus(focus_lines(file)))


def total(rows: list[FocusRow]) -> Decimal:
    return sum((row.amount for row in rows), Exact(0)).amount


def test_the_whole_file_adds_up_exactly(rows: list[FocusRow]) -> None:
    assert (len(rows), total(rows)) == (1000, TOTAL)
    assert sum(Fraction(row.amount.amount) for row in rows) == Fraction(TOTAL)
    assert sum((row.amount for row in rows), Exact(0)).cents("USD") == 2052


@pytest.mark.parametrize("provider", PROVIDERS)
def test_each_provider_adds_up_exactly(rows: list[FocusRow], provider: str) -> None:
    own = [row for row in rows if row.provider == provider]
    costs = [row.amount.amount for row in own]
    counts = (
        sum(cost == 0 for cost in costs),
        sum(cost < 0 for cost in costs),
        sum(0 < cost < CENT for cost in costs),
        sum(cost >= CENT for cost in costs),
    )
    assert (len(own), str(total(own).quantize(Decimal("1E-11"))), *counts) == PROVIDERS[provider]


def test_the_rows_say_what_is_known_of_them(rows: list[FocusRow]) -> None:
    assert Counter(row.category for row in rows) == {"Usage": 997, "Adjustment": 2, "Credit": 1}
    assert {row.currency for row in rows} == {"USD"}
    assert Counter(row.billing_period.start.month for row in rows) == {9: 999, 10: 1}
    assert sum(not row.tags for row in rows) == 289
    assert sum(row.account_name is None for row in rows) == 7
    assert min(row.amount.amount for row in rows) == Decimal("-2.6137")
    assert {row.frequency for row in rows} == {"Usage-Based", "One-Time"}
    assert [row.line for row in rows] == list(range(2, 1002))


def test_the_header_is_of_1_0_and_the_row_number_is_ignored() -> None:
    told: list[FocusHeader] = []
    with SAMPLE.open("rb") as file:
        next(read_focus(focus_lines(file), told=told.append))
    assert [(header.version, len(header.read), header.ignored) for header in told] == [
        ("1.0", 43, ("Id",))
    ]


def test_a_longer_file_has_the_same_rows_and_more(rows: list[FocusRow]) -> None:
    lines = SAMPLE.read_text(encoding="utf-8").splitlines(keepends=True)
    half = [row.id for row in read_focus(lines[:501])]
    again = [row.id for row in read_focus([lines[0], *reversed(lines[1:])])]
    assert len({row.id for row in rows}) == 1000
    assert half == [row.id for row in rows[:500]]
    assert set(again) == {row.id for row in rows}


def test_the_bill_is_the_same_after_it_was_written_and_read(rows: list[FocusRow]) -> None:
    text = "".join(write_focus(rows, invoice_issuer="nobody"))
    assert complaints(text) == []
    again = list(read_focus(io.StringIO(text, newline="")))
    assert again == rows
    assert total(again) == TOTAL
    assert "".join(write_focus(again, invoice_issuer="nobody")) == text


def test_what_the_bill_does_not_say_is_filled_in_where_focus_needs_it(rows: list[FocusRow]) -> None:
    bare = [replace(row, sku=None, consumed=None, priced=None, frequency=None) for row in rows]
    text = "".join(write_focus(bare, invoice_issuer="nobody"))
    assert complaints(text) == []
    assert other_in("Compute") in text
    assert total(list(read_focus(io.StringIO(text, newline="")))) == TOTAL
