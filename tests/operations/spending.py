"""Items on many days at once, for whatever looks at days."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any

from billing_plugin import Actor, operations
from billing_plugin.money import Exact
from billing_plugin.operations import ItemDraft
from tests.factories import START

TODAY = START.date()  # 2026-03-09, a Monday


def enter(actor: Actor, units: str, *days: date, name: str = "n", **said: Any) -> None:
    """An item of provider p on each of those days."""
    drafts = [
        ItemDraft(name, Exact.parse(units), **_on(day), **{"provider": "p", **said}, **_ref(name))
        for day in days
    ]
    operations.store_items(actor, str(actor.account_id), drafts, source="manual")


def before(number: int, last: date = TODAY - timedelta(days=1)) -> list[date]:
    """So many days to that one, the latest first."""
    return [last - timedelta(days=ago) for ago in range(number)]


def _on(day: date) -> dict[str, Any]:
    return {"date": datetime.combine(day, START.timetz())}


_refs = iter(range(10**9))


def _ref(name: str) -> dict[str, Any]:
    return {"provider_ref": f"{name} {next(_refs)}"}
