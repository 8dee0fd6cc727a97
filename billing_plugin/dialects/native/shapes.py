"""Shapes of the native face: what requests may say, what answers contain.

Each answer has a schema (for the document) and a function (for speed); a test holds them together.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from marshmallow import Schema, fields, validate

from billing_plugin.dialects.native.face import Strict
from billing_plugin.errors import InvalidRequest
from billing_plugin.money import MAX_NANOS, Money

MAX_CENTS = MAX_NANOS // 10**7
COUNT = validate.Range(min=0, max=10**12)
CENTS = validate.Range(min=0, max=MAX_CENTS)
WINDOWS = ("total", "daily", "weekly", "monthly")


def cents(**options: Any) -> fields.Integer:
    """Whole cents: no floats, no booleans, no text."""
    return fields.Integer(strict=True, validate=CENTS, **options)


def count() -> fields.Integer:
    """A number of tokens."""
    return fields.Integer(strict=True, load_default=0, validate=COUNT)


class Metadata(fields.Dict):
    """The caller's own JSON object; its numbers come back as they were sent."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> Any:
        return _plain_numbers(super()._deserialize(value, attr, data, **kwargs))


class AmountBody(Strict):
    """An amount: whole cents, or exact units as text. One of the two."""

    amountCents = cents(load_default=None, allow_none=True)
    amount = fields.String(load_default=None, allow_none=True, validate=validate.Length(max=40))


class MoneyShape(Schema):
    """An exact amount with its view in cents."""

    amount = fields.String(required=True)
    cents = fields.Integer(required=True)
    currency = fields.String(required=True)


def money(value: Money | None, *, balance: bool = False) -> dict[str, Any] | None:
    """Exact text with cents beside it; balances round down, amounts half-even."""
    if value is None:
        return None
    whole = value.cents_down if balance else value.cents
    return {"amount": value.text, "cents": whole, "currency": value.currency}


def amount_of(body: dict[str, Any], currency: str) -> Money:
    """The amount that a body states in cents or exactly. Raises InvalidRequest for none or both."""
    stated = [name for name in ("amountCents", "amount") if body.get(name) is not None]
    if len(stated) != 1:
        raise InvalidRequest("State amountCents or amount, one of them.")
    if stated == ["amountCents"]:
        return Money.from_cents(body["amountCents"], currency)
    return Money.parse(body["amount"], currency)


def _plain_numbers(value: Any) -> Any:
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, dict):
        return {name: _plain_numbers(item) for name, item in value.items()}
    return [_plain_numbers(item) for item in value] if isinstance(value, list) else value
