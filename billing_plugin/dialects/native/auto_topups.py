"""Native: the rule by which an account buys credit by itself."""

from __future__ import annotations

from typing import Any

from flask import Response
from marshmallow import fields, validate

from billing_plugin import operations
from billing_plugin.dialects.dialect import account_id, actor, currency
from billing_plugin.dialects.native.face import native, ok
from billing_plugin.dialects.native.shapes import (
    DECIMAL,
    MONEY,
    ONE_AMOUNT,
    AmountBody,
    Flag,
    amount_of,
    cents,
    money,
)
from billing_plugin.dialects.openapi import FLAG, TEXT, TIME, WHOLE, Shape, nullable, shape
from billing_plugin.money import Money
from billing_plugin.operations import AutoTopUpState, Caps
from billing_plugin.operations.auto_topups import MAX_COUNT

TAGS = ["Top-ups"]


def _count() -> fields.Integer:
    most = validate.Range(min=0, max=MAX_COUNT)
    return fields.Integer(strict=True, load_default=None, allow_none=True, validate=most)


class AutoTopUpBody(AmountBody):
    """How much is bought, below which threshold, with which payment method, and how much of it in a
    day and a month (null: what the settings say)."""

    thresholdCents = cents()
    threshold = fields.String(validate=DECIMAL)
    paymentMethod = fields.String(load_default="default", validate=validate.Length(min=1, max=100))
    enabled = Flag(load_default=True)
    dailyCount = _count()
    dailyCents = cents(load_default=None, allow_none=True)
    monthlyCount = _count()
    monthlyCents = cents(load_default=None, allow_none=True)


AUTO_TOPUP = shape(
    "AutoTopUp",
    "The rule and how it fares; all null where there is none. `error` says why nothing is bought at"
    " present, `disabledReason` why it was switched off, `topupId` what is under way.",
    enabled=FLAG,
    threshold=nullable(MONEY),
    amount=nullable(MONEY),
    paymentMethod=nullable(TEXT),
    dailyCount=nullable(WHOLE),
    daily=nullable(MONEY),
    monthlyCount=nullable(WHOLE),
    monthly=nullable(MONEY),
    disabledReason=nullable(TEXT),
    error=nullable(TEXT),
    lastFailedAt=nullable(TIME),
    topupId=nullable(TEXT),
    nextAt=nullable(TIME),
)
REMOVED = shape("AutoTopUpRemoved", "Whether there was a rule.", deleted=FLAG)
ONE_THRESHOLD = Shape(oneOf=[{"required": ["thresholdCents"]}, {"required": ["threshold"]}])
ONE_OF_EACH = Shape(allOf=[ONE_AMOUNT, ONE_THRESHOLD])
_NONE: dict[str, Any] = {**dict.fromkeys(AUTO_TOPUP["properties"]), "enabled": False}


@native.view(answers={200: AUTO_TOPUP}, tags=TAGS)
def get_auto_topup() -> Response:
    """See the auto top-up"""
    return ok(_shape(operations.get_auto_topup(actor(), account_id())))


@native.view(answers={200: AUTO_TOPUP}, refusals=(501,), tags=TAGS)
@native.arguments(AutoTopUpBody())
def set_auto_topup(body: dict[str, Any]) -> Response:
    """Set the auto top-up

    Whenever less than the threshold is available, one charge of the amount, or of the multiple of
    it that is needed, is made. Set again, it is enabled and forgets declines.
    """
    code = currency()
    amount, threshold = amount_of(body, code), amount_of(_threshold(body), code)
    state = operations.set_auto_topup(
        actor(), account_id(), amount, threshold=threshold, caps=_caps(body, code),
        payment_method=body["paymentMethod"], enabled=body["enabled"],
    )  # fmt: skip
    return ok(_shape(state))


@native.view(answers={200: REMOVED}, tags=TAGS)
def remove_auto_topup() -> Response:
    """Remove the auto top-up

    What is under way is settled.
    """
    return ok({"deleted": operations.remove_auto_topup(actor(), account_id())})


def _threshold(body: dict[str, Any]) -> dict[str, Any]:
    """The threshold under the names of an amount."""
    names = {"amount": "threshold", "amountCents": "thresholdCents"}
    return {amount: body[name] for amount, name in names.items() if name in body}


def _caps(body: dict[str, Any], code: str) -> Caps:
    def sum_of(name: str) -> Money | None:
        return None if body[name] is None else Money.from_cents(body[name], code)

    return Caps(
        body["dailyCount"], sum_of("dailyCents"), body["monthlyCount"], sum_of("monthlyCents")
    )


def _shape(state: AutoTopUpState | None) -> dict[str, Any]:
    if state is None:
        return _NONE
    rule = state.rule
    return {
        "enabled": bool(rule.enabled),
        "threshold": money(rule.threshold),
        "amount": money(rule.amount),
        "paymentMethod": rule.payment_method,
        "dailyCount": rule.daily_count,
        "daily": money(rule.daily),
        "monthlyCount": rule.monthly_count,
        "monthly": money(rule.monthly),
        "disabledReason": rule.disabled_reason,
        "error": rule.error,
        "lastFailedAt": rule.last_failed_at,
        "topupId": state.topup_id,
        "nextAt": state.due_at,
    }
