"""Lists of cost items: those that a filter leaves, the latest first."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

from billing_plugin.models.base import fetch_all, places
from billing_plugin.models.items import COLUMNS, TABLE, TAGS, CostItem
from billing_plugin.periods import Period

_PLAIN = ("provider", "service_id", "stage_app_id", "author_email", "source")


class Wanted(NamedTuple):
    """Which items: None asks for any. Empty text asks for items that say nothing there.

    `categories` are ids (with "" for none), `tags` are those of which an item has at least one.
    """

    categories: Sequence[str] | None = None
    provider: str | None = None
    service_id: str | None = None
    stage_app_id: str | None = None
    author_email: str | None = None
    source: str | None = None
    recurring: bool | None = None
    tags: Sequence[str] | None = None
    period: Period | None = None


class Place(NamedTuple):
    """Where an item stands in a list, even once it has moved or is gone."""

    date: datetime
    id: str


def page(
    account_id: str, wanted: Wanted, *, before: Place | None = None, limit: int = 50
) -> list[CostItem]:
    """Items of the account by date, then id, the latest first; `before` is where to go on."""
    conditions: list[tuple[str, Sequence[Any]]] = [("account_id = ?", (account_id,))]
    conditions += [same(name, getattr(wanted, name)) for name in _PLAIN]
    conditions.append(among("category_id", wanted.categories))
    if wanted.recurring is not None:
        conditions.append(("recurring = ?", (int(wanted.recurring),)))
    if wanted.period is not None:
        conditions.append(("date >= ? AND date < ?", (wanted.period.start, wanted.period.end)))
    if wanted.tags is not None:
        conditions.append(_tagged(account_id, wanted.tags))
    if before is not None:
        conditions.append(("(date, id) < (?, ?)", (before.date, before.id)))
    where = " AND ".join(condition for condition, _ in conditions if condition)
    rows = fetch_all(
        f"SELECT {COLUMNS} FROM {TABLE} WHERE {where} ORDER BY date DESC, id DESC"
        f" LIMIT {int(limit)}",
        [value for _, values in conditions for value in values],
    )
    return list(map(CostItem._make, rows))


def same(column: str, value: str | None) -> tuple[str, Sequence[Any]]:
    """The condition that an item says just that, and its values; none for None."""
    if value is None:
        return "", ()
    return (f"{column} = ?", (value,)) if value else (f"{column} IS NULL", ())


def among(column: str, values: Sequence[str] | None) -> tuple[str, Sequence[Any]]:
    """The same for one of several."""
    if values is None:
        return "", ()
    if list(values) == [""]:
        return f"{column} IS NULL", ()
    return f"{column} IN ({places(values)})", values


def _tagged(account_id: str, tags: Sequence[str]) -> tuple[str, Sequence[Any]]:
    chosen = f"SELECT item_id FROM {TAGS} WHERE account_id = ? AND tag IN ({places(tags)})"
    return f"id IN ({chosen})", (account_id, *tags)
