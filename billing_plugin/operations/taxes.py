"""Tax: one rate for an instance, and the two roundings of an invoice.

What is owed is exact; it is rounded to whole cents once, half to even, for the whole invoice, and
the tax once, from those cents: so whoever reads an invoice can work it out again.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from billing_plugin.context import current
from billing_plugin.money import Money, nanos_per_cent
from billing_plugin.operations.tariffs import rounded

_WHOLE = 1_000_000  # parts of a rate: percent to four decimals


class Tax(NamedTuple):
    """A rate in percent, as text, by its name; `inclusive`: amounts contain it already."""

    label: str
    rate: str
    inclusive: bool

    @property
    def parts(self) -> int:
        """The rate in millionths."""
        whole, _, fraction = self.rate.partition(".")
        return int(whole + fraction.ljust(4, "0"))

    @property
    def facts(self) -> dict[str, Any]:
        """As an invoice keeps it."""
        return self._asdict()


class Amounts(NamedTuple):
    """An amount in whole cents: `net` and `tax` are the `total`."""

    net: Money
    tax: Money

    @property
    def total(self) -> Money:
        """Both together."""
        return self.net + self.tax


def configured_tax() -> Tax:
    """The tax of the instance at work."""
    settings = current().settings
    return Tax(
        settings.invoice_tax_label, settings.invoice_tax_rate, settings.invoice_tax_inclusive
    )


def contained(tax: Tax) -> Tax:
    """The same rate, contained in what was paid."""
    return tax._replace(inclusive=True)


def amounts_of(owed: Money, tax: Tax) -> Amounts:
    """Net and tax of what is owed: on top of it, or contained in it. Raises InvalidRequest beyond
    64 bits."""
    cents = owed.cents
    around = _WHOLE + tax.parts if tax.inclusive else _WHOLE
    part = rounded(cents * tax.parts, around)
    net = cents - part if tax.inclusive else cents
    return Amounts(Money.from_cents(net, owed.currency), Money.from_cents(part, owed.currency))


def whole(money: Money) -> Money:
    """In whole cents, rounded half to even."""
    return Money(money.cents * nanos_per_cent(money.currency), money.currency)
