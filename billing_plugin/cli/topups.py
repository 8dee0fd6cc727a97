"""`billing top-up`: buying credit for an account, by the operator."""

from __future__ import annotations

import sys

import click

from billing_plugin import operations
from billing_plugin.cli.base import (
    ACCOUNT,
    DATABASE,
    DECLINED,
    JSON,
    account_id_of,
    operator_of,
    show,
)
from billing_plugin.errors import PaymentDeclined
from billing_plugin.money import Money
from billing_plugin.operations.topups import DEFAULT_METHOD

NOT_KNOWN_YET = 7
EXITS = {"succeeded": 0, "failed": DECLINED}


@click.command("top-up")
@ACCOUNT
@click.argument("amount")
@click.option("--method", default=DEFAULT_METHOD, show_default=True, help="A payment method's id.")
@click.option("--idempotency-key", help="The same key charges once.")
@click.option("--unattended", is_flag=True, help="Nobody is there who could confirm it.")
@DATABASE
@JSON
def top_up(
    account: str, amount: str, *, method: str, idempotency_key: str | None, unattended: bool,
    database: str | None, as_json: bool,
) -> None:  # fmt: skip
    """Charge AMOUNT units and credit them.

    Exit code 0: succeeded; 4: declined; 7: not known yet (the same key asks again).
    """
    operator = operator_of(database)
    holder = operations.get_account(operator, account_id_of(account))
    try:
        topup = operations.top_up(
            operator, holder.id, Money.parse(amount, holder.currency), payment_method=method,
            attended=not unattended, idempotency_key=idempotency_key,
        )  # fmt: skip
    except PaymentDeclined as declined:
        topup = operations.get_topup(operator, holder.id, declined.extra["topup_id"])
    facts = {
        "id": topup.id, "status": topup.status, "amount": topup.amount.text,
        "method": topup.payment_method, "payment": topup.payment_id, "failure": topup.failure,
    }  # fmt: skip
    show(facts, as_json=as_json)
    sys.exit(EXITS.get(topup.status, NOT_KNOWN_YET))
