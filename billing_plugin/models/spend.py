"""The read model of cost items: sums over a span of days, in one statement, so as of one moment.

Whole months are read from the sums by month, the days at the edges from the sums by day, and what
is not folded yet from the deltas. Metered usage is read where it is asked for.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import date, timedelta
from typing import Any, NamedTuple

from billing_plugin.context import is_sqlite
from billing_plugin.models import items
from billing_plugin.models.base import Row, fetch_all, places
from billing_plugin.models.item_pages import among, same
from billing_plugin.models.rollups import (
    DATE,
    DAY,
    DELTA,
    MONTH,
    PROVIDER_DAY,
    TAG,
    TAG_DAY,
    Rollup,
    within_64_bits,
)
from billing_plugin.money import Exact
from billing_plugin.periods import days

METERED = "metered"
PROVIDER, CATEGORY, SERVICE, RECURRING = "provider", "category_id", "service_id", "recurring"
WHOLE, BY_DAY, BY_MONTH = "''", "day", "substr(day, 1, 7)"
BY_DAY_AND_PROVIDER = "day || ' ' || provider"
_TIMES = (WHOLE, BY_DAY, BY_MONTH)
_ONE_DAY = timedelta(days=1)
_METERED = (
    "(SELECT u.account_id, u.day, a.currency, 'metered' AS source, u.provider,"
    " u.model AS service_id, '' AS category_id, 0 AS recurring, u.cost_nanos AS nanos, 0 AS attos,"
    " u.records AS items FROM billing_usage_rollup u JOIN billing_account a ON a.id = u.account_id)"
    " metered"
)
_FLAT, _TAG, _NO_TAG = f"{DELTA} WHERE tag IS NULL AND", "'=' || tag", "'='"
_TAGS = f"{DELTA} WHERE tag IS NOT NULL AND"


class Span(NamedTuple):
    """From the first to the last day, both included."""

    first: date
    last: date


class Asked(NamedTuple):
    """What is summed up: None asks for any, empty text for items that say nothing there.

    `categories` are ids (or just "" for none).
    """

    account_id: str
    span: Span
    sources: Sequence[str]
    categories: Sequence[str] | None = None
    provider: str | None = None
    service_id: str | None = None


class Sum(NamedTuple):
    """An exact sum of one currency, and how many items it is of."""

    key: str
    currency: str
    amount: Exact
    items: int


class _Part(NamedTuple):
    """Sums of one table: by what, and within which days or months."""

    table: str
    key: str
    first: str
    last: str
    time: str = "day"


def sums(asked: Asked, group: str) -> list[Sum]:
    """Sums by currency and one of PROVIDER, CATEGORY, SERVICE, RECURRING, BY_DAY, BY_MONTH, WHOLE,
    BY_DAY_AND_PROVIDER (2026-03-09 openai).

    Raises InvalidRequest (`amount_out_of_range`) for a sum beyond 64 bits of nanos.
    """
    span = _days(asked.span)
    parts = _parts(asked, group)
    if not is_sqlite():  # which has no deltas
        parts.append(_Part(_FLAT, group, *span))
    if METERED in asked.sources:
        parts.append(_Part(_METERED, group, *span))
    return _added(_fetch([_said(asked, part) for part in parts]))


def sums_by_tag(asked: Asked) -> list[Sum]:
    """Sums by currency and tag: an item counts once for each of its tags, without any as ''.

    Raises InvalidRequest as `sums` does.
    """
    parts, spans = _parts_of_tags(asked)
    if METERED in asked.sources:
        parts.append(_Part(_METERED, _NO_TAG, *_days(asked.span)))
    said = [_said(asked, part) for part in parts]
    said += [_of_items(asked._replace(span=span)) for span in spans]
    return _added(_by_tag(_fetch(said)))


def pieces(span: Span) -> tuple[Span | None, list[Span]]:
    """The whole months of a span, if there are any, and the days before and after them."""
    after = (span.last + _ONE_DAY).replace(day=1)
    begin = span.first
    if begin.day > 1:
        begin = (begin.replace(day=28) + 4 * _ONE_DAY).replace(day=1)
    if begin >= after:
        return None, [span]
    edges = [Span(span.first, begin - _ONE_DAY), Span(after, span.last)]
    return Span(begin, after - _ONE_DAY), [edge for edge in edges if edge.first <= edge.last]


def items_of(asked: Asked) -> tuple[str, Sequence[Any]]:
    """The condition by which single items are meant, and its values."""
    period = days(*asked.span)
    conditions: list[tuple[str, Sequence[Any]]] = [
        ("account_id = ?", (asked.account_id,)),
        ("date >= ? AND date < ?", (period.start, period.end)),
        among("source", asked.sources),
        among("category_id", asked.categories),
        same("provider", asked.provider),
        same("service_id", asked.service_id),
    ]
    where = " AND ".join(condition for condition, _ in conditions if condition)
    return where, [value for _, values in conditions for value in values]


def _parts(asked: Asked, group: str) -> list[_Part]:
    by_date = _by_date(asked, group)
    if by_date:
        return [_Part(by_date.table, group, *_days(asked.span))]
    months, edges = pieces(asked.span)
    parts = [_Part(DAY.table, group, *_days(edge)) for edge in edges]
    if months:
        key = "month" if group == BY_MONTH else group
        parts.append(_Part(MONTH.table, key, *_months(months), time="month"))
    return parts


def _by_date(asked: Asked, group: str) -> Rollup | None:
    """The sums by day to read for months as well: there are few, or a day is asked for."""
    if (asked.categories, asked.service_id) != (None, None):
        return DAY if group in (BY_DAY, BY_DAY_AND_PROVIDER) else None
    if group == BY_DAY_AND_PROVIDER or (asked.provider is not None and group in _TIMES):
        return PROVIDER_DAY
    return DATE if group in _TIMES else None


def _parts_of_tags(asked: Asked) -> tuple[list[_Part], list[Span]]:
    """The sums of tags to read, and the days of which the items are read, since a tag's sums do
    not know what is asked for: by day no provider, and never a service or category."""
    months, edges = pieces(asked.span)
    if asked.categories is not None or asked.service_id is not None:
        return [], [asked.span]
    parts, spans = [], edges
    if asked.provider is None:
        parts, spans = [_Part(TAG_DAY.table, _TAG, *_days(edge)) for edge in edges], []
    if months:
        parts.append(_Part(TAG.table, _TAG, *_months(months), time="month"))
    if not is_sqlite():  # what is not folded yet, of the days that no item is read of
        told = months if asked.provider is not None else asked.span
        parts += [_Part(_TAGS, _TAG, *_days(told))] if told else []
    return parts, spans


def _said(asked: Asked, part: _Part) -> tuple[str, Sequence[Any]]:
    """The statement of a part, and its values."""
    where, values = f"account_id = ? AND {part.time} >= ? AND {part.time} <= ?", [asked.account_id]
    values += [part.first, part.last, *asked.sources]
    where += f" AND source IN ({places(asked.sources)})"
    for column, value in (("provider", asked.provider), ("service_id", asked.service_id)):
        if value is not None:
            where, values = f"{where} AND {column} = ?", [*values, value]
    if asked.categories is not None:
        where += f" AND category_id IN ({places(asked.categories)})"
        values += asked.categories
    table = part.table if " WHERE " in part.table else f"{part.table} WHERE"
    return (
        f"SELECT {part.key}, currency, SUM(nanos), SUM(attos), SUM(items) FROM {table} {where}"
        " GROUP BY 1, 2",
        values,
    )


def _of_items(asked: Asked) -> tuple[str, Sequence[Any]]:
    """The statement that adds up items by all their tags, and its values."""
    where, values = items_of(asked)
    return (
        "SELECT tags, currency, SUM(nanos), SUM(attos), COUNT(*)"
        f" FROM billing_item WHERE {where} GROUP BY 1, 2",
        values,
    )


def _fetch(said: Sequence[tuple[str, Sequence[Any]]]) -> list[Row]:
    sql = " UNION ALL ".join(statement for statement, _ in said)
    with within_64_bits():
        return fetch_all(sql, [value for _, values in said for value in values])


def _by_tag(rows: Iterable[Row]) -> Iterator[Row]:
    """Rows of one tag each: the key of a row of items is the JSON of all their tags."""
    for key, *rest in rows:
        tags = [key[1:]] if key[0] == "=" else items.tags_in(key) or [""]
        yield from ((tag, *rest) for tag in tags)


def _added(rows: Iterable[Row]) -> list[Sum]:
    found: dict[tuple[str, str], list[int]] = {}
    for key, currency, *figures in rows:
        known = found.setdefault((str(key), currency), [0, 0, 0])
        for place, figure in enumerate(figures):
            known[place] += int(figure)
    return [
        Sum(key, currency, Exact.of_sums(nanos, attos), number)
        for (key, currency), (nanos, attos, number) in found.items()
        if number or nanos or attos
    ]


def _days(span: Span) -> tuple[str, str]:
    return span.first.isoformat(), span.last.isoformat()


def _months(span: Span) -> tuple[str, str]:
    return span.first.isoformat()[:7], span.last.isoformat()[:7]
