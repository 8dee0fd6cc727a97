"""Native: the report of metered spend."""

from __future__ import annotations

from typing import Any

import marshmallow
from flask import Response
from marshmallow import fields, validate

from billing_plugin import operations
from billing_plugin.dialects.dialect import account_id, actor
from billing_plugin.dialects.native.face import native, ok
from billing_plugin.dialects.native.reports import COVERAGE, coverage_told
from billing_plugin.dialects.native.shapes import DAY, MONEY, money
from billing_plugin.dialects.native.tables import FormatQuery, Rows, table
from billing_plugin.dialects.openapi import TEXT, TIME, WHOLE, many, shape
from billing_plugin.money import split_cents
from billing_plugin.operations.reports import SpendReport
from billing_plugin.periods import days_between


class SpendQuery(FormatQuery):
    """Whole UTC days, both included; neither: this calendar month."""

    to = fields.String(load_default=None, validate=DAY)
    groupBy = fields.String(
        load_default="model", validate=validate.OneOf(("provider", "model", "day", "none"))
    )
    first = fields.String(load_default=None, validate=DAY, data_key="from")


GROUP = shape(
    "SpendGroup",
    "One group; the cents of the groups add up to the cents of the total.",
    key=TEXT,
    amount=MONEY,
    count=WHOLE,
)
FLAGGED = shape(
    "FlaggedSpend",
    "What of the total was charged although no price was known.",
    amount=MONEY,
    count=WHOLE,
)
SPEND = shape(
    "Spend",
    "Spend with its period (half-open), zone and source, as of when, and what it rests on.",
    periodStart=TIME,
    periodEnd=TIME,
    zone=TEXT,
    source=TEXT,
    groupBy=TEXT,
    total=MONEY,
    count=WHOLE,
    groups=many(GROUP),
    flagged=FLAGGED,
    asOf=TIME,
    coverage=COVERAGE,
)


@native.view(answers={200: SPEND}, csv=True, tags=["Reports"])
@native.arguments(SpendQuery(), location="query", unknown=marshmallow.RAISE)
def report_spend(query: dict[str, Any]) -> Response:
    """Report spend"""
    period = days_between(query["first"], query["to"])
    report = operations.report_spend(actor(), account_id(), period, group_by=query["groupBy"])
    told = _shape(report)
    if query["format"] == "csv":
        return table(Rows(f"spend-by-{query['groupBy']}", GROUP), told["groups"], meta=told)
    return ok(told)


def _shape(report: SpendReport) -> dict[str, Any]:
    whole = split_cents([group.amount for group in report.groups])
    groups = [
        {"key": group.key, "amount": {**(money(group.amount) or {}), "cents": cents}}
        | {"count": group.count}
        for group, cents in zip(report.groups, whole, strict=True)
    ]
    return {
        "periodStart": report.period.start,
        "periodEnd": report.period.end,
        "zone": report.zone,
        "source": report.source,
        "groupBy": report.group_by,
        "total": money(report.total),
        "count": report.count,
        "groups": groups,
        "flagged": {"amount": money(report.flagged.amount), "count": report.flagged.count},
        "asOf": report.as_of,
        "coverage": coverage_told(report.coverage),
    }
