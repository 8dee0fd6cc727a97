"""`billing accounts …`: opening accounts and crediting them."""

from __future__ import annotations

import click

from billing_plugin import operations
from billing_plugin.cli.base import ACCOUNT, DATABASE, JSON, account_id_of, operator_of, show
from billing_plugin.ids import hex_of, uuid_of
from billing_plugin.money import Money


@click.group()
def accounts() -> None:
    """Accounts."""


@accounts.command("create")
@click.argument("name")
@click.option("--currency", help="ISO 4217; the setting BILLING_CURRENCY if left out.")
@DATABASE
@JSON
def create_account(name: str, currency: str | None, *, database: str | None, as_json: bool) -> None:
    """Open an account and print the id that each dialect knows it by."""
    account = operations.create_account(operator_of(database), name, currency=currency)
    facts = {
        "id": account.id,
        "name": account.name,
        "currency": account.currency,
        "cloudflareAccountId": hex_of(account.id),
        "xaiTeamId": uuid_of(account.id),
        "spideriqClientId": f"cli_{hex_of(account.id)}",
    }
    show(facts, as_json=as_json)


@accounts.command("credit")
@ACCOUNT
@click.argument("amount")
@click.option("--reason", default="", help="Kept with the entry.")
@click.option("--idempotency-key", help="The same key credits once.")
@DATABASE
@JSON
def credit_account(
    account: str, amount: str, *, reason: str, idempotency_key: str | None,
    database: str | None, as_json: bool,
) -> None:  # fmt: skip
    """Enter a support credit of AMOUNT units (a negative one takes away)."""
    operator = operator_of(database)
    holder = operations.get_account(operator, account_id_of(account))
    entry = operations.adjust(
        operator, holder.id, Money.parse(amount, holder.currency),
        reason=reason, idempotency_key=idempotency_key,
    )  # fmt: skip
    show({"id": entry.id, "balanceAfter": entry.balance_after.text}, as_json=as_json)
