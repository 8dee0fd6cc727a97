"""Native: reports of cost items, as in the "Billing API" of seed 001: whole cents, with the exact
amount beside.

Currencies never add: a report shows one, the account's unless `currency` names another, and names
the others in `meta`, where it also says which days and sources it is about.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import marshmallow
from flask import Response
from marshmallow import fields, validate
from webargs.fields import DelimitedList

from billing_plugin import operations
from billing_plugin.dialects.dialect import account_id, actor, currency
from billing_plugin.dialects.native.face import Beside, native
from billing_plugin.dialects.native.items import Day
from billing_plugin.dialects.native.shapes import MONEY, money, pattern
from billing_plugin.dialects.native.tables import FormatQuery, Rows, answer
from billing_plugin.dialects.openapi import FLAG, TEXT, TIME, WHOLE, Shape, many, nullable, shape
from billing_plugin.operations.breakdowns import (
    GROUPS,
    INTERVALS,
    TAG,
    Basis,
    Part,
    Share,
    Total,
    total_of,
)
from billing_plugin.operations.coverage import Coverage, Priced
from billing_plugin.operations.item_filters import EVERY_SOURCE, ITEM_SOURCES, SpendFilter

TAGS = ["Reports"]
_TEXT = validate.Length(min=1, max=500)


class SummaryQuery(FormatQuery):
    """What is added up; `from` and `to` are UTC days, both included."""

    category = fields.String(load_default=None, validate=_TEXT)
    provider = fields.String(load_default=None, validate=_TEXT)
    service = fields.String(load_default=None, validate=_TEXT)
    to = Day(load_default=None)
    source = DelimitedList(
        fields.String(validate=validate.OneOf(EVERY_SOURCE)),
        validate=validate.Length(min=1),
    )
    currency = fields.String(load_default=None, validate=pattern("[A-Z]{3}"))
    since = Day(load_default=None, data_key="from")


class BreakdownQuery(SummaryQuery):
    """By what."""

    by = fields.String(load_default="provider", validate=validate.OneOf((*GROUPS, TAG)))


class TrendQuery(SummaryQuery):
    """Days, weeks (ISO, from Monday) or months."""

    interval = fields.String(load_default="month", validate=validate.OneOf(tuple(INTERVALS)))


DAY = Shape(type="string", format="date")
DAYS: dict[str, Any] = {"from": nullable(DAY), "to": nullable(DAY)}
PRICED = shape(
    "PricedSpend",
    "Metered spend, and what of it was charged although no price was known. `percentage` has one;"
    " rounded down, null where nothing was spent.",
    total=MONEY,
    flagged=MONEY,
    uses=WHOLE,
    flaggedUses=WHOLE,
    percentage=nullable(Shape(type="number")),
)
COVERAGE = shape(
    "Coverage",
    "What a report rests on: providers of active integrations, those without anything in the"
    " period, and the newest day of which each source has something. `priced` is null where no"
    " metered usage is asked for. `text` says all of it in a line.",
    providers=many(TEXT),
    missing=many(TEXT),
    newest=Shape(type="object", additionalProperties=nullable(DAY)),
    priced=nullable(PRICED),
    text=TEXT,
)
SCOPE = Shape(type="object", additionalProperties=TEXT)
BASIS: dict[str, Any] = {
    **DAYS, "scope": SCOPE, "zone": TEXT, "sources": many(TEXT), "asOf": TIME,
    "currency": TEXT, "otherCurrencies": many(TEXT), "totalAmount": WHOLE, "totalExact": TEXT,
    "itemCount": WHOLE, "partitions": FLAG, "coverage": COVERAGE,
}  # fmt: skip


class Report(Beside):
    """The shape of a report, with what it is about beside it."""

    beside = shape(
        "ReportMeta",
        "What a report is about, and its total. Where `partitions`, the parts are the whole: their"
        " cents and percentages add up. `scope` are the filters, none of them: the whole account.",
        **BASIS,
    )


SUMMARY = Report(
    shape(
        "SpendSummary",
        "What the items add up to.",
        **DAYS,
        totalAmount=WHOLE,
        totalExact=TEXT,
        itemCount=WHOLE,
        currency=TEXT,
    )
)
PART = shape(
    "SpendPart",
    "One part, the greatest first. `value` is what `key` stands for: a category's id, null where"
    " items say nothing there. `percentage` is null where the whole is nothing. By category"
    " `withBelow` is what it adds up to with all categories below it.",
    optional=("withBelow", "withBelowExact"),
    key=TEXT,
    value=nullable(TEXT),
    amount=WHOLE,
    amountExact=TEXT,
    count=WHOLE,
    percentage=nullable(Shape(type="number")),
    withBelow=WHOLE,
    withBelowExact=TEXT,
)
STEP = shape(
    "SpendStep",
    "One day (2026-03-09), ISO week (2026-W10) or month (2026-03) that has items.",
    date=TEXT,
    amount=WHOLE,
    amountExact=TEXT,
    count=WHOLE,
)
BREAKDOWN, TREND = Report(many(PART)), Report(many(STEP))
# what stands for items that say nothing there
_NO_CATEGORY, _NOTHING = "uncategorized", "none"


@native.view(answers={200: SUMMARY}, refusals=(404,), csv=True, tags=TAGS)
@native.arguments(SummaryQuery(), location="query", unknown=marshmallow.RAISE)
def summarize(query: dict[str, Any]) -> Response:
    """Sum up"""
    report = operations.summarize(actor(), account_id(), _chosen(query))
    wanted = query["currency"] or currency()
    total = total_of(report.totals, wanted)
    data = {
        "totalAmount": total.cents,
        "totalExact": total.amount.text(wanted),
        "itemCount": total.count,
        "currency": wanted,
        "from": _day(report.basis.since),
        "to": _day(report.basis.until),
    }
    meta = _meta(report.basis, report.totals, total, partitions=True)
    return answer(query, data, Rows("summary", SUMMARY), meta=meta | scope_of(query))


@native.view(answers={200: BREAKDOWN}, refusals=(404,), csv=True, tags=TAGS)
@native.arguments(BreakdownQuery(), location="query", unknown=marshmallow.RAISE)
def break_down(query: dict[str, Any]) -> Response:
    """Break spending down

    By tag an item counts once for each of its tags, so that the parts are not the whole.
    """
    by = query["by"]
    report = operations.break_down(actor(), account_id(), _chosen(query), by=by)
    total, parts = _share(report.currencies, query["currency"] or currency())
    names = {**report.names, "": _NO_CATEGORY if by == "category" else _NOTHING}
    data = [
        {
            "key": names.get(part.key, part.key),
            "value": part.key or None,
            **_figures(part, total.currency),
            "percentage": None if part.percentage is None else float(part.percentage),
            **_below(part, total.currency),
        }
        for part in parts
    ]
    totals = [one.total for one in report.currencies]
    meta = _meta(report.basis, totals, total, partitions=report.partitions)
    return answer(query, data, Rows(f"by-{by}", PART), meta=meta | scope_of(query))


@native.view(answers={200: TREND}, refusals=(404,), csv=True, tags=TAGS)
@native.arguments(TrendQuery(), location="query", unknown=marshmallow.RAISE)
def trend(query: dict[str, Any]) -> Response:
    """See spending over time"""
    chosen, interval = _chosen(query), query["interval"]
    report = operations.trend(actor(), account_id(), chosen, interval=interval)
    total, parts = _share(report.currencies, query["currency"] or currency())
    data = [{"date": part.key, **_figures(part, total.currency)} for part in parts]
    totals = [one.total for one in report.currencies]
    meta = _meta(report.basis, totals, total, partitions=True)
    return answer(query, data, Rows(f"by-{interval}", STEP), meta=meta | scope_of(query))


def _chosen(query: dict[str, Any]) -> SpendFilter:
    return SpendFilter(
        category=query["category"],
        provider=query["provider"],
        service=query["service"],
        since=query["since"],
        until=query["to"],
        sources=query.get("source", ITEM_SOURCES),
    )


def _figures(part: Part, currency: str) -> dict[str, Any]:
    return {
        "amount": part.cents,
        "amountExact": part.amount.text(currency),
        "count": part.count,
    }


def _below(part: Part, currency: str) -> dict[str, Any]:
    whole = part.with_below
    if whole is None:
        return {}
    return {"withBelow": whole.cents(currency), "withBelowExact": whole.text(currency)}


def _share(shares: Sequence[Share], wanted: str) -> tuple[Total, list[Part]]:
    for share in shares:
        if share.total.currency == wanted:
            return share.total, share.parts
    return total_of([], wanted), []


def _meta(
    basis: Basis, totals: Sequence[Total], total: Total, *, partitions: bool
) -> dict[str, Any]:
    return {
        "from": _day(basis.since),
        "to": _day(basis.until),
        "zone": basis.zone,
        "sources": list(basis.sources),
        "asOf": basis.as_of,
        "currency": total.currency,
        "otherCurrencies": [one.currency for one in totals if one.currency != total.currency],
        "totalAmount": total.cents,
        "totalExact": total.amount.text(total.currency),
        "itemCount": total.count,
        "partitions": partitions,
        "coverage": basis.coverage and coverage_told(basis.coverage),
    }


def scope_of(query: dict[str, Any]) -> dict[str, Any]:
    """The filters that were asked for, in the shape of SCOPE."""
    named = {name: query.get(name) for name in ("category", "provider", "service")}
    return {"scope": {name: value for name, value in named.items() if value is not None}}


def coverage_told(told: Coverage) -> dict[str, Any]:
    """What a report rests on, in the shape of COVERAGE."""
    return {
        "providers": told.providers,
        "missing": told.missing,
        "newest": {source: _day(day) for source, day in told.newest.items()},
        "priced": told.priced and _priced(told.priced),
        "text": told.text,
    }


def _priced(told: Priced) -> dict[str, Any]:
    return {
        "total": money(told.total),
        "flagged": money(told.flagged),
        "uses": told.uses,
        "flaggedUses": told.flagged_uses,
        "percentage": None if told.percentage is None else float(told.percentage),
    }


def _day(day: Any) -> str | None:
    return None if day is None else str(day)
