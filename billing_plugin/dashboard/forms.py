"""What a page is asked: forms by GET, in which a field left empty says nothing."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import marshmallow
from marshmallow import Schema, ValidationError, fields, validate

from billing_plugin.dialects.arguments import whole_number
from billing_plugin.dialects.cursors import MAX_CURSOR
from billing_plugin.errors import InvalidRequest
from billing_plugin.operations.breakdowns import GROUPS, INTERVALS, TAG
from billing_plugin.operations.item_filters import EVERY_SOURCE, ITEM_SOURCES
from billing_plugin.periods import parse_day

THIS_MONTH = "this-month"
PERIODS = {
    THIS_MONTH: "This month",
    "last-month": "Last month",
    "last-7-days": "Last 7 days",
    "last-30-days": "Last 30 days",
    "this-year": "This year",
    "all": "All time",
}
SOURCES = {
    "manual": ("manual",),
    "sync": ("sync",),
    "focus": ("focus",),
    "metered": ("metered",),
    "everything": EVERY_SOURCE,
}
BY = (*GROUPS, TAG)
# what a form offers: pairs of a value and what it is called
PERIOD_OPTIONS = [("", "Own days"), *PERIODS.items()]
SOURCE_OPTIONS = [
    ("", "bills"),
    *((name, name) for name in ITEM_SOURCES),
    ("metered", "metered usage"),
    ("everything", "bills and metered"),
]
ITEM_SOURCE_OPTIONS = [("", "any"), *((name, name) for name in ITEM_SOURCES)]
BY_OPTIONS = [(name, name) for name in BY]
INTERVAL_OPTIONS = [(name, name) for name in INTERVALS]
_DAY = timedelta(days=1)
_TEXT = validate.Length(max=500)
Days = tuple[date | None, date | None]


class Said(fields.String):
    """Text; an empty field of a form says nothing."""

    def deserialize(self, value: Any, *arguments: Any, **options: Any) -> Any:
        """The text, or the default for an empty one."""
        return super().deserialize(marshmallow.missing if value == "" else value,
                                   *arguments, **options)  # fmt: skip


class Day(Said):
    """A UTC day."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> Any:
        try:
            return parse_day(super()._deserialize(value, attr, data, **kwargs))
        except InvalidRequest as error:
            raise ValidationError(error.message) from error


def text() -> Said:
    """Any text."""
    return Said(load_default=None, validate=_TEXT)


def choice(options: Any, default: str | None) -> Said:
    """One of the options."""
    return Said(load_default=default, validate=validate.OneOf(tuple(options)))


class Query(Schema):
    """A page that takes nothing but the account, which an operator chooses."""

    class Meta:
        unknown = marshmallow.RAISE

    account = text()


class PageQuery(Query):
    """A list: how much of it, and where to go on."""

    limit = whole_number(1, 100, default=50)
    cursor = Said(load_default=None, validate=validate.Length(max=MAX_CURSOR))


class CostsQuery(Query):
    """What is added up; days of one's own win over a named period."""

    provider = text()
    category = text()
    service = text()
    to = Day(load_default=None)
    period = choice(PERIODS, None)
    source = choice(SOURCES, None)
    by = choice(BY, "provider")
    interval = choice(INTERVALS, "day")
    since = Day(load_default=None, data_key="from")


class ItemsQuery(PageQuery):
    """Which items."""

    provider = text()
    category = text()
    service = text()
    to = Day(load_default=None)
    tag = text()
    source = choice(ITEM_SOURCES, None)
    since = Day(load_default=None, data_key="from")


def days_of(query: dict[str, Any], now: datetime) -> Days:
    """The days that a query of costs is about, both included; this month where it names none."""
    if query["since"] or query["to"]:
        return query["since"], query["to"]
    return named_days(query["period"] or THIS_MONTH, now.astimezone(UTC).date())


def named_days(period: str, today: date) -> Days:
    """The UTC days of a named period."""
    first = today.replace(day=1)
    if period == "last-month":
        return (first - _DAY).replace(day=1), first - _DAY
    ends: dict[str, Days] = {
        THIS_MONTH: (first, (first + 31 * _DAY).replace(day=1) - _DAY),
        "last-7-days": (today - 6 * _DAY, today),
        "last-30-days": (today - 29 * _DAY, today),
        "this-year": (today.replace(month=1, day=1), today.replace(month=12, day=31)),
    }
    return ends.get(period, (None, None))
