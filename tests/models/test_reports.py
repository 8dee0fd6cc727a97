"""The read model of spend."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from billing_plugin import Actor, Billing, Money, operations
from billing_plugin.models import reports
from billing_plugin.models.reports import SpendGroup
from billing_plugin.operations import Usage
from billing_plugin.periods import Period
from tests.factories import START

MIDNIGHT = datetime(2026, 3, 8, tzinfo=UTC)
ALL = Period(START - timedelta(days=30), START + timedelta(days=1))


def test_days_are_those_of_utc_and_ties_have_an_order(billing: Billing, actor: Actor) -> None:
    account_id = str(actor.account_id)
    for model, at in (("b", MIDNIGHT - timedelta(microseconds=1)), ("a", MIDNIGHT)):
        used = Usage(model, "p", cost=Money(5), effective_at=at)
        operations.record_usage(actor, account_id, used)
    with billing.instance.active():
        by_day = reports.spend(account_id, ALL, group_by="day", currency="USD")
        by_model = reports.spend(account_id, ALL, group_by="model", currency="USD")
        assert reports.spend(account_id, ALL, group_by="none", currency="EUR") == []
        assert reports.spend("acct_x", ALL, group_by="none", currency="USD") == []
    assert by_day == [SpendGroup("2026-03-07", Money(5), 1), SpendGroup("2026-03-08", Money(5), 1)]
    assert [group.key for group in by_model] == ["a", "b"]


def test_sums_are_exact_beyond_what_a_float_holds(billing: Billing, actor: Actor) -> None:
    account_id = str(actor.account_id)
    operations.adjust(billing.operator(), account_id, Money(2**62))
    for nanos in (2**60 + 1, 2**60 + 2):
        operations.record_usage(actor, account_id, Usage("m", cost=Money(nanos)))
    with billing.instance.active():
        [group] = reports.spend(account_id, ALL, group_by="provider", currency="USD")
    assert group.amount.nanos == 2**61 + 3
