"""Ceilings: what fits under several limits at once, of windows that stand and that slide."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from billing_plugin import Actor, Billing, Money, operations
from billing_plugin.errors import LimitExceeded
from billing_plugin.models import counters, limits
from billing_plugin.models.ceilings import Ceilings
from billing_plugin.models.limits import Cell, Rule, plan_with
from billing_plugin.models.usage import Dims
from billing_plugin.periods import BEGINNING, SLOTS
from tests.books import complaints, counts
from tests.deeds import limit
from tests.factories import START, Clock, account_with

USE = Dims("key_1", None, "openai", "gpt-4o", {})
SECOND = timedelta(seconds=1)


def rule_of(actor: Actor, nanos: int, **said: Any) -> Rule:
    plan = plan_with(**{"filters": {}, "partitions": (), "window": "daily"} | said)
    return limits.rule_of(limits.put(str(actor.account_id), Money(nanos), plan, at=START))


def ceilings(actor: Actor, *rules: Rule, at: datetime = START) -> Ceilings:
    return Ceilings(str(actor.account_id), list(rules), at)


def test_exactly_the_amount_fits(billing: Billing, actor: Actor) -> None:
    with billing.instance.active():
        over = ceilings(actor, rule_of(actor, 10))
        assert over.refusal(USE, 10, START) is None
        over.spend(USE, 7, START)
        over.hold(USE, 2, START)
        assert over.refusal(USE, 1, START) is None
        refusal = over.refusal(USE, 2, START)
        assert over.refusal(USE, 0, START) is None
    assert refusal is not None
    assert {name: refusal.extra[name] for name in ("amount", "spent", "held", "requested")} == {
        "amount": "0.00000001", "spent": "0.000000007", "held": "0.000000002",
        "requested": "0.000000002",
    }  # fmt: skip


def test_held_money_that_is_given_back_fits_again(billing: Billing, actor: Actor) -> None:
    with billing.instance.active():
        over = ceilings(actor, rule_of(actor, 10))
        over.hold(USE, 10, START)
        assert over.refusal(USE, 1, START) is not None
        over.hold(USE, -10, START)
        assert over.refusal(USE, 10, START) is None


def test_the_oldest_limit_that_refuses_is_named(billing: Billing, actor: Actor) -> None:
    with billing.instance.active():
        rules = [rule_of(actor, amount, name=str(amount)) for amount in (9, 5, 1)]
        refusal = ceilings(actor, *rules).refusal(USE, 6, START)
    assert refusal is not None
    assert refusal.extra["limit_name"] == "5"


@pytest.mark.parametrize("action", ["soft", "shadow"])
def test_only_hard_limits_refuse(billing: Billing, actor: Actor, action: str) -> None:
    with billing.instance.active():
        assert ceilings(actor, rule_of(actor, 0, action=action)).refusal(USE, 9, START) is None


def test_what_is_stored_is_found_again_and_nothing_else_is_stored(
    billing: Billing, actor: Actor
) -> None:
    with billing.instance.active():
        rules = [rule_of(actor, 10), rule_of(actor, 10, filters={"model": ["other"]})]
        over = ceilings(actor, *rules)
        assert over.refusal(USE, 1, START - timedelta(days=3)) is None
        over.spend(USE, 4, START)
        over.hold(USE, 3, START)
        over.store()
        again = ceilings(actor, *rules)
        found = again.used(Cell(rules[0], ""), START)
    assert (found.spent_nanos, found.held_nanos) == (4, 3)
    assert counts(billing)["limit_counter"] == 1


def notices(actor: Actor, rule: Rule) -> list[tuple[str, int, int]]:
    return [
        (one["kind"], one["times"], one["requested_nanos"]) for one in counters.notices(rule.id)
    ]


def test_a_soft_limit_notes_once_that_it_was_reached(billing: Billing, actor: Actor) -> None:
    with billing.instance.active():
        rule = rule_of(actor, 10, action="soft")
        over = ceilings(actor, rule)
        for nanos in (9, 1, 5):
            over.spend(USE, nanos, START)
        over.store()
        assert notices(actor, rule) == [("reached", 1, 1)]


def test_a_soft_limit_notes_what_was_spent_whatever_is_held(billing: Billing, actor: Actor) -> None:
    with billing.instance.active():
        rule = rule_of(actor, 10, action="soft")
        over = ceilings(actor, rule)
        over.hold(USE, 12, START)
        over.spend(USE, 10, START)
        over.store()
        assert notices(actor, rule) == [("reached", 1, 10)]


def test_a_soft_limit_of_zero_notes_the_first_cost(billing: Billing, actor: Actor) -> None:
    with billing.instance.active():
        rule = rule_of(actor, 0, action="soft")
        over = ceilings(actor, rule)
        for nanos in (0, 3, 4):
            over.spend(USE, nanos, START)
        over.store()
        assert notices(actor, rule) == [("reached", 1, 3)]


def test_a_shadow_limit_notes_what_it_would_have_refused(billing: Billing, actor: Actor) -> None:
    with billing.instance.active():
        rule = rule_of(actor, 10, action="shadow")
        over = ceilings(actor, rule)
        over.spend(USE, 10, START)
        over.spend(USE, 3, START)
        over.hold(USE, 2, START)
        over.hold(USE, -2, START)
        over.spend(USE, 2, START, was_held=True)
        over.store()
        assert notices(actor, rule) == [("would_refuse", 2, 5)]


def test_a_raise_counts_as_of_the_moment_of_deciding(billing: Billing, actor: Actor) -> None:
    with billing.instance.active():
        rule = rule_of(actor, 10)
        rule.raise_nanos, rule.raise_until = 5, START + SECOND
        assert ceilings(actor, rule).refusal(USE, 15, START) is None
        late = ceilings(actor, rule, at=START + SECOND)
        refusal = late.refusal(USE, 15, START)
    assert refusal is not None
    assert refusal.extra["amount"] == "0.00000001"


def test_the_largest_raise_of_the_largest_limit_is_no_overflow(
    billing: Billing, actor: Actor
) -> None:
    with billing.instance.active():
        rule = rule_of(actor, 2**63 - 1)
        rule.raise_nanos, rule.raise_until = 2**63 - 1, START + SECOND
        over = ceilings(actor, rule)
        over.spend(USE, 2**63 - 1, START)
        refusal = over.refusal(USE, 1, START)
    assert refusal is not None
    assert refusal.extra["amount"] == Money(2**63 - 1).text


@pytest.mark.parametrize(
    ("window", "resets"),
    [
        ("total", None),
        ("daily", datetime(2026, 3, 10, tzinfo=START.tzinfo)),
        (600, START + timedelta(minutes=8)),
    ],
)
def test_a_refusal_says_when_a_window_that_stands_begins_anew(
    billing: Billing, actor: Actor, window: str | int, resets: datetime | None
) -> None:
    with billing.instance.active():
        refusal = ceilings(actor, rule_of(actor, 1, window=window)).refusal(USE, 2, START)
    assert refusal is not None
    assert refusal.extra["resets_at"] == resets
    assert ("600 s" in refusal.message) == (window == 600)


def test_a_refusal_says_when_enough_has_slid_out(billing: Billing, actor: Actor) -> None:
    with billing.instance.active():
        over = ceilings(actor, rule_of(actor, 10, window=64, technique="sliding"))
        over.spend(USE, 6, START - 50 * SECOND)
        over.spend(USE, 4, START - 20 * SECOND)
        some, much, never = (over.refusal(USE, nanos, START) for nanos in (6, 7, 11))
    assert some is not None
    assert much is not None
    assert never is not None
    assert some.extra["resets_at"] == START + 14 * SECOND
    assert much.extra["resets_at"] == START + 44 * SECOND
    assert never.extra["resets_at"] is None


def test_a_refusal_of_a_late_use_says_what_fills_the_window(billing: Billing, actor: Actor) -> None:
    """The fullest of the windows that hold the instant, not the one that ends there."""
    with billing.instance.active():
        over = ceilings(actor, rule_of(actor, 10, window=64, technique="sliding"))
        over.spend(USE, 8, START - 5 * SECOND)
        over.hold(USE, 1, START - 4 * SECOND)
        refusal = over.refusal(USE, 2, START - 30 * SECOND)
    assert refusal is not None
    assert (refusal.extra["spent"], refusal.extra["held"]) == ("0.000000008", "0.000000001")


def test_a_long_window_reaches_back_before_time(billing: Billing, actor: Actor) -> None:
    with billing.instance.active():
        rule = rule_of(actor, 10, window=100 * 366 * 86_400, technique="sliding")
        over = ceilings(actor, rule)
        assert over.first_slot(rule, START) == BEGINNING
        over.spend(USE, 8, BEGINNING)
        assert over.refusal(USE, 2, START) is None
        refusal = over.refusal(USE, 3, START)
        assert refusal is not None
        assert refusal.extra["resets_at"] > START
        assert over.used(Cell(rule, ""), START).spent_nanos == 8


@dataclass
class Oracle:
    """Every use with its slot; a window is any SLOTS slots in a row. Shares no code with us."""

    ceiling: int
    length_s: int
    used: list[tuple[int, int]] = field(default_factory=list)

    def take(self, nanos: int, at: datetime) -> bool:
        """Counts the use if it fits into every window that holds its instant."""
        micros = (at - BEGINNING) // timedelta(microseconds=1)
        mine = micros // (self.length_s * 1_000_000 // SLOTS)
        fits = all(self.within(mine - back) + nanos <= self.ceiling for back in range(SLOTS))
        if fits or nanos == 0:
            self.used.append((mine, nanos))
        return fits or nanos == 0

    def within(self, first: int) -> int:
        return sum(nanos for slot, nanos in self.used if first <= slot < first + SLOTS)


# how much, how late (or early, as far as clocks may differ), and how long to wait before it
STEPS = st.lists(
    st.tuples(
        st.integers(0, 7),
        st.integers(-300, 0) | st.integers(0, 1500),
        st.integers(0, 400),
    ),
    min_size=1,
    max_size=20,
)


@pytest.mark.parametrize("length_s", [1, 64, 1000])
def test_no_window_that_slides_ever_holds_more_than_its_ceiling(
    billing: Billing, clock: Clock, length_s: int
) -> None:
    """Late uses and early ones too: each is decided as the oracle decides it."""

    @settings(deadline=None, max_examples=30, database=None)
    @given(STEPS)
    def run(steps: list[tuple[int, int, int]]) -> None:
        clock.at = START
        actor, oracle = account_with(billing, "1"), Oracle(10, length_s)
        limit(actor, "0.00000001", length_s, technique="sliding")
        for nanos, late_s, wait_s in steps:
            clock.forward(seconds=wait_s)
            at = clock.at - timedelta(seconds=late_s)
            assert taken(actor, nanos, at) == oracle.take(nanos, at)
        assert all(oracle.within(slot - 63 + n) <= 10 for slot, _ in oracle.used for n in (0, 63))

    run()
    assert complaints(billing) == []


def taken(actor: Actor, nanos: int, at: datetime) -> bool:
    try:
        operations.charge(actor, str(actor.account_id), Money(nanos), effective_at=at)
    except LimitExceeded:
        return False
    return True
