"""The rows behind a report: every item and use that it adds up, in order of time.

They are read page by page in the caller's transaction, so that a long span takes no more memory
than a short one. Whoever wants them all as of one moment reads them in a snapshot.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar

from billing_plugin.models import items, usage
from billing_plugin.models.base import Row, fetch_all
from billing_plugin.models.items import CostItem
from billing_plugin.models.spend import METERED, Asked, items_of
from billing_plugin.models.usage import UsageRecord
from billing_plugin.periods import days

PAGE = 1_000
T = TypeVar("T", CostItem, UsageRecord)


def cost_items(asked: Asked) -> Iterator[CostItem]:
    """The items, by date and id."""
    sources = [source for source in asked.sources if source != METERED]
    if not sources:
        return iter(())
    where, values = items_of(asked._replace(sources=sources))
    from_table = f"SELECT {items.COLUMNS} FROM {items.TABLE} WHERE {where}"
    return _pages(CostItem._make, (from_table, values), time="date", place=lambda one: one.dated)


def records(asked: Asked) -> Iterator[UsageRecord]:
    """The metered uses and their corrections, by the time of their effect and id.

    A use has a provider and a model for a service; it is in no category and has no tag.
    """
    uncategorized = asked.categories is None or "" in asked.categories
    if METERED not in asked.sources or not uncategorized:
        return iter(())
    period = days(*asked.span)
    where = "account_id = ? AND effective_at >= ? AND effective_at < ?"
    values: list[Any] = [asked.account_id, period.start, period.end]
    for column, value in (("provider", asked.provider), ("model", asked.service_id)):
        if value is not None:
            where, values = f"{where} AND {column} = ?", [*values, value]
    said = (f"SELECT {usage.COLUMNS} FROM {usage.TABLE} WHERE {where}", values)
    return _pages(UsageRecord._make, said, time="effective_at", place=lambda one: one.effective)


def _pages(
    make: Callable[[Row], T], said: tuple[str, Sequence[Any]], *, time: str,
    place: Callable[[T], Any],
) -> Iterator[T]:  # fmt: skip
    sql, order = said[0], f" ORDER BY {time}, id LIMIT {PAGE}"
    after: str = ""
    last: list[Any] = []
    while True:
        rows = fetch_all(f"{sql}{after}{order}", [*said[1], *last])
        found = [make(row) for row in rows]
        yield from found
        if len(found) < PAGE:
            return
        after, last = f" AND ({time}, id) > (?, ?)", [place(found[-1]), found[-1].id]
