"""Native: forecasts of cost items, days out of the ordinary, what recurs, and until when the
balance lasts. Whole cents, with the exact amount beside.

Currencies never add: a forecast or list of commitments shows one, the account's unless `currency`
names another; days out of the ordinary are of all of them.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from typing import Any

import marshmallow
from flask import Response
from marshmallow import fields, validate
from webargs.fields import DelimitedList

from billing_plugin import operations
from billing_plugin.dialects.arguments import whole_number
from billing_plugin.dialects.dialect import account_id, actor, currency
from billing_plugin.dialects.native.face import Beside, native
from billing_plugin.dialects.native.items import Day
from billing_plugin.dialects.native.reports import SCOPE, scope_of
from billing_plugin.dialects.native.shapes import MONEY, money, pattern
from billing_plugin.dialects.native.tables import FormatQuery, Rows, answer
from billing_plugin.dialects.openapi import (
    FLAG,
    TEXT,
    TIME,
    WHOLE,
    Shape,
    many,
    nullable,
    shape,
    word,
)
from billing_plugin.money import MAX_CENTS, Exact
from billing_plugin.operations.anomalies import LEAST_CENTS
from billing_plugin.operations.breakdowns import Basis
from billing_plugin.operations.drafts import PERIODS
from billing_plugin.operations.forecasts import (
    BEYOND_HORIZON,
    COVERAGE,
    COVERAGES,
    USED_UP,
    Due,
    forecast_of,
)
from billing_plugin.operations.item_filters import EVERY_SOURCE, ITEM_SOURCES, SpendFilter
from billing_plugin.operations.outlooks import NO_RECENT_SPEND, TOO_LITTLE_HISTORY
from billing_plugin.operations.recurring import Commitment, total_of

TAGS = ["Reports"]
_TEXT = validate.Length(min=1, max=500)


class ChosenQuery(FormatQuery):
    """Which spending it is about."""

    category = fields.String(load_default=None, validate=_TEXT)
    provider = fields.String(load_default=None, validate=_TEXT)
    service = fields.String(load_default=None, validate=_TEXT)
    source = DelimitedList(
        fields.String(validate=validate.OneOf(EVERY_SOURCE)), validate=validate.Length(min=1)
    )


class CurrencyQuery(ChosenQuery):
    """And of which currency."""

    currency = fields.String(load_default=None, validate=pattern("[A-Z]{3}"))


class ForecastQuery(CurrencyQuery):
    """And how sure the interval is to be, in percent."""

    coverage = whole_number(COVERAGES[0], COVERAGES[-1], default=COVERAGE)


class RunOutQuery(FormatQuery):
    """How sure the interval is to be, in percent."""

    coverage = whole_number(COVERAGES[0], COVERAGES[-1], default=COVERAGE)


class AnomaliesQuery(ChosenQuery):
    """UTC days, both included; and the least difference in minor units."""

    to = Day(load_default=None)
    leastAmount = whole_number(0, MAX_CENTS, default=LEAST_CENTS)
    since = Day(load_default=None, data_key="from")


DAY = Shape(type="string", format="date")
WHY = (TOO_LITTLE_HISTORY, NO_RECENT_SPEND)
BASIS: dict[str, Any] = {
    "from": DAY, "to": DAY, "scope": SCOPE, "zone": TEXT, "sources": many(TEXT), "asOf": TIME,
}  # fmt: skip
ONE_CURRENCY: dict[str, Any] = {**BASIS, "currency": TEXT, "otherCurrencies": many(TEXT)}
PACE: dict[str, Any] = {"coverage": WHOLE, "method": TEXT, "days": WHOLE}
COMMITMENT: dict[str, Any] = {
    "name": TEXT, "provider": nullable(TEXT), "serviceId": nullable(TEXT),
    "period": word(*PERIODS), "amount": WHOLE, "amountExact": TEXT,
}  # fmt: skip


class Foreseen(Beside):
    """The shape of what is foreseen, with what it is about beside it."""

    def __init__(self, data: Shape, title: str, about: str, **members: Any) -> None:
        super().__init__(data)
        self.beside = shape(title, about, **members)


def _amounts(*names: str, null: bool = False) -> dict[str, Any]:
    """The members of amounts: whole minor units, and exact text."""
    kinds = (nullable(WHOLE), nullable(TEXT)) if null else (WHOLE, TEXT)
    return {f"{name}{end}": kind for name in names for end, kind in zip(ENDS, kinds, strict=True)}


ENDS = ("Amount", "Exact")
DUE = shape(
    "DueItem",
    "A recurring item that is yet to come this month: on which days, and what all of them come to.",
    **COMMITMENT,
    days=many(DAY),
)
FORECAST = Foreseen(
    shape(
        "SpendForecast",
        "What this month will have come to. `expected`, `low` and `high` are null where they cannot"
        " be told, and `reason` says why.",
        **_amounts("spent", "booked", "recurring"),
        **_amounts("expected", "low", "high", null=True),
        reason=nullable(word(*WHY)),
        recurring=many(DUE),
    ),
    "ForecastMeta",
    "Which month it is of, how sure the interval is to be, and on how many days it rests.",
    **ONE_CURRENCY,
    **PACE,
)
RUN_OUT = Foreseen(
    shape(
        "RunOut",
        "The day on which the balance is used up; null where that is beyond the horizon or cannot"
        " be told.",
        available=MONEY,
        earliest=nullable(DAY),
        expected=nullable(DAY),
        latest=nullable(DAY),
        reason=nullable(word(*WHY, BEYOND_HORIZON, USED_UP)),
    ),
    "RunOutMeta",
    "How sure the interval is to be, and on how many days it rests.",
    **BASIS,
    **PACE,
    horizonDays=WHOLE,
)
ANOMALY = shape(
    "Anomaly",
    "A day far from its norm: of one provider, of what names none (`provider` is empty), or of all"
    " together (null, and `allProviders`, as a file knows no null).",
    date=DAY,
    provider=nullable(TEXT),
    allProviders=FLAG,
    currency=TEXT,
    direction=word("above", "below"),
    amount=WHOLE,
    amountExact=TEXT,
    **_amounts("usual"),
)
ANOMALIES = Foreseen(
    many(ANOMALY),
    "AnomaliesMeta",
    "Which days were compared: `judged` days of all lines, `unjudged` with too little before them.",
    **BASIS,
    leastAmount=WHOLE,
    judged=WHOLE,
    unjudged=WHOLE,
)
RECURS = shape(
    "Commitment",
    "What recurs: what it comes to in a period, when it came last, and when it is due.",
    **COMMITMENT,
    last=DAY,
    due=DAY,
)
RECURRING = Foreseen(
    many(RECURS),
    "RecurringMeta",
    "What all of it comes to in a month and in a year.",
    **ONE_CURRENCY,
    **_amounts("monthly", "yearly"),
)


@native.view(answers={200: FORECAST}, refusals=(404,), csv=True, tags=TAGS)
@native.arguments(ForecastQuery(), location="query", unknown=marshmallow.RAISE)
def forecast_month(query: dict[str, Any]) -> Response:
    """Foresee this month's spending"""
    coverage = query["coverage"]
    report = operations.forecast_month(actor(), account_id(), _chosen(query), coverage=coverage)
    wanted = query["currency"] or currency()
    one = forecast_of(report.forecasts, wanted)
    data = {
        **_figures("spent", one.spent, wanted),
        **_figures("booked", one.booked, wanted),
        **_figures("recurring", one.recurring, wanted),
        **_figures("expected", one.expected, wanted),
        **_figures("low", one.low, wanted),
        **_figures("high", one.high, wanted),
        "reason": one.reason,
        "recurring": [_due(due) for due in one.due],
    }
    pace = {"coverage": report.coverage, "method": report.method, "days": one.days}
    currencies = [one.currency for one in report.forecasts]
    meta = _meta(report.basis, query) | _of(wanted, currencies) | pace
    return answer(query, data, Rows("forecast", FORECAST), meta=meta)


@native.view(answers={200: RUN_OUT}, csv=True, tags=TAGS)
@native.arguments(RunOutQuery(), location="query", unknown=marshmallow.RAISE)
def run_out(query: dict[str, Any]) -> Response:
    """See until when the balance lasts"""
    found = operations.run_out(actor(), account_id(), coverage=query["coverage"])
    data = {
        "available": money(found.available, balance=True),
        "earliest": _day(found.earliest),
        "expected": _day(found.expected),
        "latest": _day(found.latest),
        "reason": found.reason,
    }
    pace = {"coverage": found.coverage, "method": found.method, "days": found.days}
    meta = _meta(found.basis, query) | pace | {"horizonDays": found.horizon_days}
    return answer(query, data, Rows("run-out", RUN_OUT), meta=meta)


@native.view(answers={200: ANOMALIES}, refusals=(404,), csv=True, tags=TAGS)
@native.arguments(AnomaliesQuery(), location="query", unknown=marshmallow.RAISE)
def find_anomalies(query: dict[str, Any]) -> Response:
    """Find days out of the ordinary

    Days are compared with their weekdays in the eight weeks before.
    """
    chosen, least = _chosen(query), query["leastAmount"]
    report = operations.find_anomalies(actor(), account_id(), chosen, least_cents=least)
    data = [
        {
            "date": str(one.day),
            "provider": one.provider,
            "allProviders": one.provider is None,
            "currency": one.currency,
            "direction": "above" if one.is_above else "below",
            **_amount(one.amount, one.currency),
            **_figures("usual", one.usual, one.currency),
        }
        for one in report.found
    ]
    counts = {"judged": report.judged, "unjudged": report.unjudged}
    meta = _meta(report.basis, query) | {"leastAmount": report.least_cents} | counts
    return answer(query, data, Rows("anomalies", ANOMALY), meta=meta)


@native.view(answers={200: RECURRING}, refusals=(404,), csv=True, tags=TAGS)
@native.arguments(CurrencyQuery(), location="query", unknown=marshmallow.RAISE)
def list_commitments(query: dict[str, Any]) -> Response:
    """List what recurs

    Items that recur with a period, as far as the newest is not too long ago.
    """
    report = operations.list_commitments(actor(), account_id(), _chosen(query))
    wanted = query["currency"] or currency()
    total = total_of(report.totals, wanted)
    data = [
        {**_commitment(one, one.amount), "last": str(one.last), "due": str(one.due)}
        for one in report.commitments
        if one.currency == wanted
    ]
    sums = _figures("monthly", total.monthly, wanted) | _figures("yearly", total.yearly, wanted)
    currencies = [one.currency for one in report.totals]
    meta = _meta(report.basis, query) | _of(wanted, currencies) | sums
    return answer(query, data, Rows("recurring", RECURS), meta=meta)


def _chosen(query: dict[str, Any]) -> SpendFilter:
    return SpendFilter(
        category=query["category"],
        provider=query["provider"],
        service=query["service"],
        since=query.get("since"),
        until=query.get("to"),
        sources=query.get("source", ITEM_SOURCES),
    )


def _due(due: Due) -> dict[str, Any]:
    return {**_commitment(due.commitment, due.amount), "days": list(map(str, due.days))}


def _commitment(one: Commitment, amount: Exact) -> dict[str, Any]:
    return {
        "name": one.name,
        "provider": one.provider or None,
        "serviceId": one.service_id or None,
        "period": one.period,
        **_amount(amount, one.currency),
    }


def _amount(amount: Exact, currency: str) -> dict[str, Any]:
    return {"amount": amount.cents(currency), "amountExact": amount.text(currency)}


def _figures(name: str, amount: Exact | None, currency: str) -> dict[str, Any]:
    told = (None, None) if amount is None else (amount.cents(currency), amount.text(currency))
    return {f"{name}{end}": figure for end, figure in zip(ENDS, told, strict=True)}


def _meta(basis: Basis, query: dict[str, Any]) -> dict[str, Any]:
    return {
        **scope_of(query),
        "from": _day(basis.since),
        "to": _day(basis.until),
        "zone": basis.zone,
        "sources": list(basis.sources),
        "asOf": basis.as_of,
    }


def _of(wanted: str, currencies: Iterable[str]) -> dict[str, Any]:
    return {"currency": wanted, "otherCurrencies": [one for one in currencies if one != wanted]}


def _day(day: date | None) -> str | None:
    return None if day is None else str(day)
