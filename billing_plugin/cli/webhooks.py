"""`billing webhooks …`: endpoints, what was delivered to them, and delivering it again."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

import click

from billing_plugin import operations
from billing_plugin.cli.base import ACCOUNT, DATABASE, JSON, account_id_of, operator_of, show, word
from billing_plugin.errors import InvalidRequest
from billing_plugin.operations.endpoints import EVENTS
from billing_plugin.periods import parse_time

ENDPOINT = click.argument("endpoint_id")


@click.group()
def webhooks() -> None:
    """Who is told of events."""


@webhooks.command("list")
@ACCOUNT
@DATABASE
@JSON
def list_endpoints(account: str, *, database: str | None, as_json: bool) -> None:
    """Show the account's endpoints."""
    found = operations.list_webhook_endpoints(operator_of(database), account_id_of(account))
    rows = [
        {
            "id": endpoint.id, "url": endpoint.url, "events": endpoint.events,
            "enabled": bool(endpoint.enabled), "disabledReason": endpoint.disabled_reason,
        }
        for endpoint in found
    ]  # fmt: skip
    _print(rows, as_json=as_json)


@webhooks.command("add")
@ACCOUNT
@click.argument("url")
@click.option("--event", "events", multiple=True, type=click.Choice(EVENTS), help="Default: all.")
@DATABASE
@JSON
def add(
    account: str, url: str, *, events: Iterable[str], database: str | None, as_json: bool
) -> None:
    """Tell URL of events. The secret is printed now and never again."""
    made = operations.add_webhook_endpoint(
        operator_of(database), account_id_of(account), url, events=tuple(events) or ("*",)
    )
    show({"id": made.id, "secret": made.secret}, as_json=as_json)


@webhooks.command("deliveries")
@ACCOUNT
@ENDPOINT
@DATABASE
@JSON
def list_deliveries(account: str, endpoint_id: str, *, database: str | None, as_json: bool) -> None:
    """Show the latest deliveries to an endpoint."""
    found = operations.list_webhook_deliveries(
        operator_of(database), account_id_of(account), endpoint_id
    )
    rows = [
        {
            "id": one.id, "event": one.event, "status": one.status, "attempts": one.attempts,
            "code": one.response_code, "error": one.error,
        }
        for one in found
    ]  # fmt: skip
    _print(rows, as_json=as_json)


@webhooks.command("replay")
@ACCOUNT
@click.option("--delivery", "delivery_id", metavar="ID", help="This one.")
@click.option("--endpoint", "endpoint_id", metavar="ID", help="All of a time to this endpoint.")
@click.option("--since", metavar="TIME", help="From, with --endpoint.")
@click.option("--until", metavar="TIME", help="Before, with --endpoint.")
@DATABASE
@JSON
def replay(account: str, *, database: str | None, as_json: bool, **said: str | None) -> None:
    """Deliver events again, under the same ids: one delivery, or all events of a time."""
    operator, holder = operator_of(database), account_id_of(account)
    if said["delivery_id"] and not said["endpoint_id"]:
        delivery = operations.replay_delivery(operator, holder, said["delivery_id"])
        show({"id": delivery.id, "status": delivery.status}, as_json=as_json)
        return
    if said["delivery_id"] or not (said["endpoint_id"] and said["since"] and said["until"]):
        raise InvalidRequest("State --delivery, or --endpoint with --since and --until.")
    since, until, number = parse_time(said["since"]), parse_time(said["until"]), 0
    after: str | None = ""
    while after is not None:
        done = operations.replay_events(
            operator, holder, said["endpoint_id"], since=since, until=until, after=after
        )
        number, after = number + done.number, done.last_id
    show({"events": number}, as_json=as_json)


def _print(rows: list[dict[str, Any]], *, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(rows))
        return
    for row in rows:
        click.echo(" ".join(f"{name}={word(value)}" for name, value in row.items()))
