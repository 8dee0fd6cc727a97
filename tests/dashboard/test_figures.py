"""Figures: exact, and rounded by the rule that is named."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from billing_plugin import Money
from billing_plugin.dashboard import figures
from billing_plugin.dashboard.figures import Figure
from billing_plugin.money import Exact

AT = datetime(2026, 3, 29, 0, 59, 59, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "amount", "balance"),
    [
        ("12.34", "", ""),
        ("12.345", "12.34", "12.34"),
        ("12.355", "12.36", "12.35"),
        ("-12.345", "-12.34", "-12.35"),
        ("-0.004", "0.00", "-0.01"),
        ("0.000000001", "0.00", "0.00"),
    ],
)
def test_what_is_rounded_says_how(text: str, amount: str, balance: str) -> None:
    value = Money.parse(text)
    assert figures.of_money(value) == Figure(text, "USD", amount, "half-even")
    assert figures.of_balance(value) == Figure(text, "USD", balance, "down")


def test_an_amount_of_an_item_keeps_all_its_decimals() -> None:
    found = figures.of_exact(Exact.parse("-0.000000000000000001"), "USD")
    assert found == Figure("-0.000000000000000001", "USD", "0.00", "half-even")


def test_a_part_is_rounded_as_the_whole_wants_it() -> None:
    amount = Exact.parse("1.004")
    part = figures.of_part(amount, "USD", cents=101, partitions=True)
    assert (part.rounded, part.rule) == ("1.01", "adding up")
    assert figures.of_part(amount, "USD", cents=100, partitions=False).rule == "half-even"


@pytest.mark.parametrize(
    ("whole", "currency", "text"),
    [
        (0, "USD", "0.00"), (-5, "USD", "-0.05"), (123456, "USD", "1234.56"), (7, "JPY", "7"),
        (-7, "JPY", "-7"), (1234, "KWD", "1.234"),
        (9223372036854775807, "USD", "92233720368547758.07"),
    ],
)  # fmt: skip
def test_minor_units_are_those_of_the_currency(whole: int, currency: str, text: str) -> None:
    assert figures.units(whole, currency) == text


def test_a_time_names_its_zone() -> None:
    assert figures.moment(AT) == "2026-03-29 00:59:59 UTC"
    assert figures.moment(AT, "Europe/Berlin") == "2026-03-29 01:59:59 Europe/Berlin"
    after = AT + timedelta(seconds=1)
    assert figures.moment(after, "Europe/Berlin") == "2026-03-29 03:00:00 Europe/Berlin"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-5, "just now"), (0, "just now"), (59, "just now"), (60, "1 min ago"),
        (3599, "59 min ago"),
        (3600, "1 h ago"), (86_399, "23 h ago"), (86_400, "1 d ago"), (10**7, "115 d ago"),
    ],
)  # fmt: skip
def test_how_long_ago(seconds: int, text: str) -> None:
    assert figures.age(AT - timedelta(seconds=seconds), AT) == text
