"""Counters: stored by window and bucket, counted from the books where nothing is stored."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import peewee
import pytest

from billing_plugin import Actor, Billing, Money
from billing_plugin.models import counters, limits
from billing_plugin.models.counters import Counter
from billing_plugin.models.limits import Cell, Plan, plan_with
from billing_plugin.periods import slot_length
from tests import deeds
from tests.books import counts, run_sql
from tests.deeds import hold, limit, spend
from tests.factories import START, account_with

DAY = timedelta(days=1)
MODELS = ["model"]


def cell(actor: Actor, bucket: str = "", **said: Any) -> Cell:
    plan = plan_with(**{"filters": {}, "partitions": (), "window": "daily"} | said)
    made = limits.put(str(actor.account_id), Money.parse("50"), plan, at=START)
    return Cell(limits.rule_of(made), bucket)


def counted(actor: Actor, found: Cell) -> dict[Any, Any]:
    """Units spent and held in the window of START, by the books."""
    period = found.rule.period(START)
    by_start = counters.count(str(actor.account_id), found, period)
    return {at: (one.spent_nanos // 10**9, one.held_nanos // 10**9) for at, one in by_start.items()}


def test_a_window_without_a_counter_is_counted_from_records_and_open_holds(
    billing: Billing, actor: Actor
) -> None:
    spend(actor, "3"), spend(actor, "4", START - DAY)
    hold(actor, "5")
    deeds.release(actor, hold(actor, "6"))
    with billing.instance.active():
        found = cell(actor)
        period = found.rule.period(START)
        one = counters.load_one(str(actor.account_id), found, period)
        empty = counters.load_one(str(actor.account_id), found, found.rule.period(START + 9 * DAY))
    assert (one.spent_nanos, one.held_nanos, one.used) == (3 * 10**9, 5 * 10**9, 8 * 10**9)
    assert empty == Counter()


def test_only_what_a_limit_is_about_is_counted(billing: Billing, actor: Actor) -> None:
    robot = actor._replace(key_id="key_1", agent="robot")
    other = account_with(billing, "50")
    for who in (actor, robot, other):
        spend(who, "1", model="a"), spend(who, "2", model="b", provider="p")
        hold(who, "3", model="a", metadata={"team": "red", "n": 1.5})
    day = START.replace(hour=0, minute=0)
    with billing.instance.active():
        for said, total in (
            ({}, (6, 6)),
            ({"filters": {"model": ["a"]}}, (2, 6)),
            ({"filters": {"model": ["b"], "key": ["key_1"]}}, (2, 0)),
            ({"filters": {"agent": ["robot"], "provider": ["p", "q"]}}, (2, 0)),
            ({"filters": {"metadata.team": ["red"]}}, (0, 6)),
            ({"filters": {"metadata.n": ["1.5"]}}, (0, 6)),
            ({"partitions": MODELS, "bucket": '["a"]'}, (2, 6)),
            ({"partitions": ["agent"], "bucket": "[null]"}, (3, 3)),
        ):
            assert counted(actor, cell(actor, **said)) == {day: total}, said
        assert counted(actor, cell(actor, partitions=MODELS, bucket='["c"]')) == {}


def test_a_period_without_records_counts_as_nothing(billing: Billing, actor: Actor) -> None:
    with billing.instance.active():
        assert counted(actor, cell(actor)) == {}


def test_slots_that_nobody_stored_are_counted_and_marked(billing: Billing, actor: Actor) -> None:
    spend(actor, "3"), spend(actor, "4", START - timedelta(hours=2))
    with billing.instance.active():
        found = cell(actor, technique="sliding")
        length = slot_length(found.rule.length_s)
        newest = found.rule.period(START).start
        starts = [newest - n * length for n in range(63, -1, -1)]
        slots = counters.load_slots(str(actor.account_id), found, starts)
    assert list(slots) == starts
    assert sum(one.spent_nanos for one in slots.values()) == 7 * 10**9
    assert slots[newest].spent_nanos == 3 * 10**9
    assert all(one.changed for one in slots.values())


def test_slots_that_are_stored_are_read(billing: Billing, actor: Actor) -> None:
    state = limit(actor, "50", 64, technique="sliding")
    spend(actor, "3")
    run_sql(billing, "UPDATE billing_limit_counter SET spent_nanos = 5 WHERE spent_nanos > 0")
    with billing.instance.active():
        found = Cell(limits.rule_of(state.limit), "")
        start = found.rule.period(START).start
        slots = counters.load_slots(str(actor.account_id), found, [start])
        assert slots == {start: Counter(5, 0)}
        assert len(counters.stored_windows(state.limit.id)) >= 64


def test_buckets_are_those_that_counted_in_the_period(billing: Billing, actor: Actor) -> None:
    state = limit(actor, "50", "daily", partitions=MODELS)
    spend(actor, "1", model="b"), spend(actor, "1", model="a"), spend(actor, "1", START - DAY)
    day = START.replace(hour=0, minute=0)
    with billing.instance.active():
        assert counters.buckets(state.limit.id, day, day + DAY) == ['["a"]', '["b"]']
    assert counters.values_of('["a",null]') == ["a", None]
    assert counters.values_of("") == []


def test_a_stored_counter_goes_round(billing: Billing, actor: Actor) -> None:
    state = limit(actor, "50", "daily")
    spend(actor, "1"), hold(actor, "2")
    day = START.replace(hour=0, minute=0)
    with billing.instance.active():
        assert counters.stored_windows(state.limit.id) == [("", day, 10**9, 2 * 10**9)]


def test_notices_are_listed_newest_first(billing: Billing, actor: Actor) -> None:
    state = limit(actor, "1", "daily", action="shadow", partitions=MODELS)
    for units, model in (("2", "a"), ("3", "a"), ("5", "b"), ("0.5", "c")):
        spend(actor, units, model=model)
    with billing.instance.active():
        found = counters.notices(state.limit.id)
    assert [(one["bucket"], one["times"], one["requested_nanos"]) for one in found] == [
        ('["a"]', 2, 5 * 10**9), ('["b"]', 1, 5 * 10**9),
    ]  # fmt: skip
    assert {one["kind"] for one in found} == {"would_refuse"}
    assert {one["first_at"] for one in found} == {one["last_at"] for one in found} == {START}


@pytest.mark.parametrize("column", ["spent_nanos", "held_nanos"])
def test_the_table_itself_refuses_negative_counters(
    billing: Billing, actor: Actor, column: str
) -> None:
    limit(actor, "5")
    spend(actor, "1")
    with pytest.raises(peewee.IntegrityError):
        run_sql(billing, f"UPDATE billing_limit_counter SET {column} = -1")


def test_a_removed_limit_has_no_counters(billing: Billing, actor: Actor) -> None:
    limit(actor, "5")
    spend(actor, "1")
    assert counts(billing)["limit_counter"] == 1
    with billing.instance.active():
        [found] = limits.active(str(actor.account_id))
        limits.replan(found, Plan(window="weekly"), START)
    assert "limit_counter" not in counts(billing)
