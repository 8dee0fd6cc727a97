"""Native: the account itself; operators open accounts and see all of them."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import marshmallow
from flask import Response
from marshmallow import fields, validate

from billing_plugin import operations
from billing_plugin.dialects.dialect import account_id, actor, currency
from billing_plugin.dialects.native.face import Strict, idempotency_key, native, ok
from billing_plugin.dialects.native.paging import pages
from billing_plugin.dialects.native.shapes import MONEY, AmountBody, amount_of, money, pattern
from billing_plugin.dialects.native.tables import ListQuery, Rows, listed
from billing_plugin.dialects.openapi import TEXT, TIME, nullable, shape
from billing_plugin.errors import Forbidden

if TYPE_CHECKING:
    from billing_plugin.context import Actor
    from billing_plugin.models.accounts import Account

TAGS = ["Accounts"]


class AccountBody(Strict):
    """Whose account, and its currency (none: the instance's own)."""

    name = fields.String(required=True, validate=validate.Length(min=1, max=200))
    currency = fields.String(load_default=None, allow_none=True, validate=pattern("[A-Z]{3}"))


class LowBalanceBody(AmountBody):
    """The threshold."""


ACCOUNT = shape(
    "Account",
    "Who holds a balance; `postpaid` is what may be used beyond it in a month, `lowBalance` below"
    " what it is told that it is low.",
    id=TEXT,
    name=TEXT,
    currency=TEXT,
    posted=MONEY,
    held=MONEY,
    available=MONEY,
    postpaid=MONEY,
    lowBalance=nullable(MONEY),
    createdAt=TIME,
)


@native.view(answers={200: ACCOUNT}, tags=TAGS)
def get_account() -> Response:
    """See the account"""
    return ok(_shape(operations.get_account(actor(), account_id())))


@native.view(answers={200: pages(ACCOUNT)}, csv=True, tags=TAGS)
@native.arguments(ListQuery(), location="query", unknown=marshmallow.RAISE)
def list_accounts(query: dict[str, Any]) -> Response:
    """List every account

    Newest first. For operators, who have no account of their own.
    """
    page = partial(operations.list_accounts, _operator())
    return listed(query, Rows("accounts", ACCOUNT), page, account=None, shape=_shape)


@native.view(answers={201: ACCOUNT}, tags=TAGS)
@native.arguments(AccountBody())
def create_account(body: dict[str, Any]) -> Response:
    """Open an account

    For operators, who have no account of their own.
    """
    made = operations.create_account(
        _operator(), body["name"], currency=body["currency"], idempotency_key=idempotency_key()
    )
    return ok(_shape(made), 201, replayed=made.replayed)


@native.view(answers={200: ACCOUNT}, tags=TAGS)
@native.arguments(LowBalanceBody())
def set_low_balance(body: dict[str, Any]) -> Response:
    """Set below which balance it is told that it is low

    By the event `balance.low`, once each time that the posted balance falls below it.
    """
    threshold = amount_of(body, currency())
    return ok(_shape(operations.set_low_balance(actor(), account_id(), threshold)))


@native.view(answers={200: ACCOUNT}, tags=TAGS)
def clear_low_balance() -> Response:
    """Have no low balance told any more"""
    return ok(_shape(operations.set_low_balance(actor(), account_id(), None)))


def _operator() -> Actor:
    """Who asks, without an account of its own: whatever scopes one has, others are not its."""
    asking = actor()
    if asking.account_id is not None:
        scope = "accounts:write"
        raise Forbidden(f"This needs the scope {scope}.", extra={"scope": scope})
    return asking


def _shape(account: Account) -> dict[str, Any]:
    return {
        "id": account.id,
        "name": account.name,
        "currency": account.currency,
        "posted": money(account.posted, balance=True),
        "held": money(account.held),
        "available": money(account.available, balance=True),
        "postpaid": money(account.postpaid),
        "lowBalance": money(account.low),
        "createdAt": account.created_at,
    }
