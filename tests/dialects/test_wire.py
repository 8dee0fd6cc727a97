"""Codecs: exact JSON in, compact JSON out, times cut off, money as JSON numbers."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal

import pytest
from flask import Flask
from hypothesis import given
from hypothesis import strategies as st

from billing_plugin import Money
from billing_plugin.dialects.wire import (
    MAX_DEPTH,
    camel,
    iso_millis,
    iso_seconds,
    number,
    parse_json,
    plain,
    reply,
    storable,
)
from billing_plugin.errors import InvalidRequest

AT = datetime(2026, 3, 9, 14, 32, 5, 999_999, tzinfo=UTC)
STORABLE = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]))
DOCUMENTS = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | STORABLE,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(STORABLE, inner, max_size=3),
    max_leaves=10,
)


def test_a_reply_is_compact_and_in_utf8() -> None:
    response = reply({"name": "Café", "at": AT, "exact": Decimal("0.10")}, 201)
    expected = '{"name":"Café","at":"2026-03-09T14:32:05.999Z","exact":"0.10"}'
    assert response.data == expected.encode()
    assert (response.status_code, response.content_type) == (201, "application/json")


def test_a_reply_refuses_what_has_no_json_form() -> None:
    with pytest.raises(TypeError, match="set has no JSON form"):
        plain({1})


@given(DOCUMENTS)
def test_what_is_replied_can_be_read_again(document: object) -> None:
    with Flask("x").app_context():
        assert parse_json(reply(document).data) == document


@pytest.mark.parametrize(
    ("text", "value"), [("0.1", "0.1"), ("1e400", "1E+400"), ("1.50", "1.50"), ("-0.0", "-0.0")]
)
def test_numbers_with_a_point_are_exact(text: str, value: str) -> None:
    found = parse_json(text.encode())
    assert isinstance(found, Decimal)
    assert str(found) == value


@pytest.mark.parametrize("body", [b"", b"{", b"NaN", b"-Infinity", b'{"a":1,"a":1}', b'"\xff"'])
def test_malformed(body: bytes) -> None:
    with pytest.raises(InvalidRequest) as refused:
        parse_json(body)
    assert refused.value.code == "malformed_json"


@pytest.mark.parametrize("text", ['"\\u0000"', '["\\ud800"]', '{"\\udfff": 1}', '{"a": "\\u0000"}'])
def test_text_that_no_database_keeps(text: str) -> None:
    with pytest.raises(InvalidRequest, match="NUL"):
        parse_json(text.encode())


def test_a_whole_surrogate_pair_is_one_character() -> None:
    assert parse_json(b'"\\ud83d\\ude00"') == "\U0001f600"


@pytest.mark.parametrize(("opening", "closing"), [("[", "]"), ('{"a":', "}")])
def test_depth(opening: str, closing: str) -> None:
    def nested(levels: int) -> bytes:
        return (opening * levels + "1" + closing * levels).encode()

    assert parse_json(nested(MAX_DEPTH))
    with pytest.raises(InvalidRequest, match="nested"):
        parse_json(nested(MAX_DEPTH + 1))
    with pytest.raises(InvalidRequest):
        parse_json(nested(500_000))


def test_storable_text_is_left_alone() -> None:
    assert storable("Käse \U0001f600\t\x01") == "Käse \U0001f600\t\x01"


def test_times_are_utc_and_cut_off() -> None:
    assert iso_millis(AT) == "2026-03-09T14:32:05.999Z"
    assert iso_seconds(AT) == "2026-03-09T14:32:05Z"
    assert iso_millis(AT.replace(microsecond=0)) == "2026-03-09T14:32:05.000Z"
    east = AT.astimezone(timezone(timedelta(hours=5, minutes=30)))
    assert (iso_millis(east), iso_seconds(east)) == (iso_millis(AT), iso_seconds(AT))


def test_a_time_without_a_zone_is_refused() -> None:
    with pytest.raises(InvalidRequest, match="zone"):
        iso_millis(datetime(2026, 3, 9))


@given(st.integers(-(10**15), 10**15))
def test_a_number_reads_back_as_the_amount(nanos: int) -> None:
    money = Money(nanos)
    assert Decimal(repr(number(money))) == money.amount


def test_no_money_is_null() -> None:
    assert number(None) is None


@pytest.mark.parametrize(
    ("name", "said"), [("resets_at", "resetsAt"), ("id", "id"), ("retry_after_s", "retryAfterS")]
)
def test_camel(name: str, said: str) -> None:
    assert camel(name) == said
