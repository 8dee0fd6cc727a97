"""`billing reports …`: what cost items add up to, and making those sums anew."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import click

from billing_plugin import operations
from billing_plugin.cli.base import ACCOUNT, DATABASE, JSON, account_id_of, operator_of, show
from billing_plugin.cli.items import FROM, TO, options
from billing_plugin.cli.tables import CSV, Rows, print_report
from billing_plugin.operations.breakdowns import GROUPS, INTERVALS, TAG, Part, Share
from billing_plugin.operations.item_filters import EVERY_SOURCE, ITEM_SOURCES, SpendFilter

FIGURES = ("amount", "cents", "count")
METERED = EVERY_SOURCE[-1]
FILTERS = ("category", "provider", "service")
# what stands for items that say nothing there
NOTHING, NO_CATEGORY = "none", "uncategorized"


@click.group()
def reports() -> None:
    """Reports of cost items. Currencies never add: each has its own lines."""


def chosen(command: Callable[..., None]) -> Callable[..., None]:
    """The options by which a report is told what it is about, and how it is printed."""
    for option in (
        CSV, JSON, DATABASE,
        click.option("--include-metered", is_flag=True, help="Also what was charged for use."),
        click.option("--source", "sources", type=click.Choice(ITEM_SOURCES), multiple=True,
                     help="May be repeated; none: every one of items."),
        TO, FROM, options(*FILTERS), ACCOUNT,
    ):  # fmt: skip
        command = option(command)
    return command


@reports.command("summary")
@chosen
def summary(account: str, *, database: str | None, **said: Any) -> None:
    """What the items add up to."""
    printing, about = _split(said)
    report = operations.summarize(operator_of(database), account_id_of(account), about)
    rows: Rows = [
        (total.currency, total.amount.text(total.currency), total.cents, total.count)
        for total in report.totals
    ]
    print_report(report.basis, ("currency", *FIGURES), rows, **printing)


@reports.command("breakdown")
@chosen
@click.option("--by", type=click.Choice((*GROUPS, TAG)), default="provider", show_default=True)
def breakdown(account: str, *, by: str, database: str | None, **said: Any) -> None:
    """Parts of it, the greatest first; by tag an item counts once for each of its tags."""
    printing, about = _split(said)
    report = operations.break_down(operator_of(database), account_id_of(account), about, by=by)
    names = {**report.names, "": NO_CATEGORY if by == "category" else NOTHING}
    rows: Rows = [
        (currency, names.get(part.key, part.key), part.key or None, *figures, part.percentage)
        for currency, part, figures in _parts(report.currencies)
    ]
    columns = ("currency", "key", "value", *FIGURES, "percentage")
    facts = {"by": by, "partitions": report.partitions}
    print_report(report.basis, columns, rows, facts=facts, **printing)


@reports.command("trend")
@chosen
@click.option("--interval", type=click.Choice(tuple(INTERVALS)), default="month", show_default=True)
def trend(account: str, *, interval: str, database: str | None, **said: Any) -> None:
    """The same over time; only days, ISO weeks or months that have items."""
    printing, about = _split(said)
    report = operations.trend(
        operator_of(database), account_id_of(account), about, interval=interval
    )
    rows = [[currency, part.key, *figures] for currency, part, figures in _parts(report.currencies)]
    columns = ("currency", "date", *FIGURES)
    print_report(report.basis, columns, rows, facts={"interval": interval}, **printing)


@reports.command("rebuild")
@click.option("--account", "account", metavar="ID", help="Only this one.")
@DATABASE
@JSON
def rebuild(account: str | None, *, database: str | None, as_json: bool) -> None:
    """Make the sums that reports read anew from the items; `billing doctor` says when."""
    wanted = account_id_of(account) if account else None
    done = operations.rebuild_reports(operator_of(database), account=wanted)
    show({"accounts": done}, as_json=as_json)


def _split(said: dict[str, Any]) -> tuple[dict[str, Any], SpendFilter]:
    """How to print, and what a report is about."""
    printing = {name: said.pop(name) for name in ("as_json", "csv_file")}
    metered = [METERED] if said.pop("include_metered") else []
    sources = [*(said.pop("sources") or ITEM_SOURCES), *metered]
    printing["scope"] = {name: said[name] for name in FILTERS if said[name] is not None}
    return printing, SpendFilter(**said, sources=sources)


def _parts(shares: Iterable[Share]) -> Iterable[tuple[str, Part, Sequence[str | int]]]:
    for share in shares:
        currency = share.total.currency
        for part in share.parts:
            yield currency, part, (part.amount.text(currency), part.cents, part.count)
