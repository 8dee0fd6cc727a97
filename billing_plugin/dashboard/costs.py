"""Costs: what was spent, of what, and when; each currency by itself, all as of one moment."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import marshmallow
from flask import Response

from billing_plugin import operations
from billing_plugin.context import snapshot
from billing_plugin.dashboard import charts, figures
from billing_plugin.dashboard.charts import Columns
from billing_plugin.dashboard.face import account_id, dashboard
from billing_plugin.dashboard.figures import Figure
from billing_plugin.dashboard.forms import (
    BY_OPTIONS,
    INTERVAL_OPTIONS,
    PERIOD_OPTIONS,
    SOURCE_OPTIONS,
    SOURCES,
    THIS_MONTH,
    CostsQuery,
    days_of,
)
from billing_plugin.dashboard.pages import page
from billing_plugin.dialects.dialect import actor, instance
from billing_plugin.operations import Breakdown, SpendFilter, Trend
from billing_plugin.operations.breakdowns import Part, Share, Total
from billing_plugin.operations.item_filters import ITEM_SOURCES

NARROWED_BY = ("provider", "category", "service")  # what a line of a breakdown can narrow to

OPTIONS = {
    "period": PERIOD_OPTIONS,
    "source": SOURCE_OPTIONS,
    "by": BY_OPTIONS,
    "interval": INTERVAL_OPTIONS,
}


class Line(NamedTuple):
    """One line of a table: '' of `key` is what says nothing there."""

    key: str
    name: str
    figure: Figure
    lines: int
    percentage: Any
    bar: int
    negative: bool


class Section(NamedTuple):
    """One currency."""

    currency: str
    total: Figure
    lines: int
    parts: list[Line]
    steps: list[Line]
    chart: Columns | None
    highest: Line | None


@dashboard.view()
@dashboard.arguments(CostsQuery(), location="query", unknown=marshmallow.RAISE)
def show_costs(query: dict[str, Any]) -> Response:
    """The report that the form asks for."""
    asking, account, chosen = actor(), account_id(), _chosen(query)
    with instance().active(), snapshot():
        summary = operations.summarize(asking, account, chosen)
        parts = operations.break_down(asking, account, chosen, by=query["by"])
        steps = operations.trend(asking, account, chosen, interval=query["interval"])
    sections = [_section(total, parts, steps) for total in summary.totals]
    return page(
        "costs.html",
        account=account,
        query=query,
        basis=summary.basis,
        sections=sections,
        partitions=parts.partitions,
        narrows=query["by"] in NARROWED_BY,
        period=_period(query),
        bills=query["source"] != "metered",
        options=OPTIONS,
    )


def _chosen(query: dict[str, Any]) -> SpendFilter:
    since, until = days_of(query, instance().clock())
    return SpendFilter(
        category=query["category"],
        provider=query["provider"],
        service=query["service"],
        since=since,
        until=until,
        sources=SOURCES.get(query["source"], ITEM_SOURCES),
    )


def _period(query: dict[str, Any]) -> str:
    """Which option the form shows as chosen: none for days of one's own."""
    own = query["since"] or query["to"]
    return "" if own else query["period"] or THIS_MONTH


def _section(total: Total, parts: Breakdown, steps: Trend) -> Section:
    currency = total.currency
    in_time = _of(steps.currencies, currency)
    lines = _lines(in_time, currency)
    most = max(range(len(in_time)), key=lambda index: in_time[index].amount, default=None)
    return Section(
        currency,
        figures.of_exact(total.amount, currency),
        total.count,
        _lines(_of(parts.currencies, currency), currency, said=parts),
        lines,
        _chart(in_time, steps),
        None if most is None else lines[most],
    )


def _chart(parts: list[Part], said: Trend) -> Columns | None:
    """The parts over the days that were asked for; where these have no end, from first to last."""
    if not parts:
        return None
    basis, interval = said.basis, said.interval
    first = charts.step_of(basis.since, interval) if basis.since else parts[0].key
    last = charts.step_of(basis.until, interval) if basis.until else parts[-1].key
    values = [(part.key, charts.attos(part.amount)) for part in parts]
    return charts.columns(values, charts.every_step(first, last, interval))


def _of(shares: Sequence[Share], currency: str) -> list[Part]:
    return next((one.parts for one in shares if one.total.currency == currency), [])


def _lines(parts: list[Part], currency: str, *, said: Breakdown | None = None) -> list[Line]:
    bars = charts.lengths([charts.attos(part.amount) for part in parts])
    partitions = said is None or said.partitions
    return [
        Line(
            part.key,
            _name(part.key, said),
            figures.of_part(part.amount, currency, cents=part.cents, partitions=partitions),
            part.count,
            part.percentage,
            bar,
            part.amount.nanos < 0,
        )
        for part, bar in zip(parts, bars, strict=True)
    ]


def _name(key: str, said: Breakdown | None) -> str:
    if said is None:
        return key
    nothing = "uncategorized" if said.by == "category" else "none"
    return said.names.get(key, key) if key else nothing
