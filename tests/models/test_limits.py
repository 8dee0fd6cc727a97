"""Limits and their counters as rows."""

from __future__ import annotations

from datetime import timedelta

import peewee
import pytest

from billing_plugin import Actor, Billing, Money
from billing_plugin.errors import NotFound
from billing_plugin.models import limits
from billing_plugin.models.base import fetch_all
from tests.books import counts, run_sql
from tests.factories import START

DAY = timedelta(days=1)
CENT = Money.from_cents(1)


def put(actor: Actor, cents: int, window: str = "daily", zone: str = "UTC") -> limits.SpendingLimit:
    amount = Money.from_cents(cents)
    return limits.put(str(actor.account_id), amount, window=window, zone=zone, at=START)


def test_one_limit_for_each_window_and_zone(billing: Billing, actor: Actor) -> None:
    with billing.instance.active():
        first = put(actor, 5)
        assert put(actor, 9).id == first.id
        others = [put(actor, 5, "monthly"), put(actor, 5, "daily", "Asia/Tokyo")]
        active = limits.active(str(actor.account_id))
        assert [limit.id for limit in active] == sorted({first.id, *(o.id for o in others)})
        assert limits.get(str(actor.account_id), first.id).amount == Money.from_cents(9)
        limits.remove(first, START)
        with pytest.raises(NotFound):
            limits.get(str(actor.account_id), first.id)
        assert put(actor, 7).id == first.id


def test_counters_are_kept_by_window(billing: Billing, actor: Actor) -> None:
    with billing.instance.active():
        limit = put(actor, 5)
        ceilings = limits.ceilings(str(actor.account_id))
        for number in (0, 1, 0, 1, 1):
            assert ceilings.refusal(CENT, START - number * DAY) is None
            ceilings.spend(CENT, START - number * DAY)
        ceilings.store()
        spent = [
            limits.counter_of(limit, limit.period(START - n * DAY)).spent_nanos for n in range(3)
        ]
        assert spent == [2 * CENT.nanos, 3 * CENT.nanos, 0]
        again = limits.ceilings(str(actor.account_id))
        refusal = again.refusal(Money.from_cents(4), START)
        assert refusal is not None
        assert refusal.extra["spent"] == "0.02"
        again.store()
    assert counts(billing)["limit_counter"] == 2


def test_the_zone_of_the_limit_decides_its_window(billing: Billing, actor: Actor) -> None:
    with billing.instance.active():
        limit = put(actor, 5, "daily", "Asia/Tokyo")
        assert limit.period(START).start.hour == 15


def test_held_money_counts_like_spent(billing: Billing, actor: Actor) -> None:
    with billing.instance.active():
        put(actor, 5)
        ceilings = limits.ceilings(str(actor.account_id))
        ceilings.spend(CENT, START)
        ceilings.store()
        run_sql(billing, "UPDATE billing_limit_counter SET held_nanos = 30000000")
        again = limits.ceilings(str(actor.account_id))
        assert again.refusal(CENT, START) is None
        refusal = again.refusal(Money.from_cents(2), START)
        assert refusal is not None
        assert (refusal.extra["spent"], refusal.extra["held"]) == ("0.01", "0.03")
        again.spend(CENT, START)
        again.store()
        assert fetch_all("SELECT spent_nanos, held_nanos FROM billing_limit_counter") == [
            (2 * CENT.nanos, 3 * CENT.nanos)
        ]


def test_a_counter_without_usage_is_drift(billing: Billing, actor: Actor) -> None:
    with billing.instance.active():
        limit = put(actor, 5)
        ceilings = limits.ceilings(str(actor.account_id))
        ceilings.spend(CENT, START)
        ceilings.store()
        [sentence] = limits.drifted_counters()
    assert limit.id in sentence
    assert "10000000" in sentence


@pytest.mark.parametrize("column", ["spent_nanos", "held_nanos"])
def test_the_table_itself_refuses_negative_counters(
    billing: Billing, actor: Actor, column: str
) -> None:
    with billing.instance.active():
        put(actor, 5)
        ceilings = limits.ceilings(str(actor.account_id))
        ceilings.spend(CENT, START)
        ceilings.store()
    with pytest.raises(peewee.IntegrityError):
        run_sql(billing, f"UPDATE billing_limit_counter SET {column} = -1")
