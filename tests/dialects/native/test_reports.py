"""Native: reports say what they add up, and never add what does not go together."""

from __future__ import annotations

from typing import Any

import pytest

from billing_plugin import Actor, Billing, Money, operations
from billing_plugin.dialects.native.reports import BREAKDOWN, SUMMARY, TREND, Report
from billing_plugin.operations import Usage
from tests.dialects.faces import assert_refused, data, fits
from tests.dialects.routes import NATIVE
from tests.factories import Caller, app_with, token_of

PATH = f"{NATIVE}/reports"
SHAPES: dict[str, Report] = {"summary": SUMMARY, "breakdown": BREAKDOWN, "trend": TREND}
ITEMS: list[dict[str, Any]] = [
    {"amountExact": "1.004", "date": "2026-02-28T23:59:59Z", "categoryId": "AI", "tags": ["x"]},
    {"amountExact": "1.004", "date": "2026-03-01T00:00:00Z", "categoryId": "Cloud"},
    {"amountExact": "1.004", "date": "2026-03-02T00:00:00Z", "tags": ["x", "y"], "provider": "p"},
    {"amount": -50, "provider": "p", "serviceId": "s", "recurring": True},
    {"amount": 900, "currency": "EUR", "provider": "p", "categoryId": "AI"},
]


@pytest.fixture(autouse=True)
def entered(call: Caller) -> None:
    data(call("POST", f"{NATIVE}/categories", json={"name": "Cloud"}), 201)
    data(call("POST", f"{NATIVE}/categories", json={"name": "AI", "parentId": "Cloud"}), 201)
    for item in ITEMS:
        data(call("POST", f"{NATIVE}/items", json={"name": "x", **item}), 201)


def ask(call: Caller, report: str, query: str = "") -> tuple[Any, dict[str, Any]]:
    """The data and what it is about, both of their shapes."""
    response = call("GET", f"{PATH}/{report}?{query}")
    meta = fits(SHAPES[report].beside, response.json["meta"])
    return fits(SHAPES[report], data(response)), meta


def lines(call: Caller, report: str, query: str = "") -> list[tuple[Any, ...]]:
    name = "key" if report == "breakdown" else "date"
    parts, _ = ask(call, report, query)
    return [(part[name], part["amount"], part["amountExact"], part["count"]) for part in parts]


def test_the_sum_is_rounded_once(call: Caller) -> None:
    total, meta = ask(call, "summary")
    assert total == {
        "totalAmount": 251, "totalExact": "2.512", "itemCount": 4, "currency": "USD",
        "from": None, "to": None,
    }  # fmt: skip
    assert meta == {
        "from": None, "to": None, "scope": {}, "zone": "UTC",
        "sources": ["focus", "manual", "sync"], "asOf": "2026-03-09T14:32:00.000Z",
        "currency": "USD", "otherCurrencies": ["EUR"],
        "totalAmount": 251, "totalExact": "2.512", "itemCount": 4, "partitions": True,
        "coverage": {
            "providers": [], "missing": [], "priced": None,
            "newest": {"focus": None, "manual": "2026-03-09", "sync": None},
            "text": "no connected provider; newest focus never, manual 2026-03-09, sync never",
        },
    }  # fmt: skip


SUMS = {
    "category=cloud": (201, 2),
    "category=AI": (100, 1),
    "provider=p": (50, 2),
    "service=s": (-50, 1),
    "from=2026-03-01": (151, 3),
    "to=2026-03-01": (201, 2),
    "from=2026-03-01&to=2026-03-01": (100, 1),
    "from=2026-03-01T22:00:00-03:00": (50, 2),
    "provider=p&service=s&from=2026-03-09": (-50, 1),
    "source=manual": (251, 4),
    "source=sync,focus": (0, 0),
    "currency=EUR": (900, 1),
    "currency=EUR&category=cloud": (900, 1),
    "currency=JPY": (0, 0),
}


@pytest.mark.parametrize("query", SUMS)
def test_a_sum_is_of_what_was_asked(call: Caller, query: str) -> None:
    total, meta = ask(call, "summary", query)
    assert (total["totalAmount"], total["itemCount"]) == SUMS[query]
    assert (meta["totalAmount"], meta["itemCount"]) == SUMS[query]
    assert total["currency"] not in meta["otherCurrencies"]
    filters = dict(one.split("=", 1) for one in query.split("&"))
    named = {name: filters[name] for name in ("category", "provider", "service") if name in filters}
    assert meta["scope"] == named
    for report in ("breakdown", "trend"):
        parts, meta = ask(call, report, query)
        assert (sum(one["amount"] for one in parts), sum(one["count"] for one in parts)) == (
            meta["totalAmount"], meta["itemCount"],
        ) == SUMS[query]  # fmt: skip


def test_currencies_are_never_added(call: Caller) -> None:
    for report in SHAPES:
        _, mine = ask(call, report)
        _, theirs = ask(call, report, "currency=EUR")
        assert (mine["currency"], mine["otherCurrencies"]) == ("USD", ["EUR"])
        assert (theirs["currency"], theirs["otherCurrencies"]) == ("EUR", ["USD"])
        assert (mine["totalExact"], theirs["totalExact"]) == ("2.512", "9.00")


def test_parts_are_the_whole_and_say_what_they_stand_for(call: Caller) -> None:
    parts, meta = ask(call, "breakdown", "by=category")
    known = {one["name"]: one["id"] for one in data(call("GET", f"{NATIVE}/categories"))}
    told = {part["key"]: (part["value"], part["amountExact"]) for part in parts}
    assert told == {
        "AI": (known["AI"], "1.004"), "Cloud": (known["Cloud"], "1.004"),
        "uncategorized": (None, "0.504"),
    }  # fmt: skip
    assert meta["partitions"] is True
    assert sum(part["amount"] for part in parts) == meta["totalAmount"] == 251
    assert round(sum(part["percentage"] for part in parts), 1) == 100.0


def test_reading_reports_needs_no_other_scope(billing: Billing, call: Caller, actor: Actor) -> None:
    reader = Caller(app_with(billing), token_of(billing, actor, "reports:read"))
    for query in ("by=category&category=AI", "by=tag"):
        assert lines(reader, "breakdown", query) == lines(call, "breakdown", query)


def test_by_provider_service_and_recurring(call: Caller) -> None:
    assert lines(call, "breakdown") == [("none", 201, "2.008", 2), ("p", 50, "0.504", 2)]
    assert lines(call, "breakdown", "by=provider") == lines(call, "breakdown")
    assert lines(call, "breakdown", "by=service") == [
        ("none", 301, "3.012", 3), ("s", -50, "-0.50", 1),
    ]  # fmt: skip
    assert lines(call, "breakdown", "by=recurring") == [
        ("false", 301, "3.012", 3), ("true", -50, "-0.50", 1),
    ]  # fmt: skip


def test_by_tag_an_item_counts_for_each_and_it_is_said(call: Caller) -> None:
    parts, meta = ask(call, "breakdown", "by=tag")
    told = [(part["key"], part["value"], part["amount"], part["count"]) for part in parts]
    assert told == [("x", "x", 201, 2), ("y", "y", 100, 1), ("none", None, 50, 2)]
    assert (meta["partitions"], meta["totalAmount"], meta["itemCount"]) == (False, 251, 4)
    assert [part["percentage"] for part in parts] == [79.9, 40.0, 20.1]


def test_over_time_by_day_iso_week_and_month(call: Caller) -> None:
    assert lines(call, "trend", "interval=day") == [
        ("2026-02-28", 101, "1.004", 1), ("2026-03-01", 100, "1.004", 1),
        ("2026-03-02", 100, "1.004", 1), ("2026-03-09", -50, "-0.50", 1),
    ]  # fmt: skip
    assert lines(call, "trend", "interval=week") == [
        ("2026-W09", 201, "2.008", 2), ("2026-W10", 100, "1.004", 1), ("2026-W11", -50, "-0.50", 1),
    ]  # fmt: skip
    months = [("2026-02", 100, "1.004", 1), ("2026-03", 151, "1.508", 3)]
    assert lines(call, "trend") == lines(call, "trend", "interval=month") == months


def test_a_share_of_nothing_is_none(call: Caller) -> None:
    data(call("POST", f"{NATIVE}/items", json={"name": "x", "amount": 50, "provider": "p"}), 201)
    parts, meta = ask(call, "breakdown", "by=service&provider=p&from=2026-03-09")
    assert [part["percentage"] for part in parts] == [None, None]
    assert (meta["totalAmount"], meta["itemCount"]) == (0, 2)


def test_metered_usage_is_added_only_where_it_is_asked_for(call: Caller, actor: Actor) -> None:
    use = Usage(model="gpt-4o", provider="openai", cost=Money.parse("2.5"))
    operations.record_usage(actor, str(actor.account_id), use)
    for query, cents, count in (
        ("", 251, 4), ("source=metered", 250, 1), ("source=manual,sync,focus,metered", 501, 5),
    ):  # fmt: skip
        total, meta = ask(call, "summary", query)
        assert (total["totalAmount"], total["itemCount"]) == (cents, count)
        assert ("metered" in meta["sources"]) == ("metered" in query)
    assert lines(call, "breakdown", "by=service&source=metered") == [("gpt-4o", 250, "2.50", 1)]


def test_an_unknown_category_is_not_found(call: Caller) -> None:
    for report in SHAPES:
        response = call("GET", f"{PATH}/{report}?category=nothing")
        assert_refused(response, "native", 404, "NOT_FOUND")
