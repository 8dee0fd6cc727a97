"""What a list or a report of cost items is about, in the words of whoever asks."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import NamedTuple

from billing_plugin.errors import InvalidRequest
from billing_plugin.models import categories
from billing_plugin.models.item_pages import Wanted
from billing_plugin.models.items import SOURCES
from billing_plugin.models.spend import METERED, Asked, Span
from billing_plugin.operations.catalogue import storable
from billing_plugin.operations.drafts import MAX_TAGS
from billing_plugin.periods import BEGINNING, LAST_YEAR, days

ITEM_SOURCES, EVERY_SOURCE = SOURCES, (*SOURCES, METERED)
FIRST_DAY, LAST_DAY = BEGINNING.date(), date(LAST_YEAR, 12, 31)


class ItemFilter(NamedTuple):
    """Which items: None asks for any, empty text for those that say nothing there.

    `category` is an id or a name and means all below it too. `since` and `until` are UTC days, both
    included. Of `tags` an item has at least one.
    """

    category: str | None = None
    provider: str | None = None
    service: str | None = None
    since: date | None = None
    until: date | None = None
    recurring: bool | None = None
    tags: Sequence[str] | None = None
    stage_app: str | None = None
    author: str | None = None
    source: str | None = None


class SpendFilter(NamedTuple):
    """What a report is about: as in ItemFilter, and which sources.

    `sources` are manual, sync, focus; and metered, which may be the same money once more.
    """

    category: str | None = None
    provider: str | None = None
    service: str | None = None
    since: date | None = None
    until: date | None = None
    sources: Sequence[str] = ITEM_SOURCES


def wanted(account_id: str, said: ItemFilter) -> Wanted:
    """The filter with its ids. Raises NotFound for an unknown category, InvalidRequest."""
    _check(said)
    if said.source is not None and said.source not in ITEM_SOURCES:
        raise InvalidRequest(f"A source is one of {', '.join(ITEM_SOURCES)}.")
    bounded = said.since is not None or said.until is not None
    span = span_of(said.since, said.until)
    return Wanted(
        _below(account_id, said.category), said.provider, said.service, said.stage_app,
        said.author, said.source, said.recurring, said.tags, days(*span) if bounded else None,
    )  # fmt: skip


def asked(account_id: str, said: SpendFilter) -> Asked:
    """The filter with its ids. Raises NotFound for an unknown category, InvalidRequest."""
    _check(said)
    if not said.sources or not set(said.sources) <= set(EVERY_SOURCE):
        raise InvalidRequest(f"Sources are {', '.join(EVERY_SOURCE)}.")
    span = span_of(said.since, said.until)
    chosen = _below(account_id, said.category)
    sources = sorted(set(said.sources))
    return Asked(account_id, span, sources, chosen, said.provider, said.service)


def span_of(since: date | None, until: date | None) -> Span:
    """The days from the first to the last. Raises InvalidRequest where they are none."""
    span = Span(since or FIRST_DAY, until or LAST_DAY)
    days(*span)
    return span


def _below(account_id: str, category: str | None) -> Sequence[str] | None:
    if category in (None, ""):
        return None if category is None else [""]
    found = categories.get(account_id, category)
    return categories.below(account_id, found.id)


def _check(said: ItemFilter | SpendFilter) -> None:
    for value in said:
        if isinstance(value, str):
            storable(value)
    tags = said.tags if isinstance(said, ItemFilter) else None
    if tags is not None and not 0 < len(tags) <= MAX_TAGS:
        raise InvalidRequest(f"A filter has 1 to {MAX_TAGS} tags.")
    for tag in tags or ():
        storable(tag)
