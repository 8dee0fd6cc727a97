"""What requests may say about amounts, counts and metadata; what amounts look like in answers."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from marshmallow import Schema, ValidationError

from billing_plugin import Money
from billing_plugin.dialects.native.shapes import (
    DAY,
    DECIMAL,
    MONEY,
    AmountBody,
    Metadata,
    amount_of,
    cents,
    count,
    money,
)
from billing_plugin.errors import InvalidRequest
from billing_plugin.money import MAX_CENTS
from tests.dialects.faces import fits


class Body(Schema):
    """One field of each kind."""

    cents = cents()
    count = count()
    metadata = Metadata()


def taken(**body: Any) -> Any:
    """What the body is read as, or None where it is refused."""
    try:
        return Body().load(body)
    except ValidationError:
        return None


@pytest.mark.parametrize("value", [0, 1, MAX_CENTS])
def test_whole_cents(value: int) -> None:
    assert taken(cents=value)["cents"] == value


@pytest.mark.parametrize(
    "value", [1.0, Decimal("1.0"), Decimal("1E+2"), True, "1", -1, MAX_CENTS + 1, None, [1]]
)
def test_what_is_not_whole_cents(value: Any) -> None:
    assert taken(cents=value) is None
    assert taken(count=value) is None or value == MAX_CENTS + 1


def test_the_largest_cents_are_an_amount() -> None:
    assert Money.from_cents(MAX_CENTS).cents == MAX_CENTS
    with pytest.raises(InvalidRequest):
        Money.from_cents(MAX_CENTS + 1)


def test_counts() -> None:
    assert taken()["count"] == 0
    assert taken(count=10**12)["count"] == 10**12
    assert taken(count=10**12 + 1) is None


@pytest.mark.parametrize("text", ["0", "5", "5.00", "9999999999.999999999"])
def test_decimal_text(text: str) -> None:
    assert DECIMAL(text) == text


@pytest.mark.parametrize("text", ["", "5\n", "-5", "5.", ".5", "1e3", "\u0665", "1.0000000001"])
def test_what_is_not_decimal_text(text: str) -> None:
    with pytest.raises(ValidationError):
        DECIMAL(text)


@pytest.mark.parametrize("text", ["2026-03-09\n", "2026-3-9", "20260309", "\u0662026-03-09"])
def test_what_is_not_a_day(text: str) -> None:
    assert DAY("2026-03-09")
    with pytest.raises(ValidationError):
        DAY(text)


def test_numbers_in_metadata_come_back_as_they_were_sent() -> None:
    sent = {"a": Decimal("0.5"), "b": [1, Decimal("2.25"), {"c": 10**30}], "d": "x", "e": None}
    kept = taken(metadata=sent)["metadata"]
    assert kept == {"a": 0.5, "b": [1, 2.25, {"c": 10**30}], "d": "x", "e": None}
    assert [type(kept["a"]), type(kept["b"][0])] == [float, int]


@pytest.mark.parametrize("number", ["1e400", "-1e400", "1e999999"])
def test_numbers_that_json_readers_cannot_hold_are_refused(number: str) -> None:
    assert taken(metadata={"a": [Decimal(number)]}) is None


@given(st.integers(-(2**63) + 1, 2**63 - 1), st.booleans())
def test_an_amount_is_exact_with_cents_beside_it(nanos: int, balance: bool) -> None:
    shown = fits(MONEY, money(Money(nanos), balance=balance))
    assert Decimal(shown["amount"]) * 10**9 == nanos
    down = shown["cents"] * 10**7 <= nanos
    assert down if balance else abs(shown["cents"] * 10**7 - nanos) <= 10**7 // 2


def test_unknown_is_not_zero() -> None:
    assert money(None) is None


def test_a_body_states_one_amount() -> None:
    assert amount_of({"amountCents": 150}, "USD") == Money.parse("1.50")
    assert amount_of({"amount": "1.000000001"}, "EUR") == Money(1_000_000_001, "EUR")
    assert amount_of({"amountCents": 150}, "JPY") == Money.parse("150", "JPY")
    for body in ({}, {"amountCents": 0, "amount": "0"}):
        with pytest.raises(InvalidRequest, match="one of them"):
            amount_of(body, "USD")


def test_null_is_no_amount() -> None:
    for body in ({"amountCents": None}, {"amount": None}):
        assert AmountBody().validate(body)
