"""The overview: balance, this month's spend, limits, vendors, and what is missing.

Each part asks for the scope of its operation; a key without one sees the others, and is told.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

import marshmallow
from flask import Response

from billing_plugin import operations
from billing_plugin.context import snapshot
from billing_plugin.dashboard import charts, figures
from billing_plugin.dashboard.face import account_id, account_named, dashboard
from billing_plugin.dashboard.figures import Figure
from billing_plugin.dashboard.forms import THIS_MONTH, PageQuery, named_days
from billing_plugin.dashboard.pages import page
from billing_plugin.dialects.cursors import Listing
from billing_plugin.dialects.dialect import actor, instance
from billing_plugin.errors import Forbidden
from billing_plugin.operations.breakdowns import Basis
from billing_plugin.operations.item_filters import ITEM_SOURCES, SpendFilter
from billing_plugin.operations.limits import LimitState

if TYPE_CHECKING:
    from billing_plugin.models.integrations import Integration, Snapshot

MAX_VENDORS = 20
METERED = ("metered",)
_NO_LIMIT = "No spending limit is set: nothing stops spending before the balance does."
_NO_VENDOR = "No vendor is connected, so nothing says what vendors have charged."


class Bar(NamedTuple):
    """A limit as it is shown."""

    state: LimitState
    ceiling: Figure
    spent: Figure
    held: Figure
    left: Figure | None
    used: int
    reserved: int
    percent: int


class Vendor(NamedTuple):
    """A connected vendor account: what it last said, and how far that can be relied on."""

    integration: Integration
    snapshot: Snapshot | None
    state: str  # fresh, stale, failed, never

    @property
    def figures(self) -> list[tuple[str, Figure | None]]:
        """What it told; None for what it does not expose."""
        said = self.snapshot
        told = (said.balance, said.usage_today, said.usage_month) if said else (None, None, None)
        names = ("Balance", "Today", "This month")
        return [
            (name, None if value is None else figures.of_money(value))
            for name, value in zip(names, told, strict=True)
        ]


@dashboard.view()
@dashboard.arguments(PageQuery(), location="query", unknown=marshmallow.RAISE)
def show_overview(query: dict[str, Any]) -> Response:
    """The account at a glance; to an operator who names none, the accounts to choose from."""
    if account_named() is None:
        return _accounts(query)
    asking, account = actor(), account_id()
    now = instance().clock()
    parts = {
        "balance": _part(_balance),
        "spend": _part(lambda: _spend(now)),
        "limits": _part(lambda: [_bar(one) for one in operations.list_limits(asking, account)]),
        "vendors": _part(lambda: _vendors(now)),
        "status": _part(lambda: operations.check_status(asking, account)),
    }
    return page(
        "overview.html", account=account, now=now, missing=_missing(parts), parts=parts,
    )  # fmt: skip


def _accounts(query: dict[str, Any]) -> Response:
    listing = Listing("pages of accounts", None, query)
    found = operations.list_accounts(actor(), before=listing.before, limit=listing.limit)
    older = listing.cursor_after(found, lambda account: account.id)
    return page("accounts.html", accounts=found, limit=listing.limit, older=older)


def _part(ask: Callable[[], Any]) -> dict[str, Any]:
    """What is found, or why it may not be seen."""
    try:
        return {"value": ask(), "refused": None}
    except Forbidden as error:
        return {"value": None, "refused": error.message}


def _balance() -> dict[str, Any]:
    found = operations.check_balance(actor(), account_id())
    return {
        "available": figures.of_balance(found.available),
        "posted": figures.of_balance(found.posted),
        "held": figures.of_money(found.held),
        "postpaid": figures.of_money(found.postpaid),
        "spendable": figures.of_balance(found.spendable),
        "as_of": found.as_of,
    }


def _spend(now: datetime) -> dict[str, Any]:
    """Bills and metered usage of this month, side by side: they may be the same money."""
    with instance().active(), snapshot():
        bills = _summary(ITEM_SOURCES, now)
        metered = _summary(METERED, now)
        flagged = operations.report_spend(actor(), account_id(), group_by="none").flagged
    kinds = [("Bills", *bills), ("Metered usage", *metered)]
    return {"kinds": kinds, "flagged": flagged.count}


def _summary(sources: Sequence[str], now: datetime) -> tuple[Basis, list[tuple[Figure, int]]]:
    """What it is about; a figure and a number of lines for each currency."""
    since, until = named_days(THIS_MONTH, now.astimezone(UTC).date())
    chosen = SpendFilter(since=since, until=until, sources=sources)
    report = operations.summarize(actor(), account_id(), chosen)
    lines = [(figures.of_exact(one.amount, one.currency), one.count) for one in report.totals]
    return report.basis, lines


def _bar(state: LimitState) -> Bar:
    ceiling = state.ceiling.nanos
    used = charts.share(state.spent.nanos, ceiling)
    both = charts.share(state.spent.nanos + state.held.nanos, ceiling)
    return Bar(
        state,
        figures.of_money(state.ceiling),
        figures.of_money(state.spent),
        figures.of_money(state.held),
        None if state.remaining is None else figures.of_balance(state.remaining),
        used,
        both - used,
        state.spent.nanos * 100 // ceiling if ceiling > 0 else 100,
    )


def _vendors(now: datetime) -> dict[str, Any]:
    found = operations.list_integrations(actor(), account_id())
    shown = [_vendor(one, now) for one in found[:MAX_VENDORS]]
    return {"shown": shown, "more": len(found) - len(shown)}


def _vendor(integration: Integration, now: datetime) -> Vendor:
    said = operations.list_snapshots(actor(), account_id(), integration.id, limit=1)
    stale_after = timedelta(seconds=2 * instance().settings.sync_interval_s)
    read_at = integration.billing_synced_at
    state = "never" if read_at is None else "stale" if now - read_at > stale_after else "fresh"
    if integration.billing_sync_error:
        state = "failed"
    return Vendor(integration, said[0] if said else None, state)


def _missing(parts: dict[str, Any]) -> list[str]:
    """What would make the figures say more, in sentences."""
    status, spend = parts["status"]["value"], parts["spend"]["value"]
    limits, vendors = parts["limits"]["value"], parts["vendors"]["value"]
    absent = {
        _NO_LIMIT: limits == [],
        _NO_VENDOR: vendors is not None and not vendors["shown"],
        "No cost item is stored: bills are neither entered, synced nor imported.": (
            status is not None and status.items == 0
        ),
        "Nothing was ever synced.": status is not None and status.sync_jobs == 0,
        "There are no categories.": status is not None and status.categories == 0,
    }
    found = [sentence for sentence, holds in absent.items() if holds]
    if spend and spend["flagged"]:
        found.append(f"{spend['flagged']} uses of this month were charged without a known price.")
    return found
