"""How figures look: exact always, with whole minor units beside where these say something else."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import NamedTuple

from billing_plugin.money import DEFAULT_EXPONENT, EXPONENTS, Exact, Money
from billing_plugin.periods import aware, zone_named

HALF_EVEN, DOWN, ADDING_UP = "half-even", "down", "adding up"
_STEPS = ((86_400, "d"), (3_600, "h"), (60, "min"))


class Figure(NamedTuple):
    """An amount: its exact decimal in units; `rounded` to whole minor units by `rule`, empty where
    that is the same."""

    exact: str
    currency: str
    rounded: str
    rule: str


def of_money(value: Money) -> Figure:
    """An amount."""
    return _figure(value.text, value.currency, whole=value.cents, rule=HALF_EVEN)


def of_balance(value: Money) -> Figure:
    """A balance, which never promises too much."""
    return _figure(value.text, value.currency, whole=value.cents_down, rule=DOWN)


def of_exact(amount: Exact, currency: str) -> Figure:
    """An amount of an item, or a total."""
    whole = amount.cents(currency)
    return _figure(amount.text(currency), currency, whole=whole, rule=HALF_EVEN)


def of_part(amount: Exact, currency: str, *, cents: int, partitions: bool) -> Figure:
    """A part of a whole, whose minor units add up to those of the whole where it `partitions`."""
    rule = ADDING_UP if partitions else HALF_EVEN
    return _figure(amount.text(currency), currency, whole=cents, rule=rule)


def units(whole: int, currency: str) -> str:
    """Whole minor units as units: 1234 cents are 12.34."""
    exponent = EXPONENTS.get(currency, DEFAULT_EXPONENT)
    above, below = divmod(abs(whole), 10**exponent)
    sign = "-" if whole < 0 else ""
    return f"{sign}{above}.{below:0{exponent}d}" if exponent else f"{sign}{above}"


def moment(at: datetime, zone: str = "UTC") -> str:
    """`2026-03-09 14:32:00 UTC`, or as the clocks of the zone show it, which it names."""
    return f"{aware(at).astimezone(zone_named(zone)):%Y-%m-%d %H:%M:%S} {zone}"


def age(since: datetime, now: datetime) -> str:
    """How long ago it was, in the greatest unit that fits: "3 h ago"."""
    seconds = (now - since) // timedelta(seconds=1)
    for length, name in _STEPS:
        if seconds >= length:
            return f"{seconds // length} {name} ago"
    return "just now"


def _figure(exact: str, currency: str, *, whole: int, rule: str) -> Figure:
    rounded = units(whole, currency)
    return Figure(exact, currency, "" if rounded == exact else rounded, rule)
