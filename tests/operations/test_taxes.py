"""Tax: exact, rounded once, on top of what is owed or contained in it."""

from __future__ import annotations

from decimal import ROUND_HALF_EVEN, Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing_plugin import Billing, Money
from billing_plugin.operations.taxes import Tax, amounts_of, configured_tax, contained, whole
from tests.factories import billing_on

NANOS = st.integers(0, 10**17)
RATES = st.integers(0, 999_999).map(lambda parts: f"{parts // 10_000}.{parts % 10_000:04d}")
CURRENCIES = st.sampled_from(["USD", "JPY", "KWD"])
UNITS = {"USD": 10**7, "JPY": 10**9, "KWD": 10**6}


def half_even(exact: Fraction) -> int:
    """To a whole number, by the decimals of the standard library."""
    whole, rest = divmod(exact.numerator, exact.denominator)
    part = Decimal(rest * 2).compare(Decimal(exact.denominator))
    near = {-1: Decimal("0.25"), 0: Decimal("0.5"), 1: Decimal("0.75")}[int(part)]
    return int((whole + near).quantize(Decimal(1), rounding=ROUND_HALF_EVEN))


@given(NANOS, RATES, CURRENCIES, st.booleans())
def test_net_and_tax_are_whole_cents_and_add_up(
    nanos: int, rate: str, currency: str, inclusive: bool
) -> None:
    owed, unit, share = Money(nanos, currency), UNITS[currency], Fraction(rate) / 100
    found = amounts_of(owed, Tax("VAT", rate, inclusive))
    cents = half_even(Fraction(nanos, unit))
    assert (found.net.nanos % unit, found.tax.nanos % unit) == (0, 0)
    assert found.total == found.net + found.tax
    if inclusive:
        assert found.total == whole(owed) == Money.from_cents(cents, currency)
        assert found.tax.cents == half_even(cents * share / (1 + share))
    else:
        assert found.net == whole(owed) == Money.from_cents(cents, currency)
        assert found.tax.cents == half_even(cents * share)


@pytest.mark.parametrize(
    ("owed", "rate", "inclusive", "net", "tax"),
    [
        ("100", "19", False, "100.00", "19.00"),
        ("119", "19", True, "100.00", "19.00"),
        ("0.005", "19", False, "0.00", "0.00"),
        ("0.015", "50", False, "0.02", "0.01"),
        ("0.50", "8.875", False, "0.50", "0.04"),
        ("10", "0", True, "10.00", "0.00"),
    ],
)
def test_examples(owed: str, rate: str, inclusive: bool, net: str, tax: str) -> None:
    found = amounts_of(Money.parse(owed), Tax("Tax", rate, inclusive))
    assert (found.net.text, found.tax.text) == (net, tax)


def test_the_tax_is_that_of_the_settings(database_url: str, billing: Billing) -> None:
    with billing.instance.active():
        assert configured_tax() == ("Tax", "0", False)
    other = billing_on(
        database_url, invoice_tax_label="VAT", invoice_tax_rate="7.7", invoice_tax_inclusive=True
    )
    with other.instance.active():
        tax = configured_tax()
    assert (tax, tax.parts) == (("VAT", "7.7", True), 77_000)
    assert tax.facts == {"label": "VAT", "rate": "7.7", "inclusive": True}


def test_what_a_card_pays_contains_the_tax() -> None:
    assert contained(Tax("Tax", "19", inclusive=False)) == Tax("Tax", "19", inclusive=True)
