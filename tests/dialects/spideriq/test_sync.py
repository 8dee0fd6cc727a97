"""SpiderIQ: what a sync tells; seed 000 itself is replayed in tests/seeds."""

from __future__ import annotations

from typing import Any

from billing_plugin import Actor, operations
from billing_plugin.dialects.spideriq.sync import REPORT
from tests.dialects.faces import fits
from tests.dialects.routes import SPIDERIQ
from tests.factories import Caller

PATH = f"{SPIDERIQ}/sync-billing"


def connect(actor: Actor, **settings: Any) -> None:
    operations.connect(
        actor, actor.account_id, "fake", credentials={"api_key": "k"}, settings=settings
    )


def synced(call: Caller) -> Any:
    answer = call("POST", PATH)
    assert answer.status_code == 200
    return fits(REPORT, answer.json)


def test_nothing_is_connected(call: Caller) -> None:
    assert synced(call) == {
        "success": True,
        "synced": 0,
        "failed": 0,
        "results": [],
        "total_balance": 0.0,
        "total_usage_month": 0.0,
    }


def test_zero_is_not_null(call: Caller, actor: Actor) -> None:
    connect(actor, balance="0", usage_month="0.00")
    [result] = synced(call)["results"]
    figures = (result["balance"], result["usage_today"], result["usage_month"])
    assert figures == (0.0, None, 0.0)


def test_other_currencies_are_named_and_never_added(call: Caller, actor: Actor) -> None:
    connect(actor, balance="10", usage_month="1", currency="EUR")
    connect(actor, balance="2.50", usage_month="0.25")
    report = synced(call)
    assert (report["total_balance"], report["total_usage_month"]) == (2.5, 0.25)
    euros, dollars = report["results"]
    assert (euros["currency"], euros["balance"]) == ("EUR", 10.0)
    assert "currency" not in dollars


def test_totals_are_exact_where_floats_are_not(call: Caller, actor: Actor) -> None:
    for _ in range(10):
        connect(actor, balance="0.1", usage_month="0.7")
    report = synced(call)
    assert (report["total_balance"], report["total_usage_month"]) == (1.0, 7.0)


def test_counts_are_those_of_the_results(call: Caller, actor: Actor) -> None:
    for settings in ({}, {"fail": "auth"}, {"fail": "unreadable"}, {"fail": "unavailable"}):
        connect(actor, **settings)
    report = synced(call)
    assert (report["synced"], report["failed"]) == (1, 3)
    for result in report["results"][1:]:
        assert set(result) == {"id", "provider_name", "status", "error", "synced_at"}
