"""`billing reports forecast`, `run-out`, `anomalies`, `recurring`: what is to come, or unusual."""

from __future__ import annotations

from typing import Any, TextIO

import click

from billing_plugin import operations
from billing_plugin.cli.base import ACCOUNT, DATABASE, JSON, account_id_of, operator_of, show
from billing_plugin.cli.items import FROM, TO
from billing_plugin.cli.tables import CSV, Rows, print_report
from billing_plugin.operations import SpendFilter
from billing_plugin.operations.tables import time_text

FORECAST = ("currency", "spent", "expected", "low", "high", "recurring", "days", "reason")
ANOMALIES = ("day", "currency", "provider", "allProviders", "amount", "usual")
RECURRING = ("name", "provider", "currency", "amount", "period", "last", "due")


@click.command("forecast")
@ACCOUNT
@DATABASE
@JSON
@CSV
def forecast(
    account: str, *, database: str | None, as_json: bool, csv_file: TextIO | None
) -> None:  # fmt: skip
    """What this month (UTC) will have come to, with its bounds; nothing where it cannot be told."""
    found = operations.forecast_month(operator_of(database), account_id_of(account))
    rows: Rows = [
        (
            one.currency, one.spent, one.expected, one.low, one.high, one.recurring, one.days,
            one.reason,
        )
        for one in found.forecasts
    ]  # fmt: skip
    facts = {"coverage": found.coverage, "method": found.method}
    print_report(found.basis, FORECAST, rows, facts=facts, as_json=as_json, csv_file=csv_file)


@click.command("run-out")
@ACCOUNT
@DATABASE
@JSON
def run_out(account: str, *, database: str | None, as_json: bool) -> None:
    """The day on which the balance is used up at the present pace, and its bounds."""
    found = operations.run_out(operator_of(database), account_id_of(account))
    facts: dict[str, Any] = {
        "asOf": time_text(found.basis.as_of),
        "coverage": found.coverage,
        "available": str(found.available),
        "earliest": found.earliest and found.earliest.isoformat(),
        "expected": found.expected and found.expected.isoformat(),
        "latest": found.latest and found.latest.isoformat(),
        "days": found.days,
        "reason": found.reason,
    }
    show(facts, as_json=as_json)


@click.command("anomalies")
@ACCOUNT
@FROM
@TO
@DATABASE
@JSON
@CSV
def anomalies(
    account: str, *, database: str | None, as_json: bool, csv_file: TextIO | None, **days: Any
) -> None:
    """Days that are far from their own norm, of all items and of each provider."""
    operator, account_id = operator_of(database), account_id_of(account)
    found = operations.find_anomalies(operator, account_id, SpendFilter(**days))
    rows: Rows = [
        (one.day, one.currency, one.provider, one.provider is None, one.amount, one.usual)
        for one in found.found
    ]
    facts = {"leastCents": found.least_cents, "judged": found.judged, "unjudged": found.unjudged}
    print_report(found.basis, ANOMALIES, rows, facts=facts, as_json=as_json, csv_file=csv_file)


@click.command("recurring")
@ACCOUNT
@DATABASE
@JSON
@CSV
def recurring(
    account: str, *, database: str | None, as_json: bool, csv_file: TextIO | None
) -> None:  # fmt: skip
    """What comes again, and when it is due."""
    found = operations.list_commitments(operator_of(database), account_id_of(account))
    rows: Rows = [
        (one.name, one.provider, one.currency, one.amount, one.period, one.last, one.due)
        for one in found.commitments
    ]
    print_report(found.basis, RECURRING, rows, as_json=as_json, csv_file=csv_file)


COMMANDS = (forecast, run_out, anomalies, recurring)
