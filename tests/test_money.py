"""Money: exact, 64 bits, one rounding, held against Fraction as an independent oracle."""

from __future__ import annotations

import math
from decimal import ROUND_DOWN, Decimal, getcontext, localcontext
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing_plugin.errors import InvalidRequest
from billing_plugin.money import (
    EXPONENTS,
    MAX_NANOS,
    NANOS_PER_UNIT,
    Exact,
    Money,
    check_currency,
    exact_decimals,
    figures_of,
    nanos_per_cent,
    split_cents,
    split_nanos,
)

NANOS = st.integers(-MAX_NANOS, MAX_NANOS)
CURRENCIES = st.sampled_from(["USD", "EUR", "JPY", "KRW", "KWD", "TND", "CHF"])
FITTING = st.decimals(-(10**9), 10**9, allow_nan=False, allow_infinity=False)


def half_even(exact: Fraction) -> int:
    """The nearest whole number, a tie to the even one; written without `round`."""
    floor = math.floor(exact)
    rest = exact - floor
    up = rest > Fraction(1, 2) or (rest == Fraction(1, 2) and floor % 2 == 1)
    return floor + up


@given(FITTING)
def test_a_decimal_is_rounded_half_even_once(amount: Decimal) -> None:
    assert Money.from_decimal(amount).nanos == half_even(Fraction(amount) * NANOS_PER_UNIT)


@pytest.mark.parametrize(
    ("text", "nanos"),
    [
        ("0.0000000005", 0),
        ("0.0000000015", 2),
        ("-0.0000000015", -2),
        ("-0.0000000005", 0),
        ("0.0000000005" + "0" * 90 + "1", 1),  # rounded twice, this would be a tie
        ("0.0000000014" + "9" * 90, 1),
        ("0E+99", 0),
        ("1E-400", 0),
    ],
)
def test_ties_and_endless_tails(text: str, nanos: int) -> None:
    assert Money.from_decimal(Decimal(text)).nanos == nanos


@pytest.mark.parametrize("text", ["1E400", "-1E400", "1E13", "NaN", "sNaN", "Infinity", "1E10"])
def test_decimals_out_of_range_are_refused(text: str) -> None:
    with pytest.raises(InvalidRequest) as refusal:
        Money.from_decimal(Decimal(text))
    assert refusal.value.code == "amount_out_of_range"


@pytest.mark.parametrize("nanos", [1.0, True, False, "2", None, Decimal(3), float("nan")])
def test_only_whole_numbers_are_nanos(nanos: Any) -> None:
    with pytest.raises(InvalidRequest):
        Money(nanos)


@pytest.mark.parametrize("amount", [1.5, 1, True, "2", None])
def test_only_decimals_are_amounts(amount: Any) -> None:
    with pytest.raises(InvalidRequest):
        Money.from_decimal(amount)


@pytest.mark.parametrize("cents", [1.0, True, "2", None, Decimal(3)])
def test_only_whole_numbers_are_cents(cents: Any) -> None:
    with pytest.raises(InvalidRequest):
        Money.from_cents(cents)


@pytest.mark.parametrize("nanos", [2**63, -(2**63), 10**30])
def test_64_bits_are_the_end(nanos: int) -> None:
    assert Money(2**63 - 1).nanos == -Money(-(2**63) + 1).nanos
    with pytest.raises(InvalidRequest) as refusal:
        Money(nanos)
    assert refusal.value.code == "amount_out_of_range"


def test_a_sum_beyond_64_bits_is_refused() -> None:
    with pytest.raises(InvalidRequest):
        Money(MAX_NANOS) + Money(1)
    with pytest.raises(InvalidRequest):
        Money(-MAX_NANOS) - Money(1)


@given(NANOS, CURRENCIES)
def test_text_goes_round(nanos: int, currency: str) -> None:
    money = Money(nanos, currency)
    assert Money.parse(money.text, currency) == money
    assert Fraction(money.text) * NANOS_PER_UNIT == nanos
    assert Fraction(money.amount) * NANOS_PER_UNIT == nanos
    assert "E" not in money.text.upper()


@pytest.mark.parametrize(
    ("nanos", "currency", "text"),
    [
        (42_500_000_000, "USD", "42.50"),
        (610_000, "USD", "0.00061"),
        (-1, "USD", "-0.000000001"),
        (0, "USD", "0.00"),
        (5_000_000_000, "JPY", "5"),
        (500_000_000, "JPY", "0.5"),
        (1_000_000_000, "KWD", "1.000"),
        (-1_234_500_000, "KWD", "-1.2345"),
    ],
)
def test_text_has_the_decimals_of_its_currency(nanos: int, currency: str, text: str) -> None:
    assert Money(nanos, currency).text == text


@pytest.mark.parametrize(
    "text",
    [
        *("", " ", "abc", "1,5", "1_000", "1e2", "NaN", "Infinity", "-", ".", "1.", ".5"),
        *("0x10", "\uff11\uff12", "--1", "1 2", "1\0", "9" * 101, "1.0000000001", "1e400"),
    ],
)
def test_text_that_is_no_plain_amount_is_refused(text: str) -> None:
    with pytest.raises(InvalidRequest):
        Money.parse(text)


@pytest.mark.parametrize("text", [1, 1.5, None, b"2", Decimal(3)])
def test_only_text_is_parsed(text: Any) -> None:
    with pytest.raises(InvalidRequest):
        Money.parse(text)


def test_parsing_accepts_signs_spaces_and_idle_zeros() -> None:
    assert Money.parse(" +1.10 ") == Money.parse("1.1000000000000") == Money(1_100_000_000)


@given(NANOS, CURRENCIES)
def test_cents_are_half_even_and_cents_down_never_promise_more(nanos: int, currency: str) -> None:
    money = Money(nanos, currency)
    exact = Fraction(nanos, NANOS_PER_UNIT) * 10 ** EXPONENTS.get(currency, 2)
    assert money.cents == half_even(exact)
    assert money.cents_down == math.floor(exact)


@given(st.integers(-(10**9), 10**9), CURRENCIES)
def test_whole_cents_go_round(cents: int, currency: str) -> None:
    money = Money.from_cents(cents, currency)
    assert money.cents == money.cents_down == cents
    assert money.nanos == cents * nanos_per_cent(currency)


PARTS = st.lists(st.integers(-(10**12), 10**12), max_size=12)


@given(PARTS, CURRENCIES)
def test_split_cents_add_up_and_stay_near(nanos: list[int], currency: str) -> None:
    parts = [Money(amount, currency) for amount in nanos]
    cents = split_cents(parts)
    unit = nanos_per_cent(currency)
    assert sum(cents) == Money(sum(nanos), currency).cents
    assert len(cents) == len(parts)
    for part, shown in zip(parts, cents, strict=True):
        assert abs(Fraction(part.nanos, unit) - shown) < 1


@given(st.lists(st.integers(-(10**7), 10**7), max_size=12))
def test_split_cents_leave_whole_cents_alone(nanos: list[int]) -> None:
    cents = split_cents([Money.from_cents(amount) for amount in nanos])
    assert cents == nanos


def test_split_cents_give_the_missing_cent_to_the_largest_remainder() -> None:
    third = Money.parse("0.333333333")
    assert split_cents([third, third, Money.parse("0.333333334")]) == [33, 33, 34]
    assert (
        split_cents([-third, -third, -third]) == [-33, -33, -34]
        or sum(split_cents([-third, -third, -third])) == (-third - third - third).cents
    )


def test_currencies_never_add() -> None:
    dollar, euro = Money(1, "USD"), Money(1, "EUR")
    for act in (Money.__add__, Money.__sub__, Money.__lt__, Money.__le__):
        with pytest.raises(InvalidRequest) as refusal:
            act(dollar, euro)
        assert refusal.value.code == "currency_mismatch"
    with pytest.raises(InvalidRequest):
        split_cents([dollar, euro])
    assert dollar != euro


@given(NANOS, NANOS)
def test_order_and_sums_are_those_of_whole_numbers(one: int, other: int) -> None:
    a, b = Money(one), Money(other)
    assert (a < b, a <= b, a == b) == (one < other, one <= other, one == other)
    assert (-a).nanos == -one
    if abs(one + other) <= MAX_NANOS:
        assert (a + b).nanos == one + other
    if abs(one - other) <= MAX_NANOS:
        assert (a - b).nanos == one - other


@pytest.mark.parametrize("code", ["", "US", "USDX", "usd", "U1D", "ÜSD", "U D", None, 5, "US\n"])
def test_a_currency_is_three_capitals(code: Any) -> None:
    with pytest.raises(InvalidRequest):
        check_currency(code)
    with pytest.raises(InvalidRequest):
        Money(1, code)


def test_the_hosts_decimal_context_changes_nothing() -> None:
    with localcontext() as hosts:
        hosts.prec, hosts.rounding = 3, ROUND_DOWN
        money = Money.from_decimal(Decimal("123456.7890123456"))
        assert money.nanos == 123_456_789_012_346
        assert Money.parse("123456.789012346") == money
        assert format(money.amount, "f") == money.text == "123456.789012346"
        with exact_decimals():
            assert Decimal("1.23456") * Decimal("1.23456") == Decimal("1.5241383936")
        assert getcontext().prec == 3


def test_words() -> None:
    assert str(Money.parse("1.5")) == "1.50 USD"
    assert Money.zero("JPY") == Money(0, "JPY")


ATTOS = st.integers(-(10**30), 10**30)


def exact(attos: int) -> Exact:
    """So many attos."""
    return Exact(*divmod(attos, NANOS_PER_UNIT)) if abs(attos) < 10**27 else Exact(0)


@given(ATTOS, CURRENCIES)
def test_an_exact_amount_is_read_and_written_whole(attos: int, currency: str) -> None:
    amount = exact(attos)
    with localcontext(prec=60):
        said = Decimal(amount.text(currency))
        assert said == amount.amount
        assert said.scaleb(18) == amount.nanos * NANOS_PER_UNIT + amount.attos
    assert Exact.from_decimal(said) == Exact.parse(amount.text(currency)) == amount


@given(ATTOS, CURRENCIES)
def test_exact_cents_are_half_even(attos: int, currency: str) -> None:
    amount = exact(attos)
    unit = nanos_per_cent(currency) * NANOS_PER_UNIT
    whole = amount.nanos * NANOS_PER_UNIT + amount.attos
    assert amount.cents(currency) == half_even(Fraction(whole, unit))


@given(st.lists(ATTOS.filter(lambda attos: abs(attos) < 10**24), max_size=30))
def test_exact_sums_may_be_taken_part_by_part(parts: list[int]) -> None:
    amounts = [exact(part) for part in parts]
    total = Exact.of_sums(sum(one.nanos for one in amounts), sum(one.attos for one in amounts))
    assert total == sum(amounts, Exact(0)) == exact(sum(parts))
    assert Exact(0) - total == exact(-sum(parts))
    assert sorted(amounts) == [exact(part) for part in sorted(parts)]


WRONG: dict[str, Any] = {
    "a float": lambda: Exact(1.0),  # type: ignore[arg-type]
    "a boolean": lambda: Exact(True),
    "attos below nothing": lambda: Exact(0, -1),
    "attos of a nano": lambda: Exact(0, NANOS_PER_UNIT),
    "nanos beyond 64 bits": lambda: Exact(MAX_NANOS + 1),
    "a nineteenth decimal": lambda: Exact.from_decimal(Decimal("1E-19")),
    "no number": lambda: Exact.from_decimal(Decimal("NaN")),
    "too much": lambda: Exact.from_decimal(Decimal("1E+13")),
    "text that is no number": lambda: Exact.parse("1e3"),
    "no text": lambda: Exact.parse(5),  # type: ignore[arg-type]
    "no decimal": lambda: Exact.from_decimal(0.5),  # type: ignore[arg-type]
    "a sum beyond 64 bits": lambda: Exact.of_sums(MAX_NANOS, NANOS_PER_UNIT),
}


@pytest.mark.parametrize("wrong", WRONG.values(), ids=WRONG)
def test_what_is_no_exact_amount_is_refused(wrong: Any) -> None:
    with pytest.raises(InvalidRequest):
        wrong()


def test_cents_make_an_exact_amount() -> None:
    assert Exact.from_cents(1050, "USD") == Exact.from_decimal(Decimal("10.5"))
    assert Exact.from_cents(-5, "JPY").text("JPY") == "-5"


WEIGHTS = st.lists(st.integers(0, 10**18), min_size=1, max_size=12)


@given(WEIGHTS, st.data())
def test_split_nanos_add_up_and_take_no_more_than_there_is(
    weights: list[int], data: st.DataObject
) -> None:
    total = data.draw(st.integers(0, sum(weights)))
    parts = split_nanos(total, weights)
    assert sum(parts) == (total if sum(weights) else 0)
    assert all(0 <= part <= weight for part, weight in zip(parts, weights, strict=True))
    for part, weight in zip(parts, weights, strict=True):
        exact = Fraction(total * weight, sum(weights) or 1)
        assert abs(part - exact) < 1


@given(WEIGHTS)
def test_split_nanos_of_the_whole_are_the_weights(weights: list[int]) -> None:
    assert split_nanos(sum(weights), weights) == weights


def test_split_nanos_give_what_is_left_to_the_largest_remainder() -> None:
    assert split_nanos(10, [1, 1, 4]) == [2, 2, 6]
    assert split_nanos(1, [5, 6, 5]) == [0, 1, 0]
    assert split_nanos(2, [1, 1, 1]) == [1, 1, 0]
    assert split_nanos(7, [0, 0]) == [0, 0]


@given(st.integers(-(10**17), 10**17), st.integers(0, 10**9 - 1), st.sampled_from(["USD", "JPY"]))
def test_figures_are_those_of_the_exact_amount(nanos: int, attos: int, currency: str) -> None:
    for less in (attos, 0):
        exact = Exact(nanos, less)
        assert figures_of(nanos, less, currency) == (exact.cents(currency), exact.text(currency))


@given(st.integers(-(10**6), 10**6), st.integers(0, 1))
def test_figures_round_ties_to_even(cents: int, attos: int) -> None:
    exact = Exact(cents * 10_000_000 + 5_000_000, attos)
    assert figures_of(exact.nanos, attos, "USD")[0] == exact.cents("USD")
