"""Native: metered usage over time, in buckets of a zone and by what was used."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import marshmallow
from flask import Response
from marshmallow import fields, validate
from webargs.fields import DelimitedList

from billing_plugin import operations
from billing_plugin.dialects.arguments import whole_number
from billing_plugin.dialects.dialect import account_id, actor
from billing_plugin.dialects.native.face import Beside, native, ok
from billing_plugin.dialects.native.items import Day
from billing_plugin.dialects.native.reports import COVERAGE, DAYS, coverage_told
from billing_plugin.dialects.native.shapes import MONEY, money
from billing_plugin.dialects.native.tables import FormatQuery, Rows, table
from billing_plugin.dialects.openapi import FLAG, TEXT, TIME, WHOLE, Shape, many, nullable, shape
from billing_plugin.dialects.wire import camel
from billing_plugin.money import Money
from billing_plugin.operations import Series, SeriesAsked, UsageSeries, Value
from billing_plugin.operations.usage_series import (
    AGGREGATIONS,
    DIMENSIONS,
    MAX_FILTER,
    MAX_GROUPS,
    MEASURES,
    UNITS,
    Figure,
)
from billing_plugin.periods import days

NAMES = {camel(name): name for name in MEASURES}
_WORDS = [*NAMES, *(f"{name}:{aggregation}" for name in NAMES for aggregation in AGGREGATIONS)]
_SOME = validate.Length(min=1, max=MAX_FILTER)


def _filter() -> DelimitedList:
    return DelimitedList(fields.String(validate=validate.Length(max=500)), validate=_SOME)


class SeriesQuery(FormatQuery):
    """`from` and `to` are days of the zone, both included; `key` is the id of an API key."""

    since = Day(required=True, data_key="from")
    to = Day(required=True)
    unit = fields.String(load_default="day", validate=validate.OneOf(UNITS))
    zone = fields.String(load_default="UTC", validate=validate.Length(min=1, max=100))
    values = DelimitedList(fields.String(validate=validate.OneOf(_WORDS)), validate=_SOME)
    groupBy = DelimitedList(
        fields.String(validate=validate.OneOf(DIMENSIONS)), validate=validate.Length(min=1)
    )
    limit = whole_number(1, MAX_GROUPS, default=100)
    provider = _filter()
    model = _filter()
    key = _filter()
    agent = _filter()


FIGURE = Shape(anyOf=[MONEY, Shape(type=["integer", "string", "null"])])
POINT = shape(
    "SeriesPoint",
    "One bucket, half-open, and a figure for each value: money, a whole number, an exact decimal,"
    " or null where there was no use to tell it by.",
    start=TIME,
    end=TIME,
    values=many(FIGURE),
)
GROUP = shape(
    "SeriesGroup",
    "What its uses have in common, in the order of `groupBy`, and what they cost in all.",
    group=many(TEXT),
    cost=MONEY,
    points=many(POINT),
)


class Report(Beside):
    """The shape of series, with what they are about beside them."""

    beside = shape(
        "SeriesMeta",
        "What the series are about. Where there are more groups than `limit`, the greatest are"
        " shown and `limitReached`; `total`, `count` and `coverage` are of all of them. `scope`"
        " are the filters.",
        **DAYS,
        scope=Shape(type="object", additionalProperties=many(TEXT)),
        unit=TEXT,
        zone=TEXT,
        values=many(TEXT),
        groupBy=many(TEXT),
        source=TEXT,
        asOf=TIME,
        limitReached=FLAG,
        total=MONEY,
        count=WHOLE,
        coverage=COVERAGE,
    )


@native.view(answers={200: Report(many(GROUP))}, csv=True, tags=["Reports"])
@native.arguments(SeriesQuery(), location="query", unknown=marshmallow.RAISE)
def report_usage(query: dict[str, Any]) -> Response:
    """See usage over time

    Every bucket is there, also where nothing was used.
    """
    period = days(query["since"], query["to"], query["zone"])
    asked = SeriesAsked(
        period.start, period.end, query["unit"], query["zone"],
        [_value(told) for told in _values(query)], query.get("groupBy", []),
        {name: query[name] for name in DIMENSIONS if name in query}, query["limit"],
    )  # fmt: skip
    found = operations.report_usage(actor(), account_id(), asked)
    meta = _meta(query, found)
    if query["format"] == "csv":
        return table(_rows(query, found), _lines(query, found), meta=meta)
    return ok([_group(one, found) for one in found.series], meta=meta)


def _values(query: dict[str, Any]) -> list[str]:
    return list(query.get("values", ["cost"]))


def _value(told: str) -> Value:
    name, _, aggregation = told.partition(":")
    return Value(NAMES[name], aggregation or "sum")


def _group(series: Series, found: UsageSeries) -> dict[str, Any]:
    return {
        "group": list(series.group),
        "cost": money(series.cost),
        "points": [
            {"start": bucket.start, "end": bucket.end, "values": list(map(_figure, point))}
            for bucket, point in zip(found.buckets, series.points, strict=True)
        ],
    }


def _figure(figure: Figure) -> Any:
    if isinstance(figure, Money):
        return money(figure)
    return format(figure, "f") if isinstance(figure, Decimal) else figure


def _rows(query: dict[str, Any], found: UsageSeries) -> Rows:
    """One for each bucket of each group: what its uses have in common, and a column for each value
    (three for money)."""
    told = zip(_values(query), found.asked.values, strict=True)
    columns: dict[str, Any] = {
        "start": TIME,
        "end": TIME,
        **dict.fromkeys(found.asked.groups, TEXT),
        **{name: nullable(MONEY) if value.is_money else TEXT for name, value in told},
    }
    return Rows(
        f"usage-by-{found.asked.unit}", shape("SeriesRow", "A bucket of a group.", **columns)
    )


def _lines(query: dict[str, Any], found: UsageSeries) -> Iterator[dict[str, Any]]:
    names = _values(query)
    for one in found.series:
        group = dict(zip(found.asked.groups, one.group, strict=True))
        for bucket, point in zip(found.buckets, one.points, strict=True):
            figures = dict(zip(names, map(_figure, point), strict=True))
            yield {"start": bucket.start, "end": bucket.end, **group, **figures}


def _meta(query: dict[str, Any], found: UsageSeries) -> dict[str, Any]:
    return {
        "from": str(query["since"]),
        "to": str(query["to"]),
        "scope": {name: list(wanted) for name, wanted in found.asked.filters.items()},
        "unit": found.asked.unit,
        "zone": found.asked.zone,
        "values": _values(query),
        "groupBy": list(found.asked.groups),
        "source": found.source,
        "asOf": found.as_of,
        "limitReached": found.limit_reached,
        "total": money(found.total),
        "count": found.uses,
        "coverage": coverage_told(found.coverage),
    }
