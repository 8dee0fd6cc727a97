"""The cells of a FOCUS file as values: decimals, times, currencies, names, tags, each exact.

What a cell may look like is FOCUS's Numeric, Date/Time, Currency and Key-Value Format. Every
function takes the text of one cell and raises InvalidRequest, whose message never repeats it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from functools import lru_cache
from typing import Any, NoReturn

from billing_plugin.errors import InvalidRequest
from billing_plugin.money import Exact, check_currency
from billing_plugin.operations.focus_columns import DECIMAL, INTEGER, JSON, STRING, TIME, Column
from billing_plugin.periods import aware

# Digits and exponents that are harmless; an amount has far fewer.
_DECIMAL = re.compile(r"-?([0-9]{1,40}(\.[0-9]{1,40})?|\.[0-9]{1,40})([Ee]-?[0-9]{1,3})?")
_MOST_DIGITS = 40  # before or after the dot, once an exponent is worked out
_COUNT = re.compile(r"[0-9]{1,18}")
_TIME = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[ T][0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]{1,9})?)?"
    r"(Z|[+-][0-9]{2}:[0-9]{2}| UTC)?"
)
# Bytes that are not UTF-8 were turned into surrogates; neither they nor NUL can be stored.
FOREIGN = re.compile("[\0\ud800-\udfff]")
_TAGS = "Tags are a JSON object of text, numbers, true, false and null; each key is there once."


def parser_of(column: Column) -> Callable[[str], Any]:
    """What turns a cell of the column into its value: Exact for BilledCost, Decimal for other
    numbers, an aware UTC datetime, a dictionary of tags, a whole number or text."""
    if column.name in _CHECKED:
        return lambda text: one_of(column, text)
    return _BY_NAME.get(column.name) or _BY_TYPE[column.type]


def plain(text: str) -> str:
    """The text itself, as it was written."""
    if ("\0" in text or not text.isascii()) and FOREIGN.search(text):
        raise InvalidRequest("The text is not UTF-8, or has a NUL in it.")
    return text


def decimal(text: str) -> Decimal:
    """A number such as -100.2, 4 or 35.2E-7: a dot, no sign but a minus, nothing else."""
    if not _DECIMAL.fullmatch(text):
        raise InvalidRequest("A number is written with a dot, such as -100.2 or 35.2E-7.")
    number = Decimal(text)
    if number and not -_MOST_DIGITS <= number.adjusted() < _MOST_DIGITS:
        raise InvalidRequest("The number is out of range.")
    return number


def exact(text: str) -> Exact:
    """An amount, with at most 18 decimals that are not zero."""
    number = decimal(text)
    return Exact.from_decimal(number if number else Decimal(0))


def count(text: str) -> int:
    """A whole number of tokens."""
    if not _COUNT.fullmatch(text):
        raise InvalidRequest("A token count is a whole number.")
    return int(text)


@lru_cache(maxsize=4096)
def instant(text: str) -> datetime:
    """An instant in UTC, cut to microseconds; a time that names no zone is UTC."""
    if not _TIME.fullmatch(text):
        raise InvalidRequest("A time is written YYYY-MM-DDTHH:MM:SSZ or YYYY-MM-DD HH:MM:SS.")
    try:
        at = datetime.fromisoformat(text.removesuffix(" UTC"))
        return aware(at if at.tzinfo else at.replace(tzinfo=UTC))
    except (ValueError, OverflowError) as error:
        raise InvalidRequest("The time is out of range.") from error


def one_of(column: Column, text: str) -> str:
    """The allowed value that was meant: vendors disagree about capitals (`Usage-based`)."""
    for allowed in column.allowed:
        if allowed.lower() == text.lower():
            return allowed
    raise InvalidRequest(f"The value is one of {', '.join(column.allowed)}.")


def tags(text: str) -> dict[str, str | bool | None]:
    """Key-values: text, true, false and null stay what they are, a number becomes its text."""
    try:
        # Whoever writes 1E1000000000 gets his own digits back.
        pairs = json.loads(
            text, object_pairs_hook=tuple, parse_int=str, parse_float=str, parse_constant=_refused
        )
    except (ValueError, RecursionError) as error:
        raise InvalidRequest(_TAGS) from error
    if not isinstance(pairs, tuple) or not all(_is_value(value) for _, value in pairs):
        raise InvalidRequest(_TAGS)
    found = {plain(key): value for key, value in pairs}
    if len(found) != len(pairs):
        raise InvalidRequest(_TAGS)
    return found


def _is_value(value: object) -> bool:
    if isinstance(value, str):
        plain(value)
    return value is None or isinstance(value, str | bool)


def _refused(constant: str) -> NoReturn:
    raise ValueError(constant)


_CHECKED = ("ChargeCategory", "ChargeClass", "ChargeFrequency")
_BY_NAME: dict[str, Callable[[str], Any]] = {
    "BilledCost": exact,
    "BillingCurrency": check_currency,
}
_BY_TYPE: dict[str, Callable[[str], Any]] = {
    STRING: plain,
    DECIMAL: decimal,
    INTEGER: count,
    TIME: instant,
    JSON: tags,
}
