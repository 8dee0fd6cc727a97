"""`billing auto-topup …`: the rule by which an account buys credit by itself."""

from __future__ import annotations

from typing import Any

import click

from billing_plugin import operations
from billing_plugin.cli.base import ACCOUNT, DATABASE, JSON, account_id_of, operator_of, show
from billing_plugin.money import Money
from billing_plugin.operations import AutoTopUpState, Caps

COUNT = click.IntRange(min=0)


@click.group("auto-topup")
def auto_topup() -> None:
    """Buying credit by itself below a threshold."""


@auto_topup.command("show")
@ACCOUNT
@DATABASE
@JSON
def show_rule(account: str, *, database: str | None, as_json: bool) -> None:
    """Show the rule, and why nothing is bought at present."""
    state = operations.get_auto_topup(operator_of(database), account_id_of(account))
    show(facts(state), as_json=as_json)


@auto_topup.command("set")
@ACCOUNT
@click.argument("amount")
@click.option("--below", required=True, metavar="UNITS", help="The threshold.")
@click.option("--method", default="default", show_default=True, help="The payment method.")
@click.option("--daily-count", type=COUNT, help="Most in a day.")
@click.option("--daily", metavar="UNITS", help="Most that they come to in a day.")
@click.option("--monthly-count", type=COUNT, help="Most in a month.")
@click.option("--monthly", metavar="UNITS", help="Most that they come to in a month.")
@DATABASE
@JSON
def set_rule(
    account: str, amount: str, *, below: str, method: str, database: str | None, as_json: bool,
    **caps: Any,
) -> None:  # fmt: skip
    """Buy AMOUNT units whenever less is available; set again, it is enabled again."""
    operator = operator_of(database)
    holder = operations.get_account(operator, account_id_of(account))

    def parsed(units: str | None) -> Money | None:
        return None if units is None else Money.parse(units, holder.currency)

    state = operations.set_auto_topup(
        operator, holder.id, Money.parse(amount, holder.currency),
        threshold=Money.parse(below, holder.currency), payment_method=method,
        caps=Caps(
            caps["daily_count"], parsed(caps["daily"]), caps["monthly_count"],
            parsed(caps["monthly"]),
        ),
    )  # fmt: skip
    show(facts(state), as_json=as_json)


@auto_topup.command("off")
@ACCOUNT
@DATABASE
def remove_rule(account: str, *, database: str | None) -> None:
    """Take the rule away."""
    known = operations.remove_auto_topup(operator_of(database), account_id_of(account))
    click.echo("Removed." if known else "There was none.", err=True)


def facts(state: AutoTopUpState | None) -> dict[str, Any]:
    """The rule, flat."""
    if state is None:
        return {"enabled": False}
    rule, due_at, failed = state.rule, state.due_at, state.rule.last_failed_at
    return {
        "enabled": bool(rule.enabled), "threshold": rule.threshold.text,
        "amount": rule.amount.text, "method": rule.payment_method,
        "dailyCount": rule.daily_count, "daily": rule.daily.text if rule.daily else None,
        "monthlyCount": rule.monthly_count,
        "monthly": rule.monthly.text if rule.monthly else None,
        "disabledReason": rule.disabled_reason, "error": rule.error,
        "lastFailedAt": failed.isoformat() if failed else None, "topup": state.topup_id,
        "nextAt": due_at.isoformat() if due_at else None,
    }  # fmt: skip
