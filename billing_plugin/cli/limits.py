"""`billing limits …`: spending limits, and the raises that somebody asked for."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

import click

from billing_plugin import operations
from billing_plugin.cli.base import ACCOUNT, DATABASE, JSON, account_id_of, operator_of, show
from billing_plugin.errors import InvalidRequest
from billing_plugin.money import Money
from billing_plugin.operations.limits import LimitState


@click.group()
def limits() -> None:
    """Spending limits."""


@limits.command("list")
@ACCOUNT
@DATABASE
@JSON
def list_limits(account: str, *, database: str | None, as_json: bool) -> None:
    """Show the limits in force and their windows."""
    states = operations.list_limits(operator_of(database), account_id_of(account))
    if as_json:
        click.echo(json.dumps([facts(state) for state in states]))
        return
    for state in states:
        click.echo(" ".join(f"{name}={value}" for name, value in facts(state).items()))


@limits.command("set")
@ACCOUNT
@click.argument("amount")
@click.option("--window", default="monthly", show_default=True, help="Or whole seconds.")
@click.option("--zone", default="UTC", show_default=True, help="IANA time zone.")
@click.option("--technique", type=click.Choice(["fixed", "sliding"]), default="fixed")
@click.option("--action", type=click.Choice(["hard", "soft", "shadow"]), default="hard")
@click.option("--filter", "filters", multiple=True, metavar="DIM=VALUE", help="May be repeated.")
@click.option("--partition", "partitions", multiple=True, metavar="DIM", help="May be repeated.")
@click.option("--name", default="", help="To know it by.")
@DATABASE
@JSON
def set_limit(
    account: str, amount: str, *, window: str, filters: Iterable[str], database: str | None,
    as_json: bool, **said: Any,
) -> None:  # fmt: skip
    """Set a limit of AMOUNT units; the same scope and window again changes its amount."""
    operator = operator_of(database)
    holder = operations.get_account(operator, account_id_of(account))
    state = operations.set_limit(
        operator, holder.id, Money.parse(amount, holder.currency),
        window=int(window) if window.isdecimal() else window, filters=_filters(filters), **said,
    )  # fmt: skip
    show(facts(state), as_json=as_json)


@limits.command("remove")
@ACCOUNT
@click.argument("limit_id")
@DATABASE
def remove_limit(account: str, limit_id: str, *, database: str | None) -> None:
    """Take a limit out of force."""
    operations.remove_limit(operator_of(database), account_id_of(account), limit_id)
    click.echo("Removed.", err=True)


@limits.command("raises")
@ACCOUNT
@DATABASE
@JSON
def list_raises(account: str, *, database: str | None, as_json: bool) -> None:
    """Show who asked for a raise, newest first."""
    wishes = operations.list_limit_raises(operator_of(database), account_id_of(account))
    rows = [
        {
            "id": wish.id, "status": wish.status, "limit": wish.limit_id,
            "amount": wish.amount.text, "until": wish.until_at.isoformat(),
            "by": wish.requested_by, "reason": wish.reason,
        }
        for wish in wishes
    ]  # fmt: skip
    if as_json:
        click.echo(json.dumps(rows))
        return
    for row in rows:
        click.echo(" ".join(f"{name}={value}" for name, value in row.items()))


@limits.command("approve")
@ACCOUNT
@click.argument("raise_id")
@DATABASE
@JSON
def approve(account: str, raise_id: str, *, database: str | None, as_json: bool) -> None:
    """Grant a raise for its time."""
    wish = operations.approve_limit_raise(operator_of(database), account_id_of(account), raise_id)
    show({"id": wish.id, "status": wish.status}, as_json=as_json)


@limits.command("deny")
@ACCOUNT
@click.argument("raise_id")
@DATABASE
@JSON
def deny(account: str, raise_id: str, *, database: str | None, as_json: bool) -> None:
    """Refuse a raise."""
    wish = operations.deny_limit_raise(operator_of(database), account_id_of(account), raise_id)
    show({"id": wish.id, "status": wish.status}, as_json=as_json)


def facts(state: LimitState) -> dict[str, Any]:
    """One limit, flat."""
    limit = state.limit
    return {
        "id": limit.id, "name": limit.name, "amount": limit.amount.text,
        "ceiling": state.ceiling.text, "window": limit.window, "zone": limit.zone,
        "technique": limit.technique, "action": limit.action, "filters": limit.filters,
        "partitions": limit.partitions, "spent": state.spent.text, "held": state.held.text,
        "overspent": state.overspent.text,
        "resetsAt": state.resets_at.isoformat() if state.resets_at else None,
    }  # fmt: skip


def _filters(said: Iterable[str]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for text in said:
        name, equals, value = text.partition("=")
        if not equals:
            raise InvalidRequest("A filter is written DIMENSION=VALUE.")
        found.setdefault(name, []).append(value)
    return found
