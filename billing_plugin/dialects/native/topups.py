"""Native: buying credit, and what became of it."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import marshmallow
from flask import Response
from marshmallow import fields, validate

from billing_plugin import operations
from billing_plugin.dialects.dialect import account_id, actor, currency
from billing_plugin.dialects.native.face import idempotency_key, native, ok
from billing_plugin.dialects.native.paging import pages
from billing_plugin.dialects.native.shapes import MONEY, AmountBody, Flag, amount_of, money
from billing_plugin.dialects.native.tables import ListQuery, Rows, listed
from billing_plugin.dialects.openapi import FLAG, TEXT, TIME, nullable, shape, word
from billing_plugin.operations.topups import STATUSES

if TYPE_CHECKING:
    from billing_plugin.models.topups import TopUp

TAGS = ["Top-ups"]


class TopUpBody(AmountBody):
    """How much to buy, with which payment method, and whether the payer is there to confirm it."""

    paymentMethod = fields.String(load_default="default", validate=validate.Length(min=1, max=100))
    attended = Flag(load_default=True)


TOPUP = shape(
    "TopUp",
    "One purchase. `unknown`: the processor is being asked what became of it; `review`: what it"
    " says is not what was asked for; `automatic`: a rule bought it. A `clientSecret` is there"
    " where the payer must confirm, and is told once: to whoever buys, and to a check.",
    optional=("clientSecret",),
    id=TEXT,
    status=word(*STATUSES),
    amount=MONEY,
    processor=TEXT,
    paymentMethod=TEXT,
    paymentId=nullable(TEXT),
    failure=nullable(TEXT),
    automatic=FLAG,
    createdAt=TIME,
    updatedAt=TIME,
    clientSecret=TEXT,
)


@native.view(answers={201: TOPUP}, refusals=(402, 501), tags=TAGS)
@native.arguments(TopUpBody())
def top_up(body: dict[str, Any]) -> Response:
    """Top up

    Send an Idempotency-Key: the same key charges once, however often it is sent.
    """
    topup = operations.top_up(
        actor(),
        account_id(),
        amount_of(body, currency()),
        payment_method=body["paymentMethod"],
        attended=body["attended"],
        idempotency_key=idempotency_key(),
    )
    return ok(_shape(topup), 201, replayed=topup.replayed)


@native.view(answers={200: TOPUP}, tags=TAGS)
def get_topup(topup_id: str) -> Response:
    """See one top-up"""
    return ok(_shape(operations.get_topup(actor(), account_id(), topup_id)))


@native.view(answers={200: TOPUP}, refusals=(501,), tags=TAGS)
def check_topup(topup_id: str) -> Response:
    """Ask what became of a top-up

    The processor is asked now. Where it does not answer, the top-up is as it was.
    """
    return ok(_shape(operations.check_topup(actor(), account_id(), topup_id)))


@native.view(answers={200: pages(TOPUP)}, csv=True, tags=TAGS)
@native.arguments(ListQuery(), location="query", unknown=marshmallow.RAISE)
def list_topups(query: dict[str, Any]) -> Response:
    """List top-ups

    The newest first.
    """
    account = account_id()
    page = partial(operations.list_topups, actor(), account)
    return listed(query, Rows("topups", TOPUP), page, account=account, shape=_shape)


def _shape(topup: TopUp) -> dict[str, Any]:
    said = {
        "id": topup.id,
        "status": topup.status,
        "amount": money(topup.amount),
        "processor": topup.processor,
        "paymentMethod": topup.payment_method,
        "paymentId": topup.payment_id,
        "failure": topup.failure,
        "automatic": bool(topup.automatic),
        "createdAt": topup.created_at,
        "updatedAt": topup.updated_at,
    }
    return said | ({"clientSecret": topup.client_secret} if topup.client_secret else {})
