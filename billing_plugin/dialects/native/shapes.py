"""Shapes of the native face: what requests may say, and what amounts look like in answers.

Each answer has a shape (for the document) and a function (for speed); tests hold them together.
"""

from __future__ import annotations

from decimal import Decimal
from math import isfinite
from typing import Any

from marshmallow import ValidationError, fields, validate

from billing_plugin.dialects.native.face import Strict
from billing_plugin.dialects.openapi import TEXT, WHOLE, Shape, shape
from billing_plugin.errors import InvalidRequest
from billing_plugin.money import MAX_CENTS, Money

COUNT = validate.Range(min=0, max=10**12)
CENTS = validate.Range(min=0, max=MAX_CENTS)
MONEY = shape(
    "Money",
    "An exact amount in units of the currency, with its view in minor units beside it.",
    amount=TEXT,
    cents=WHOLE,
    currency=TEXT,
)
IDEMPOTENCY_KEY = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "description": "Makes it happen once, however often it is sent. 1 to 255 printable characters.",
    "schema": {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[!-~]+$"},
}


def pattern(text: str) -> validate.Regexp:
    """The whole text, to its very end; `$` alone would let a line break through."""
    return validate.Regexp(rf"^{text}$(?!\n)", error="This is not in the expected form.")


DECIMAL = pattern(r"[0-9]{1,10}(\.[0-9]{1,9})?")
DAY = pattern(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


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

    amountCents = cents()
    amount = fields.String(validate=DECIMAL)


# marshmallow cannot say this, so the document is told; `amount_of` is what enforces it.
ONE_AMOUNT = Shape(oneOf=[{"required": ["amountCents"]}, {"required": ["amount"]}])


def money(value: Money | None, *, balance: bool = False) -> dict[str, Any] | None:
    """Exact text with cents beside it; balances round down, amounts half-even."""
    if value is None:
        return None
    whole = value.cents_down if balance else value.cents
    return {"amount": value.text, "cents": whole, "currency": value.currency}


def amount_of(body: dict[str, Any], currency: str) -> Money:
    """The amount that a body states in cents or exactly. Raises InvalidRequest for none or both."""
    if ("amountCents" in body) == ("amount" in body):
        raise InvalidRequest("State amountCents or amount, one of them.")
    if "amountCents" in body:
        return Money.from_cents(body["amountCents"], currency)
    return Money.parse(body["amount"], currency)


def _plain_numbers(value: Any) -> Any:
    if isinstance(value, Decimal):
        return _double(value)
    if isinstance(value, dict):
        return {name: _plain_numbers(item) for name, item in value.items()}
    return [_plain_numbers(item) for item in value] if isinstance(value, list) else value


def _double(value: Decimal) -> float:
    double = float(value)
    if not isfinite(double):
        raise ValidationError("A number is out of range.")
    return double
