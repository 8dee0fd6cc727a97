"""Reports of spend: groups that add up, over half-open periods."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from billing_plugin import Actor, Billing, Money, errors, operations
from billing_plugin.operations import Usage
from billing_plugin.operations.reports import SpendReport
from billing_plugin.periods import Period
from tests.factories import START, account_with, billing_on

MARCH = datetime(2026, 3, 1, tzinfo=UTC)
SPENT = [
    ("openai", "gpt-4o", "0.000000001", MARCH),
    ("openai", "gpt-4o", "1.5", START),
    ("openai", "mini", "0.25", START - timedelta(days=2)),
    ("groq", "llama", "2", START - timedelta(days=2)),
    ("groq", "llama", "64", MARCH - timedelta(microseconds=1)),
]

BY_DAY = [(1, "0.000000001", 1), (7, "2.25", 2), (9, "1.50", 1)]


@pytest.fixture
def spender(billing: Billing, actor: Actor) -> Actor:
    """An account that spent in February and March, beside one that spent too."""
    for who in (actor, account_with(billing, "100")):
        for provider, model, units, at in SPENT:
            used = Usage(model, provider, cost=Money.parse(units), effective_at=at)
            operations.record_usage(who, str(who.account_id), used)
    return actor


def report(actor: Actor, period: Period | None = None, by: str = "model") -> SpendReport:
    return operations.report_spend(actor, str(actor.account_id), period, group_by=by)


@pytest.mark.parametrize(
    ("by", "groups"),
    [
        ("model", [("llama", "2.00", 1), ("gpt-4o", "1.500000001", 2), ("mini", "0.25", 1)]),
        ("provider", [("groq", "2.00", 1), ("openai", "1.750000001", 3)]),
        ("day", [(f"2026-03-0{day}", text, number) for day, text, number in BY_DAY]),
        ("none", [("", "3.750000001", 4)]),
    ],
)  # fmt: skip
def test_groups_add_up_to_the_month(
    spender: Actor, by: str, groups: list[tuple[str, str, int]]
) -> None:
    found = report(spender, by=by)
    assert [(group.key, group.amount.text, group.count) for group in found.groups] == groups
    assert (found.total.text, found.count, found.group_by) == ("3.750000001", 4, by)
    assert found.period == Period(MARCH, datetime(2026, 4, 1, tzinfo=UTC))
    assert (found.source, found.zone) == ("metered", "UTC")


def test_a_period_is_half_open(spender: Actor) -> None:
    assert report(spender, Period(MARCH, START)).total.text == "2.250000001"
    assert report(spender, Period(START, START + timedelta(microseconds=1))).count == 1
    assert report(spender, Period(START, START)).groups == []
    assert report(spender, Period(START, START)).total == Money.zero()
    assert report(spender, Period(MARCH, MARCH)).coverage.text == (
        "no connected provider; no metered spend; newest metered 2026-03-09"
    )


def test_a_report_is_of_ones_own_account(billing: Billing, spender: Actor) -> None:
    other = account_with(billing)
    with pytest.raises(errors.NotFound):
        operations.report_spend(spender, str(other.account_id))
    with pytest.raises(errors.NotFound):
        operations.report_spend(billing.operator(), "acct_" + "0" * 32)
    assert report(other).groups == []


@pytest.mark.parametrize("by", ["", "key", "effective_at", "model; DROP TABLE billing_account"])
def test_unknown_groups_are_refused(spender: Actor, by: str) -> None:
    with pytest.raises(errors.InvalidRequest):
        report(spender, by=by)


def test_spend_without_a_known_price_is_counted_and_shown(database_url: str) -> None:
    billing = billing_on(database_url, unpriced="allow")
    owner = account_with(billing, "10")
    account_id = str(owner.account_id)
    operations.record_usage(owner, account_id, Usage("no-such-model-anywhere", input_tokens=5))
    operations.charge(owner, account_id, Money.parse("1"))
    report = operations.report_spend(owner, account_id)
    assert (report.flagged.count, report.flagged.amount) == (1, Money.zero())
    assert (report.count, report.total) == (2, Money.parse("1"))
