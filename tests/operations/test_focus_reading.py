"""Reading FOCUS files: typed values, every wrong cell named, hostile files harmless."""

from __future__ import annotations

import io
import random
import time
import tracemalloc
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from billing_plugin import errors
from billing_plugin.money import Exact
from billing_plugin.operations import focus_reading
from billing_plugin.operations.focus_columns import BY_NAME, MANDATORY_NAMES, Quantity
from billing_plugin.operations.focus_reading import (
    FocusError,
    FocusHeader,
    FocusRow,
    focus_lines,
    read_focus,
)
from billing_plugin.periods import Period, parse_time
from tests.focus_files import GOOD, file_of, good_file

NOT_NEEDED = [
    *("BillingAccountName", "ChargeClass", "ChargeDescription", "ContractedCost", "EffectiveCost"),
    *("InvoiceIssuerName", "ListCost", "PricingQuantity", "PricingUnit", "PublisherName"),
]


def read(text: str, **options: Any) -> list[FocusRow]:
    return list(read_focus(io.StringIO(text, newline=""), **options))


def read_bytes(content: bytes) -> list[FocusRow]:
    return list(read_focus(focus_lines(io.BytesIO(content))))


def complaints(text: str | bytes, **options: Any) -> list[FocusError]:
    """What is said to be wrong with a file."""
    with pytest.raises(errors.InvalidRequest) as refusal:
        if isinstance(text, bytes):
            read_bytes(text)
        else:
            read(text, **options)
    said = refusal.value
    assert said.code == "unreadable_file"
    found = [FocusError(**error) for error in said.extra["errors"]]
    assert (said.extra["line"], said.extra["column"]) == found[0][:2]
    assert said.message.startswith(f"Line {found[0].line}")
    return found


def test_a_row_is_read_as_what_it_says() -> None:
    [row] = read(good_file())
    assert (row.amount, row.currency) == (Exact(500_000_000), "USD")
    assert (row.provider, row.service, row.sku) == ("OpenAI", "gpt-4o", "gpt-4o")
    assert row.charge_period == Period(
        parse_time("2026-01-01T00:00:00Z"), parse_time("2026-01-02T00:00:00Z")
    )
    assert row.billing_period.end == parse_time("2026-02-01T00:00:00Z")
    assert (row.category, row.correction, row.frequency) == ("Usage", False, "Usage-Based")
    assert row.service_category == "AI and Machine Learning"
    assert row.service_subcategory == "Generative AI"
    assert row.consumed == row.priced == Quantity(Decimal(500_000), "Tokens")
    assert (row.account_id, row.account_name, row.region) == ("acct", None, None)
    assert row.tags == {"team": "a", "pinned": True}
    assert (row.tokens, row.extra, row.line) == ({"input_tokens": 500_000}, {}, 2)


def test_the_header_tells_version_and_ignored_columns() -> None:
    told: list[FocusHeader] = []
    later = {"Id": "1", "x_Team": "a", "": "?", "HostProviderName": "b", "InvoiceId": "i"}
    [row] = read(good_file(later), told=told.append)
    assert (told[0].version, told[0].ignored) == ("1.2", ("Id", "", "HostProviderName"))
    assert (row.extra, row.invoice_id) == ({"x_Team": "a"}, "i")
    told.clear()
    read(file_of(GOOD, *MANDATORY_NAMES), told=told.append)
    assert told == [FocusHeader("1.0", MANDATORY_NAMES, ())]
    told.clear()
    read(file_of(GOOD, *MANDATORY_NAMES, "ServiceSubcategory"), told=told.append)
    assert told[0].version == "1.1"


@pytest.mark.parametrize("null", ["", "NULL", "   ", "\t"])
@pytest.mark.parametrize("name", MANDATORY_NAMES)
def test_null_is_refused_only_where_a_value_is_needed(name: str, null: str) -> None:
    text = good_file({name: null})
    if name in NOT_NEEDED:
        assert len(read(text)) == 1
    else:
        assert complaints(text) == [FocusError(2, name, "The value is missing.")]


@pytest.mark.parametrize("name", MANDATORY_NAMES)
def test_a_missing_mandatory_column_is_named(name: str) -> None:
    others = [column for column in GOOD if column != name]
    expected = FocusError(1, name, "The mandatory column is missing.")
    assert complaints(file_of(GOOD, *others)) == [expected]


def test_all_missing_columns_are_named_at_once() -> None:
    found = complaints("date;cost\r\n2026-01-01;1,5\r\n")
    assert [error.column for error in found] == list(MANDATORY_NAMES)


def test_a_column_twice_is_refused() -> None:
    assert complaints(file_of(GOOD, *GOOD, "Tags"))[0].column == "Tags"
    assert complaints(file_of(GOOD | {"Id": "1"}, *GOOD, "Id", "Id"))[0].column == "Id"


@pytest.mark.parametrize("name", ["RegionId", "ResourceId", "SubAccountId"])
def test_an_id_stands_for_a_missing_name_and_the_reverse(name: str) -> None:
    other = name.replace("Id", "Name")
    field = {"SubAccountId": "sub_account_id"}.get(name, name.removesuffix("Id").lower())
    for change in ({name: "a", other: "NULL"}, {name: "NULL", other: "a"}, {name: "a", other: "b"}):
        [row] = read(good_file(change))
        assert getattr(row, field) == "a"


def test_what_contradicts_the_category_is_not_read() -> None:
    changes: list[dict[str, str]] = [
        {"ChargeCategory": "Tax", "ChargeClass": "Correction", "ChargeFrequency": "one-time"},
        {"ChargeCategory": "Purchase"},
        {"ServiceSubcategory": "Other (AI and Machine Learning)"},
    ]
    tax, purchase, other = read(good_file(*changes))
    assert (tax.consumed, tax.priced, tax.correction) == (None, None, True)
    assert (tax.frequency, purchase.frequency) == ("One-Time", None)
    assert (purchase.consumed, purchase.priced) == (None, Quantity(Decimal(500_000), "Tokens"))
    assert other.service_subcategory is None


WRONG = {
    "BilledCost": ("1,5", "NaN", "1E1000000000", "$5", "0.0000000000000000001", "9999999999.9"),
    "BillingCurrency": ("usd", "credits", "$"),
    "ChargePeriodStart": ("9/1/24", "2026-01-03T00:00:00Z"),
    "BillingPeriodEnd": ("2025-12-31T00:00:00Z", "never"),
    "ChargeCategory": ("Refund",),
    "ChargeClass": ("Wrong",),
    "ChargeFrequency": ("Daily",),
    "ListCost": ("free",),
    "ConsumedQuantity": ("many",),
    "Tags": ("{", "[]", '{"a": {}}'),
    "x_InputTokens": ("-1", "1.5"),
    "ServiceName": ("a\0b",),
}


@pytest.mark.parametrize(
    ("name", "cell"), [(name, cell) for name, cells in WRONG.items() for cell in cells]
)
def test_a_wrong_cell_is_named(name: str, cell: str) -> None:
    [found] = complaints(good_file({}, {name: cell}))
    named = "ChargePeriodEnd" if cell.startswith("2026-01-03") else name
    assert (found.line, found.column) == (3, named)
    assert cell not in found.message


def test_all_errors_of_a_file_are_collected_up_to_a_number() -> None:
    text = good_file({}, {"BilledCost": "a", "Tags": "b"}, {}, *[{"ListCost": "c"}] * 200)
    found = complaints(text)
    assert [error[:2] for error in found[:3]] == [(3, "BilledCost"), (3, "Tags"), (5, "ListCost")]
    assert len(found) == focus_reading.MOST_ERRORS
    assert len(complaints(text, most_errors=3)) == 3
    assert len(complaints(text, most_errors=0)) == 1
    assert len(complaints(text, most_errors=1000)) == 202


def test_after_the_first_error_no_row_is_handed_out() -> None:
    rows = read_focus(io.StringIO(good_file({}, {"BilledCost": "a"}, {}), newline=""))
    assert next(rows).line == 2
    with pytest.raises(errors.InvalidRequest):
        next(rows)


def test_rows_come_before_the_file_has_ended() -> None:
    def endless() -> Any:
        header, row, _ = good_file().split("\r\n")
        yield header + "\n"
        while True:
            yield row + "\n"

    rows = read_focus(endless())
    assert [next(rows).line for _ in range(3)] == [2, 3, 4]


def test_the_line_of_a_row_is_where_it_begins() -> None:
    text = good_file({"ChargeDescription": "two\r\nlines"}, {}, {"BilledCost": "a"})
    assert complaints("\ufeff" + text)[0].line == 5
    assert [row.line for row in read("\r\n\n" + good_file({}, {}).replace("\r\n", "\n\n"))] == [
        5,
        7,
    ]


def test_a_row_of_another_length_is_refused() -> None:
    lines = good_file({}, {}).split("\r\n")
    short = lines[2].rpartition(",")[0]
    for wrong in (short, lines[2] + ",", "a", '""'):
        [found] = complaints("\r\n".join([*lines[:2], wrong]))
        assert (found.line, found.column) == (3, "")


# --- the identity of rows


def ids(text: str) -> list[str]:
    return [row.id for row in read(text)]


def test_a_row_is_known_again_by_its_content() -> None:
    one, other = {"ChargeDescription": "one"}, {"ChargeDescription": "other"}
    first = ids(good_file(one, other, one))
    assert len(set(first)) == 3
    assert ids(good_file(one, other, one)) == first
    assert ids(good_file(one, other, one, other, {}))[:3] == first
    assert sorted(ids(good_file(one, one, other))) == sorted(first)


def test_neither_order_nor_ids_nor_forms_of_null_make_another_row() -> None:
    expected = ids(good_file())
    shuffled = list(GOOD)
    random.Random(1).shuffle(shuffled)
    assert ids(file_of(GOOD, *shuffled)) == expected
    assert ids(good_file({"Id": "4711"})) == expected
    assert ids(good_file({"RegionId": "", "InvoiceId": "NULL"})) == expected


@pytest.mark.parametrize("name", [name for name in GOOD if name in BY_NAME])
def test_every_cell_makes_another_row(name: str) -> None:
    other = {
        "BillingCurrency": "EUR", "ChargeCategory": "Credit", "ChargeClass": "Correction",
        "ChargeFrequency": "One-Time", "Tags": "{}",
    }.get(name)  # fmt: skip
    kind = {"decimal": "7.5", "date-time": "2026-01-01T12:00:00Z"}.get(BY_NAME[name].type)
    assert ids(good_file({name: other or kind or "x"})) != ids(good_file())


def test_text_does_not_run_over_into_the_next_cell() -> None:
    one = {"ProviderName": "a", "PublisherName": "NULL"}
    two = {"ProviderName": "NULLa", "PublisherName": ""}
    assert ids(good_file(one)) != ids(good_file(two))


# --- hostile files


@pytest.mark.parametrize("codec", ["utf-16", "utf-16-le", "utf-16-be", "utf-32"])
def test_another_encoding_is_named(codec: str) -> None:
    [found] = complaints(good_file().encode(codec))
    assert (found.line, "UTF-8" in found.message) == (1, True)


def test_latin_1_is_found_where_it_stands() -> None:
    text = good_file({}, {"ServiceName": "Größe"}, {})
    [found] = complaints(text.encode("latin-1"))
    assert (found.line, found.column, "UTF-8" in found.message) == (3, "ServiceName", True)
    header = file_of(GOOD | {"x_Größe": "1"}).encode("latin-1")
    assert complaints(header)[0].line == 1


def test_text_that_was_opened_as_something_else_is_refused() -> None:
    content = good_file({"ServiceName": "Größe"}).encode("latin-1")
    with pytest.raises(errors.InvalidRequest, match="UTF-8"):
        list(read_focus(io.TextIOWrapper(io.BytesIO(content), encoding="utf-8", newline="")))


def test_utf_8_is_read_with_and_without_a_mark() -> None:
    text = good_file({"ServiceName": "Größe 😀\u2028x"})
    assert read_bytes(text.encode()) == read_bytes(text.encode("utf-8-sig")) == read(text)
    assert read(text)[0].service == "Größe 😀\u2028x"


HOSTILE: dict[str, tuple[bytes, str]] = {
    "empty": (b"", "empty"),
    "lines": (b"\n" * 100_000, "empty"),
    "quote never closed": (good_file({}, {}).encode() + b'"' + b"a,b\r\n" * 10, "never closed"),
    "quote never closed, long": (
        good_file().encode() + b'"' + b"a,b\r\n" * 100_000, "characters",
    ),
    "huge cell": (good_file({"ServiceName": "a" * 10**6}).encode(), "characters"),
    "huge line": (good_file().encode() + b"a," * 5_000_000, "characters"),
    "no line ends": (b"a" * 20_000_000, "characters"),
    "many columns": (b",".join(b"c%d" % n for n in range(100_000)), "columns"),
    "empty columns": (b"," * 100_000, "columns"),
    "header of two lines": (b'"a\n\xe9",' + good_file().encode(), "UTF-8"),
    "long name": (good_file({"x_" + "a" * 1000: "1"}).encode(), "name of a column"),
    "many cells": (good_file().encode() + b"," * 100_000, "cells"),
    "text after a quote": (good_file().encode() + b'"a"b,', "CSV"),
    "old line ends": (good_file().encode().replace(b"\r\n", b"\r"), "CSV"),
    "deep tags": (good_file({"Tags": '{"a":' * 20_000}).encode(), "Tags"),
    "many digits": (good_file({"BilledCost": "9" * 100_000}).encode(), "number"),
    "exponent": (good_file({"BilledCost": "1E1000000000"}).encode(), "number"),
    "small exponent": (good_file({"PricingQuantity": "1E-999"}).encode(), "range"),
    "number in tags": (good_file({"Tags": "9" * 100_000}).encode(), "Tags"),
    "gzip": (b"\x1f\x8b\x08" + bytes(range(256)) * 100, "UTF-8"),
}  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_file_is_refused_soon_and_small(name: str) -> None:
    content, why = HOSTILE[name]
    tracemalloc.start()
    try:
        begun = time.perf_counter()
        found = complaints(content)
        took = time.perf_counter() - begun
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(found) == 1
    assert why in found[0].message
    assert (took < 5, peak < 64 * 2**20) == (True, True)


@settings(deadline=None)
@given(st.binary(max_size=2000))
def test_any_bytes_are_read_or_refused(content: bytes) -> None:
    for text in (content, good_file().encode() + content, content + good_file().encode()):
        try:
            assert all(row.provider for row in read_bytes(text))
        except errors.InvalidRequest as refusal:
            assert refusal.code == "unreadable_file"


@settings(deadline=None)
@given(st.dictionaries(st.sampled_from(sorted(GOOD)), st.text(max_size=40), max_size=4))
def test_any_cells_are_read_or_named(change: dict[str, str]) -> None:
    try:
        [row] = read(good_file(change))
    except errors.InvalidRequest as refusal:
        named = {error["column"] for error in refusal.extra["errors"]}
        assert named <= {*change, "ChargePeriodEnd", "BillingPeriodEnd"}
    else:
        assert row.amount.amount.is_finite()
