"""Shapes of the native face: what requests may say, and what amounts look like in answers.

Each answer has a shape (for the document) and a function (for speed); tests hold them together.
"""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime
from decimal import Decimal
from math import isfinite
from typing import TYPE_CHECKING, Any

from marshmallow import ValidationError, fields, validate

from billing_plugin import operations
from billing_plugin.dialects.dialect import currency
from billing_plugin.dialects.native.face import Strict
from billing_plugin.dialects.openapi import FLAG, TEXT, WHOLE, Shape, shape
from billing_plugin.dialects.wire import camel
from billing_plugin.errors import InvalidRequest
from billing_plugin.money import MAX_CENTS, Money

EARLIEST = datetime(1970, 1, 1, tzinfo=UTC)
COUNT = validate.Range(min=0, max=10**12)
CENTS = validate.Range(min=0, max=MAX_CENTS)
MONEY = shape(
    "Money",
    "An exact amount in units of the currency, with its view in minor units beside it.",
    amount=TEXT,
    cents=WHOLE,
    currency=TEXT,
)

REMOVED = shape("Removed", "What is gone.", deleted=FLAG, id=TEXT)


def pattern(text: str) -> validate.Regexp:
    """The whole text, to its very end; `$` alone would let a line break through."""
    return validate.Regexp(rf"^{text}$(?!\n)", error="This is not in the expected form.")


DECIMAL = pattern(r"[0-9]{1,10}(\.[0-9]{1,9})?")
SIGNED = pattern(r"-?[0-9]{1,10}(\.[0-9]{1,9})?")
DAY = pattern(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
REASON = validate.Length(max=500)
MODEL = validate.Length(min=1, max=200)
PROVIDER = validate.Length(max=100)


def cents(**options: Any) -> fields.Integer:
    """Whole cents: no floats, no booleans, no text."""
    return fields.Integer(strict=True, validate=CENTS, **options)


def count() -> fields.Integer:
    """A number of tokens."""
    return fields.Integer(strict=True, load_default=0, validate=COUNT)


def time(**options: Any) -> fields.AwareDateTime:
    """An instant with its zone, from 1970 on."""
    return fields.AwareDateTime(validate=validate.Range(min=EARLIEST), **options)


class Metadata(fields.Dict):
    """The caller's own JSON object; its numbers come back as they were sent."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> Any:
        return _plain_numbers(super()._deserialize(value, attr, data, **kwargs))


class Flag(fields.Boolean):
    """True or false, and nothing that is like it."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> Any:
        if not isinstance(value, bool):
            raise self.make_error("invalid", input=value)
        return super()._deserialize(value, attr, data, **kwargs)


class AmountBody(Strict):
    """An amount: whole cents, or exact units as text. One of the two."""

    amountCents = cents()
    amount = fields.String(validate=DECIMAL)


# The kinds of tokens by the names of a Usage; one field of a request for each.
QUANTITIES = tuple(
    field.name for field in dataclasses.fields(operations.Usage) if field.name.endswith("_tokens")
)
if TYPE_CHECKING:
    Counts = Strict
else:
    Counts = type("Counts", (Strict,), {camel(name): count() for name in QUANTITIES})

# marshmallow cannot say this, so the document is told; `amount_of` is what enforces it.
ONE_AMOUNT = Shape(oneOf=[{"required": ["amountCents"]}, {"required": ["amount"]}])
AT_MOST_ONE = Shape({"not": {"required": ["amountCents", "amount"]}})


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


def stated(body: dict[str, Any]) -> Money | None:
    """The amount in the account's currency; None where the body states none.

    Raises InvalidRequest for two.
    """
    if "amountCents" not in body and "amount" not in body:
        return None
    return amount_of(body, currency())


def usage_of(body: dict[str, Any], **said: Any) -> operations.Usage:
    """The use that a body tells of by its token counts, model, provider and metadata."""
    counts: dict[str, Any] = {name: body[camel(name)] for name in QUANTITIES}
    names = {name: body[name] for name in ("model", "provider", "metadata")}
    return operations.Usage(**{**names, **counts, **said})


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
