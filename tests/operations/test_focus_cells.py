"""Cells of FOCUS files: what is read, exactly, and what is refused without harm."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from billing_plugin import errors
from billing_plugin.money import Exact
from billing_plugin.operations import focus_cells
from billing_plugin.operations.focus_columns import BY_NAME

DECIMALS = {
    "0.00000080000": "0.0000008",
    "-100.2": "-100.2",
    "-3": "-3",
    "4": "4",
    "35.2E-7": "0.00000352",
    "1e-07": "0.0000001",
    "1E3": "1000",
    ".5": "0.5",
    "0E999": "0",
    "0.000000000000000000000000000000": "0",
}
NO_DECIMALS = [
    *("1 1/2", "35.2E+7", "35.24 x 10^7", "[3,5,8]", "2.3^3", "32 GiB", "$32", "3,432,342", "+333"),
    *("NaN", "Infinity", "-", ".", "1.", "1,5", "0x10", " 1", "1_000", "--1", "1E", "E5", "\u0661"),
    *("1E1000000000", "1E-1000000000", "1E999", "1E40", "1E-41", "9" * 41, "9" * 100_000),
    *("0." + "1" * 41, "-1E999"),
]
TIMES = {
    "2024-09-18 23:00:00": (23, 0, 0),
    "2024-09-18T23:00:00Z": (23, 0, 0),
    "2024-09-18T23:00Z": (23, 0, 0),
    "2024-09-18 23:00:00 UTC": (23, 0, 0),
    "2024-09-18T23:00:00.1234567Z": (23, 0, 123456),
    "2024-09-19T01:00:00+02:00": (23, 0, 0),
}
NO_TIMES = [
    *(
        "2024-09-18",
        "9/18/24",
        "2024-13-01 00:00:00",
        "2024-02-30T00:00:00Z",
        "0000-01-01 00:00:00",
    ),
    *("9999-12-31T23:59:59-01:00", "1969-12-31 23:59:59", "2024-09-18 23:00:60", "now", "2024-W01"),
    *("2024-09-18T23:00:00z", "20240918T230000Z", "2024-09-18 23:00:00 CET", "9" * 1000),
]
TAGS: dict[str, dict[str, Any]] = {
    "{}": {},
    '{"a": "b", "c": true, "d": false, "e": null}': {"a": "b", "c": True, "d": False, "e": None},
    '{"n": 1, "d": 0.10, "bomb": 1E1000000000}': {"n": "1", "d": "0.10", "bomb": "1E1000000000"},
    '{"ключ": "值", "": ""}': {"ключ": "值", "": ""},
}
NO_TAGS = [
    *("[]", '"a"', "1", "null", "{", "a: b", "{'a': 'b'}", '{"a": {}}', '{"a": []}', '{"a": NaN}'),
    *('{"a": 1, "a": 2}', '{"a": "\\u0000"}', '{"a": "\\ud800"}', '{"\\udfff": 1}', '{"a": 1}x'),
    *("[" * 100_000, '{"a":' * 100_000, '{"a": -Infinity}', '{"a": [' + "1," * 50_000 + "1]}"),
]


def name_of(text: str) -> str:
    """A long text by its beginning and its length."""
    return text if len(text) < 20 else f"{text[:20]} {len(text)}"


@pytest.mark.parametrize("text", DECIMALS)
def test_a_decimal_is_exact(text: str) -> None:
    assert focus_cells.decimal(text) == Decimal(DECIMALS[text])
    assert focus_cells.exact(text).amount == Decimal(DECIMALS[text])


@pytest.mark.parametrize("text", NO_DECIMALS, ids=name_of)
def test_anything_else_is_no_decimal(text: str) -> None:
    for read in (focus_cells.decimal, focus_cells.exact):
        refused(read, text)


def test_an_amount_has_at_most_18_decimals_but_a_quantity_more() -> None:
    assert focus_cells.exact("1E-18") == Exact(0, 1)
    assert focus_cells.exact("-1E-18") == Exact(-1, 999_999_999)
    assert focus_cells.exact("0.1000000000000000000000") == Exact(100_000_000)
    assert "18 decimals" in refused(focus_cells.exact, "0.0000000000000000001")
    assert focus_cells.decimal("1E-19") == Decimal("1E-19")


def test_an_amount_is_within_64_bits_of_nanos() -> None:
    assert focus_cells.exact("9223372036.854775807").nanos == 2**63 - 1
    refused(focus_cells.exact, "9223372036.854775808")
    refused(focus_cells.exact, "9999999999999999999")


@settings(deadline=None)
@given(st.integers(-(10**28), 10**28))
def test_every_amount_is_read_to_the_last_decimal(attos: int) -> None:
    text = f"{Decimal(attos).scaleb(-18):f}"
    nanos, rest = divmod(attos, 10**9)
    if abs(nanos) < 2**63:
        assert focus_cells.exact(text) == Exact(nanos, rest)


@pytest.mark.parametrize("text", TIMES)
def test_a_time_is_utc(text: str) -> None:
    hour, second, microsecond = TIMES[text]
    expected = datetime(2024, 9, 18, hour, 0, second, microsecond, tzinfo=UTC)
    assert focus_cells.instant(text) == expected
    assert focus_cells.instant(text).utcoffset() == timedelta(0)


@pytest.mark.parametrize("text", NO_TIMES, ids=name_of)
def test_anything_else_is_no_time(text: str) -> None:
    refused(focus_cells.instant, text)


@pytest.mark.parametrize("text", TAGS)
def test_tags_are_read(text: str) -> None:
    assert focus_cells.tags(text) == TAGS[text]


@pytest.mark.parametrize("text", NO_TAGS, ids=name_of)
def test_anything_else_are_no_tags(text: str) -> None:
    refused(focus_cells.tags, text)


@pytest.mark.parametrize("text", ["a\0b", "caf\udce9", "\ud800"])
def test_text_that_cannot_be_stored_is_refused(text: str) -> None:
    refused(focus_cells.plain, text)


def test_text_stays_as_it_is() -> None:
    assert focus_cells.plain(" =Größe\n\t😀 ") == " =Größe\n\t😀 "


def test_vendors_disagree_about_capitals() -> None:
    frequency = BY_NAME["ChargeFrequency"]
    assert focus_cells.one_of(frequency, "Usage-based") == "Usage-Based"
    assert "One-Time, Recurring, Usage-Based" in refused(
        lambda text: focus_cells.one_of(frequency, text), "Daily"
    )


def test_the_column_decides_how_a_cell_is_read() -> None:
    read = {name: focus_cells.parser_of(column) for name, column in BY_NAME.items()}
    assert read["BilledCost"]("0.5") == Exact(500_000_000)
    assert read["ListCost"]("0.5") == Decimal("0.5")
    assert read["ChargeCategory"]("tax") == "Tax"
    assert read["Tags"]("{}") == {}
    assert read["ServiceName"]("{}") == "{}"
    for wrong in ("usd", "US", "US$", "dollars", "XX1", "\uff35SD"):
        refused(read["BillingCurrency"], wrong)


@pytest.mark.parametrize("text", ["-1", "1.0", "1E3", "", "9" * 19, "\u0661"])
def test_tokens_are_counted(text: str) -> None:
    assert focus_cells.count("500000") == 500_000
    refused(focus_cells.count, text)


def refused(read: Callable[[str], object], text: str) -> str:
    """The sentence of the refusal, which never repeats what a stranger wrote."""
    with pytest.raises(errors.InvalidRequest) as refusal:
        read(text)
    assert len(refusal.value.message) < 200
    assert len(text) < 6 or text not in refusal.value.message
    return refusal.value.message
