"""`billing ledger …`: verifying seals, past balances, corrections and credits, by the operator."""

from __future__ import annotations

import json
import sys
from datetime import datetime

import click

from billing_plugin import operations
from billing_plugin.cli.base import ACCOUNT, DATABASE, JSON, account_id_of, operator_of, show
from billing_plugin.money import Money
from billing_plugin.operations.doctor import BrokenSeal
from billing_plugin.periods import days_between, parse_time

ONCE = click.option("--idempotency-key", help="The same key does it once.")
REASON = click.option("--reason", default="", help="Kept with the entry.")


@click.group()
def ledger() -> None:
    """The books."""


@ledger.command("verify")
@click.option("--account", "account", metavar="ID", help="Only this one.")
@click.option("--heads", "show_heads", is_flag=True, help="Also print each account's newest seal.")
@DATABASE
@JSON
def verify(account: str | None, *, show_heads: bool, database: str | None, as_json: bool) -> None:
    """Recompute the seal of every entry; exit code 1 where one is broken, with the first named.

    Keep the heads elsewhere: who compares them later also finds a chain that was replaced whole.
    """
    wanted = account_id_of(account) if account else None
    found = operations.verify_ledger(operator_of(database), account=wanted)
    facts = {"accounts": found.accounts, "entries": found.entries, "unsealed": 0}
    broken = [one._asdict() for one in found.broken]
    heads = {"heads": found.heads} if show_heads else {}
    if as_json:
        click.echo(json.dumps(facts | {"broken": broken} | heads))
    else:
        show(facts, as_json=False)
        _print_heads(found.heads if show_heads else {})
        for one in found.broken:
            click.echo(f"BROKEN {_words(one)}")
    sys.exit(1 if broken else 0)


@ledger.command("balance")
@ACCOUNT
@click.option("--at", "at", metavar="TIME", help="A past moment, ISO 8601 with its zone.")
@DATABASE
@JSON
def balance(account: str, at: str | None, *, database: str | None, as_json: bool) -> None:
    """What an account has now, or had posted at a past moment."""
    operator, account_id = operator_of(database), account_id_of(account)
    if at is not None:
        past = operations.check_past_balance(operator, account_id, parse_time(at))
        show({"posted": past.posted.text, "entries": past.sequence}, as_json=as_json)
        return
    now = operations.check_balance(operator, account_id)
    names = ("posted", "held", "available", "postpaid", "spendable")
    show({name: getattr(now, name).text for name in names}, as_json=as_json)


@ledger.command("reverse")
@ACCOUNT
@click.argument("entry_id")
@REASON
@DATABASE
@JSON
def reverse(
    account: str, entry_id: str, *, reason: str, database: str | None, as_json: bool
) -> None:
    """Undo a charge, a credit or an adjustment, once."""
    entry = operations.reverse_entry(
        operator_of(database), account_id_of(account), entry_id, reason=reason
    )
    show({"id": entry.id, "amount": entry.amount.text}, as_json=as_json)


@ledger.command("refund")
@ACCOUNT
@click.argument("entry_id")
@click.argument("amount")
@REASON
@ONCE
@DATABASE
@JSON
def refund(
    account: str, entry_id: str, amount: str, *, reason: str, idempotency_key: str | None,
    database: str | None, as_json: bool,
) -> None:  # fmt: skip
    """Give back AMOUNT units of a charge."""
    operator = operator_of(database)
    holder = operations.get_account(operator, account_id_of(account))
    entry = operations.refund_charge(
        operator, holder.id, entry_id, amount=Money.parse(amount, holder.currency),
        reason=reason, idempotency_key=idempotency_key,
    )  # fmt: skip
    show({"id": entry.id, "amount": entry.amount.text}, as_json=as_json)


@ledger.command("grant")
@ACCOUNT
@click.argument("amount")
@click.option("--kind", type=click.Choice(["promotion", "support"]), default="promotion")
@click.option("--expires-at", metavar="TIME", help="ISO 8601 with its zone; never if left out.")
@click.option("--priority", type=int, help="Lower is used up first.")
@REASON
@ONCE
@DATABASE
@JSON
def grant(
    account: str, amount: str, *, kind: str, expires_at: str | None, priority: int | None,
    reason: str, idempotency_key: str | None, database: str | None, as_json: bool,
) -> None:  # fmt: skip
    """Give credit that may expire."""
    operator = operator_of(database)
    holder = operations.get_account(operator, account_id_of(account))
    until: datetime | None = parse_time(expires_at) if expires_at else None
    entry = operations.grant_credit(
        operator, holder.id, Money.parse(amount, holder.currency), kind=kind, expires_at=until,
        priority=priority, reason=reason, idempotency_key=idempotency_key,
    )  # fmt: skip
    show({"id": entry.id, "balanceAfter": entry.balance_after.text}, as_json=as_json)


@ledger.command("postpaid")
@ACCOUNT
@click.argument("amount")
@DATABASE
@JSON
def postpaid(account: str, amount: str, *, database: str | None, as_json: bool) -> None:
    """Set what an account may use beyond its credit in a month; 0: prepaid only."""
    operator = operator_of(database)
    holder = operations.get_account(operator, account_id_of(account))
    state = operations.set_postpaid_limit(operator, holder.id, Money.parse(amount, holder.currency))
    show({"postpaid": state.postpaid.text, "owed": state.owed.text}, as_json=as_json)


@ledger.command("rerate")
@ACCOUNT
@click.option("--from", "first", required=True, metavar="DAY", help="First UTC day, YYYY-MM-DD.")
@click.option("--to", "last", required=True, metavar="DAY", help="Last UTC day, included.")
@click.option("--yes", is_flag=True, help="Book it; without, only say what would change.")
@DATABASE
@JSON
def rerate(
    account: str, first: str, last: str, *, yes: bool, database: str | None, as_json: bool
) -> None:
    """Rate the usage of some days again, by the price book of today."""
    period = days_between(first, last)
    assert period is not None  # noqa: S101 (both days are required)
    done = operations.rerate_usage(
        operator_of(database), account_id_of(account), period, dry_run=not yes
    )
    facts = {"booked": yes, "read": done.read, "changed": done.changed, "skipped": done.skipped}
    show(facts | {"unpriced": done.unpriced, "change": str(done.change)}, as_json=as_json)


def _print_heads(heads: dict[str, tuple[int, str]]) -> None:
    for account_id, (number, seal) in heads.items():
        click.echo(f"{account_id} {number} {seal}")


def _words(one: BrokenSeal) -> str:
    return f"{one.account_id} entry {one.sequence} {one.entry_id}: {one.why}"
