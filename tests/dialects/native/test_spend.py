"""Native: the report of metered spend."""

from __future__ import annotations

import pytest

from billing_plugin import Actor, Money, operations
from billing_plugin.dialects.native.spend import SPEND
from billing_plugin.operations import Usage
from billing_plugin.periods import parse_time
from tests.dialects.faces import data, fits
from tests.dialects.native.test_tables import table
from tests.dialects.routes import NATIVE
from tests.factories import Caller

PATH = f"{NATIVE}/spend"
USES = [
    ("openai", "gpt-4o", "0.004", "2026-03-01T00:00:00Z"),
    ("openai", "gpt-4o", "0.004", "2026-03-01T23:59:59Z"),
    ("openai", "o3", "0.004", "2026-03-02T00:00:00Z"),
    ("mistral", "large", "1.5", "2026-03-08T12:00:00Z"),
    ("mistral", "large", "2.0", "2026-02-28T23:59:59Z"),
]


@pytest.fixture(autouse=True)
def used(actor: Actor) -> None:
    for provider, model, cost, at in USES:
        use = Usage(
            model=model, provider=provider, cost=Money.parse(cost), effective_at=parse_time(at)
        )
        operations.record_usage(actor, str(actor.account_id), use)


def test_this_month_by_model(call: Caller) -> None:
    report = fits(SPEND, data(call("GET", PATH)))
    assert report["total"] == {"amount": "1.512", "cents": 151, "currency": "USD"}
    assert (report["periodStart"], report["periodEnd"]) == (
        "2026-03-01T00:00:00.000Z",
        "2026-04-01T00:00:00.000Z",
    )
    told = {key: report[key] for key in ("zone", "source", "groupBy", "count")}
    assert told == {"zone": "UTC", "source": "metered", "groupBy": "model", "count": 4}
    assert report["asOf"] == "2026-03-09T14:32:00.000Z"
    assert report["coverage"] == {
        "providers": [], "missing": [], "newest": {"metered": "2026-03-08"},
        "priced": {
            "total": report["total"], "uses": 4, "flaggedUses": 0, "percentage": 100.0,
            "flagged": {"amount": "0.00", "cents": 0, "currency": "USD"},
        },
        "text": "no connected provider; 100.0 % of metered spend priced; newest metered 2026-03-08",
    }  # fmt: skip
    assert [group["key"] for group in report["groups"]] == ["large", "gpt-4o", "o3"]
    assert [group["amount"]["amount"] for group in report["groups"]] == ["1.50", "0.008", "0.004"]


@pytest.mark.parametrize("group_by", ["provider", "model", "day", "none"])
def test_cents_of_the_groups_add_up_to_the_total(call: Caller, group_by: str) -> None:
    report = fits(SPEND, data(call("GET", f"{PATH}?groupBy={group_by}")))
    assert sum(group["amount"]["cents"] for group in report["groups"]) == 151
    assert sum(group["count"] for group in report["groups"]) == report["count"] == 4


def test_days_are_both_included(call: Caller) -> None:
    report = data(call("GET", f"{PATH}?from=2026-02-28&to=2026-03-01&groupBy=day"))
    days = [(group["key"], group["amount"]["amount"]) for group in report["groups"]]
    assert days == [("2026-02-28", "2.00"), ("2026-03-01", "0.008")]
    assert report["periodEnd"] == "2026-03-02T00:00:00.000Z"


def test_nothing_was_spent(call: Caller) -> None:
    report = fits(SPEND, data(call("GET", f"{PATH}?from=2020-01-01&to=2020-01-31")))
    assert report["total"] == {"amount": "0.00", "cents": 0, "currency": "USD"}
    assert (report["count"], report["groups"]) == (0, [])


def test_a_file_has_a_line_for_each_group(call: Caller, actor: Actor) -> None:
    use = Usage("=1+1", "-p", cost=Money.parse("9"), effective_at=parse_time("2026-03-09T00:00Z"))
    operations.record_usage(actor, str(actor.account_id), use)
    report = data(call("GET", PATH))
    response, lines = table(call, "spend")
    assert response.headers["Content-Disposition"] == 'attachment; filename="spend-by-model.csv"'
    assert [one["key"] for one in lines] == ["'=1+1", "large", "gpt-4o", "o3"]
    assert [
        (one["amount.amount"], int(one["amount.cents"]), int(one["count"])) for one in lines
    ] == [
        (one["amount"]["amount"], one["amount"]["cents"], one["count"]) for one in report["groups"]
    ]
    about = {
        "periodStart": "2026-03-01T00:00:00Z", "periodEnd": "2026-04-01T00:00:00Z", "zone": "UTC",
        "source": "metered", "asOf": "2026-03-09T14:32:00Z", "coverage": report["coverage"]["text"],
    }  # fmt: skip
    assert all(about.items() <= one.items() for one in lines)
    assert table(call, "spend?from=2020-01-01&to=2020-01-31&groupBy=day")[1] == []
