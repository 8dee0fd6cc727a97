"""Exact money: integer nano-units of one currency, and every rule by which it is rounded.

One unit of a currency (a dollar, a euro, a yen) is 10**9 nanos. Whole cents cannot hold the
price of a token; nanos hold nearly every one exactly. Binary floats are refused everywhere.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Context, Decimal, localcontext

from billing_plugin.errors import InvalidRequest

NANOS_PER_UNIT = 10**9
MAX_NANOS = 2**63 - 1
MAX_CENTS = MAX_NANOS // 10**7  # of a currency with hundredths, as most have
DEFAULT_EXPONENT = 2
# ISO 4217: currencies whose smallest unit is not one hundredth.
EXPONENTS = {
    **dict.fromkeys(("BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW"), 0),
    **dict.fromkeys(("PYG", "RWF", "UGX", "VND", "VUV", "XAF", "XOF", "XPF"), 0),
    **dict.fromkeys(("BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"), 3),
}
_CENTS: dict[int, int] = {
    exponent: 10 ** (9 - exponent) for exponent in (0, 2, 3)
}  # nanos of the smallest unit
_SEEN: set[str] = set()  # currencies that have been checked
_EXACT = Context(prec=60, rounding=ROUND_HALF_EVEN)
_BEYOND = "The amount is beyond 64 bits."
_NANO = Decimal("1E-9")
_PLAIN = re.compile(r"[+-]?[0-9]{1,100}(\.[0-9]{1,100})?")


@dataclass(frozen=True, slots=True)
class Money:
    """An exact amount: `nanos` (signed 64-bit integer, 10**-9 of a unit) of `currency` (ISO 4217).

    Raises InvalidRequest for floats, booleans, unknown currency forms and amounts beyond 64 bits.
    """

    nanos: int
    currency: str = "USD"

    def __post_init__(self) -> None:
        if type(self.nanos) is not int:
            raise InvalidRequest("Money is made of whole nanos, never of floats or booleans.")
        if abs(self.nanos) > MAX_NANOS:
            raise InvalidRequest(_BEYOND, code="amount_out_of_range")
        if self.currency not in _SEEN:
            _SEEN.add(check_currency(self.currency))

    @classmethod
    def from_cents(cls, cents: int, currency: str = "USD") -> Money:
        """From whole minor units of the currency (cents of a dollar, yen, fils)."""
        if type(cents) is not int:
            raise InvalidRequest("Cents are whole numbers.")
        return cls(cents * nanos_per_cent(currency), currency)

    @classmethod
    def from_decimal(cls, amount: Decimal, currency: str = "USD") -> Money:
        """From exact units; what lies below a nano is rounded half-even, once."""
        if not isinstance(amount, Decimal):
            raise InvalidRequest("An amount is an exact decimal, never a float.")
        if not amount.is_finite() or (amount and amount.adjusted() > 12):
            raise InvalidRequest("The amount is out of range.", code="amount_out_of_range")
        rounded = amount.quantize(_NANO, context=_EXACT)
        return cls(int(rounded.scaleb(9, context=_EXACT)), currency)

    @classmethod
    def parse(cls, text: str, currency: str = "USD") -> Money:
        """From plain decimal text such as "12.34": no exponent, no grouping, no infinities.

        More than nine decimals are refused, not rounded.
        """
        if not isinstance(text, str) or not _PLAIN.fullmatch(text.strip()):
            raise InvalidRequest("The amount is not a decimal number such as 12.34.")
        amount = Decimal(text.strip())
        money = cls.from_decimal(amount, currency)
        if money.amount != amount:
            raise InvalidRequest("An amount has at most nine decimals.")
        return money

    @classmethod
    def zero(cls, currency: str = "USD") -> Money:
        """Nothing, of a currency. Not the same as None, which is "unknown"."""
        return cls(0, currency)

    @property
    def amount(self) -> Decimal:
        """The exact decimal in units."""
        return _EXACT.divide(Decimal(self.nanos), Decimal(NANOS_PER_UNIT))

    @property
    def text(self) -> str:
        """The shortest exact decimal, at least the currency's own decimals: "42.50", "0.00061"."""
        exponent = EXPONENTS.get(self.currency, DEFAULT_EXPONENT)
        whole, fraction = divmod(abs(self.nanos), NANOS_PER_UNIT)
        digits = f"{fraction:09d}".rstrip("0").ljust(exponent, "0")
        sign = "-" if self.nanos < 0 else ""
        return f"{sign}{whole}.{digits}" if digits else f"{sign}{whole}"

    @property
    def cents(self) -> int:
        """Whole minor units, rounded half-even: the rule for amounts."""
        unit = nanos_per_cent(self.currency)
        whole, rest = divmod(self.nanos, unit)
        up = 2 * rest > unit or (2 * rest == unit and whole % 2 == 1)
        return whole + up

    @property
    def cents_down(self) -> int:
        """Whole minor units, rounded down: the rule for balances, which never promise too much."""
        return self.nanos // nanos_per_cent(self.currency)

    def __add__(self, other: Money) -> Money:
        self._same(other)
        return Money(self.nanos + other.nanos, self.currency)

    def __sub__(self, other: Money) -> Money:
        self._same(other)
        return Money(self.nanos - other.nanos, self.currency)

    def __neg__(self) -> Money:
        return Money(-self.nanos, self.currency)

    def __lt__(self, other: Money) -> bool:
        self._same(other)
        return self.nanos < other.nanos

    def __le__(self, other: Money) -> bool:
        self._same(other)
        return self.nanos <= other.nanos

    def __str__(self) -> str:
        return f"{self.text} {self.currency}"

    def _same(self, other: Money) -> None:
        if self.currency != other.currency:
            raise InvalidRequest(
                f"{self.currency} and {other.currency} never add.", code="currency_mismatch"
            )


@dataclass(frozen=True, slots=True, order=True)
class Exact:
    """An exact amount in one currency, to 18 decimals: a line of a vendor's bill, or a sum of them.

    Bills have lines far below a nano (11 decimals in real ones), and a total is rounded once, not
    line by line. `nanos` is the amount rounded down, `attos` (0 to 10**9 - 1, 10**-18 of a unit)
    what is left; each can be added up by itself in a database's 64-bit integers, see `of_sums`.
    Which currency it is stands beside it. Raises InvalidRequest beyond 64 bits of nanos.
    """

    nanos: int
    attos: int = 0

    def __post_init__(self) -> None:
        if type(self.nanos) is not int or type(self.attos) is not int:
            raise InvalidRequest("An amount is made of whole numbers, never of floats.")
        if not 0 <= self.attos < NANOS_PER_UNIT:
            raise InvalidRequest("The attos of an amount are 0 to 999999999.")
        if abs(self.nanos) > MAX_NANOS:
            raise InvalidRequest(_BEYOND, code="amount_out_of_range")

    @classmethod
    def of_sums(cls, nanos: int, attos: int) -> Exact:
        """From sums of both parts, where the attos may have grown beyond a nano."""
        carry, attos = divmod(attos, NANOS_PER_UNIT)
        return cls(nanos + carry, attos)

    @classmethod
    def from_cents(cls, cents: int, currency: str) -> Exact:
        """From whole minor units of the currency."""
        return cls(Money.from_cents(cents, currency).nanos)

    @classmethod
    def from_decimal(cls, amount: Decimal) -> Exact:
        """From exact units. Raises InvalidRequest where there are more than 18 decimals."""
        if not isinstance(amount, Decimal) or not amount.is_finite() or amount.adjusted() > 12:
            raise InvalidRequest("The amount is out of range.", code="amount_out_of_range")
        attos = amount.scaleb(18, context=_EXACT)
        if attos != attos.to_integral_value():
            raise InvalidRequest("An amount has at most 18 decimals.")
        return cls(*divmod(int(attos), NANOS_PER_UNIT))

    @classmethod
    def parse(cls, text: str) -> Exact:
        """From plain decimal text such as "12.34"; more than 18 decimals are refused."""
        if not isinstance(text, str) or not _PLAIN.fullmatch(text.strip()):
            raise InvalidRequest("The amount is not a decimal number such as 12.34.")
        return cls.from_decimal(Decimal(text.strip()))

    @property
    def amount(self) -> Decimal:
        """The exact decimal in units."""
        return Decimal(self.nanos * NANOS_PER_UNIT + self.attos).scaleb(-18, context=_EXACT)

    def text(self, currency: str) -> str:
        """The shortest exact decimal, at least the currency's own decimals: "42.50"."""
        exponent = EXPONENTS.get(currency, DEFAULT_EXPONENT)
        whole, fraction = divmod(abs(self.nanos * NANOS_PER_UNIT + self.attos), 10**18)
        digits = f"{fraction:018d}".rstrip("0").ljust(exponent, "0")
        sign = "-" if self.nanos < 0 else ""
        return f"{sign}{whole}.{digits}" if digits else f"{sign}{whole}"

    def cents(self, currency: str) -> int:
        """Whole minor units of the currency, rounded half-even: the rule for amounts."""
        unit = nanos_per_cent(currency) * NANOS_PER_UNIT
        whole, rest = divmod(self.nanos * NANOS_PER_UNIT + self.attos, unit)
        return whole + (2 * rest > unit or (2 * rest == unit and whole % 2 == 1))

    def __add__(self, other: Exact) -> Exact:
        return Exact.of_sums(self.nanos + other.nanos, self.attos + other.attos)

    def __sub__(self, other: Exact) -> Exact:
        return Exact.of_sums(self.nanos - other.nanos, self.attos - other.attos)


def figures_of(nanos: int, attos: int, currency: str) -> tuple[int, str]:
    """The cents and the text of an Exact of those parts, in half the time that it takes to make
    one: lists are long."""
    exponent = EXPONENTS.get(currency, DEFAULT_EXPONENT)
    unit = _CENTS[exponent]
    cents, rest = divmod(nanos, unit)
    up = 2 * rest >= unit
    if 2 * rest == unit:
        up = attos > 0 or cents % 2 == 1
    if nanos < 0:
        return cents + up, Exact(nanos, attos).text(currency)
    whole, fraction = divmod(nanos, NANOS_PER_UNIT)
    digits = f"{fraction:09d}{attos:09d}" if attos else f"{fraction:09d}"
    digits = digits.rstrip("0").ljust(exponent, "0")
    return cents + up, f"{whole}.{digits}" if digits else f"{whole}"


def check_currency(currency: str) -> str:
    """The currency itself if it looks like an ISO 4217 code; otherwise InvalidRequest."""
    if type(currency) is not str or len(currency) != 3 or not currency.isascii():
        raise InvalidRequest("A currency is a three-letter ISO 4217 code.")
    if not (currency.isalpha() and currency.isupper()):
        raise InvalidRequest("A currency is a three-letter ISO 4217 code.")
    return currency


def nanos_per_cent(currency: str) -> int:
    """How many nanos make the currency's minor unit (10**7 for dollars, 10**9 for yen)."""
    return _CENTS[EXPONENTS.get(currency, DEFAULT_EXPONENT)]


def exact_decimals() -> AbstractContextManager[Context]:
    """Arithmetic on Decimals inside is ours, whatever precision the host has set for its own."""
    return localcontext(_EXACT)


def split_cents(parts: Sequence[Money]) -> list[int]:
    """Cents of each part so that they add up to the cents of the whole (largest remainder)."""
    if not parts:
        return []
    unit = nanos_per_cent(parts[0].currency)
    cents = [part.nanos // unit for part in parts]
    missing = sum(parts[1:], parts[0]).cents - sum(cents)
    by_remainder = sorted(range(len(parts)), key=lambda index: -(parts[index].nanos % unit))
    for index in by_remainder[:missing]:
        cents[index] += 1
    return cents


def split_nanos(total: int, weights: Sequence[int]) -> list[int]:
    """Parts of `total` in proportion to the weights, adding up to it (largest remainder).

    No part exceeds its weight where the total does not exceed their sum.
    """
    whole = sum(weights)
    if whole == 0:
        return [0 for _ in weights]
    parts = [total * weight // whole for weight in weights]
    by_remainder = sorted(range(len(parts)), key=lambda i: -(total * weights[i] % whole))
    for index in by_remainder[: total - sum(parts)]:
        parts[index] += 1
    return parts
