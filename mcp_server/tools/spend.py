"""Tools that report spend."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Literal

from pydantic import Field

from billing_plugin import Actor, operations
from billing_plugin.money import check_currency
from billing_plugin.operations import SpendFilter
from billing_plugin.operations.item_filters import EVERY_SOURCE, ITEM_SOURCES
from billing_plugin.periods import MONTHLY, Period, days_between, window
from mcp_server.cost_views import IN_TIME, NO_CATEGORY, NOTHING, cost_report, whole
from mcp_server.identity import Call, caller
from mcp_server.tools.tool import Day, tool
from mcp_server.views import SpendView, spend_view

GroupBy = Literal[
    "provider", "model", "service", "category", "tag", "recurring", "day", "week", "month", "none"
]
Source = Annotated[
    Literal["metered", "items", "all"],
    Field(description="metered: charged here; items: bills; all: both"),
]
Currency = Annotated[str | None, Field(min_length=3, max_length=3)]
SOURCES = {"metered": EVERY_SOURCE[-1:], "items": ITEM_SOURCES, "all": EVERY_SOURCE}
METERED_GROUPS = ("provider", "model", "day", "none")


@tool("Report spend")
def report_spend(
    call: Call, from_day: Day = None, to_day: Day = None, *, group_by: GroupBy = "model",
    source: Source = "metered", currency: Currency = None,
) -> SpendView:  # fmt: skip
    """Spend of whole days, both included; without days, of this calendar month."""
    actor, account_id = caller(call)
    period = days_between(from_day, to_day) or window(MONTHLY, actor.instance.clock())
    if source == "metered" and group_by in METERED_GROUPS and currency is None:
        return spend_view(operations.report_spend(actor, account_id, period, group_by=group_by))
    return _of_items(
        actor, account_id, period, group_by=group_by, sources=SOURCES[source],
        currency=check_currency(currency or actor.currency or actor.instance.settings.currency),
    )  # fmt: skip


def _of_items(
    actor: Actor, account_id: str, period: Period, *, group_by: GroupBy, sources: tuple[str, ...],
    currency: str,
) -> SpendView:  # fmt: skip
    """The same read model as the native reports; a model is what items call a service."""
    last = period.end - timedelta(days=1)
    chosen = SpendFilter(since=period.start.date(), until=last.date(), sources=sources)
    names = {}
    if group_by == "none":
        total = operations.summarize(actor, account_id, chosen)
        basis, shares = total.basis, [whole(one) for one in total.totals]
    elif group_by in IN_TIME:
        steps = operations.trend(actor, account_id, chosen, interval=group_by)
        basis, shares = steps.basis, steps.currencies
    else:
        by = "service" if group_by == "model" else group_by
        found = operations.break_down(actor, account_id, chosen, by=by)
        basis, shares = found.basis, found.currencies
        names = {**found.names, "": NO_CATEGORY if by == "category" else NOTHING}
    return cost_report(
        shares, period, names=names, basis=basis, group_by=group_by, currency=currency
    )
