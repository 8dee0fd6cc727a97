"""Random histories of an account that tops itself up: never beyond its caps, never two at once, and
never none where one is due and the sweeper has run.

What must be is worked out here from the rows of top-ups alone, day by day.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import timedelta
from typing import Any

import pytest

from billing_plugin import Actor, Billing, Money, errors, operations
from billing_plugin.models import auto_topups
from billing_plugin.models.ledger import Book
from billing_plugin.models.topups import OPEN, TopUp
from billing_plugin.operations import AutoTopUpState, Caps
from billing_plugin.processors import fake
from tests.books import complaints
from tests.factories import START, Clock, account_with, billing_on
from worker.schedule import tick

STEPS = 60
COUNTS, SUMS = (3, 7), (Money.parse("70"), Money.parse("150"))  # of a day, of a month
CAPS = Caps(COUNTS[0], SUMS[0], COUNTS[1], SUMS[1])
METHODS = (
    *("default", "default", "default", "fake_declined", "fake_lost_answer", "fake_slow"),
    *("fake_slow_declined", "fake_never_arrived", "fake_3ds", "fake_wrong_amount"),
    *("fake_disputed", "fake_refunded"),
)
NOT_DUE = ("disabled", "nobody's", "enough", "under way", "waiting", "capped")


class History:
    """An account, and whatever may happen to it."""

    def __init__(self, billing: Billing, clock: Clock, seed: int) -> None:
        self.billing, self.clock, self.chance = billing, clock, random.Random(seed)
        self.actor: Actor = account_with(billing, "50")
        self.mine = str(self.actor.account_id)
        operations.set_postpaid_limit(billing.operator(), self.mine, Money.parse("500"))
        self.enqueue: Any = billing.instance.enqueue
        self.set_rule()

    def spends(self) -> None:
        operations.charge(self.actor, self.mine, self._some(40))

    def holds(self) -> None:
        operations.hold(self.actor, self.mine, self._some(40), expires_in_s=600)

    def captures(self) -> None:
        for held in operations.list_holds(self.actor, self.mine, status="open", limit=1):
            operations.capture(self.actor, self.mine, held.id, taken=self._some(1))

    def set_rule(self) -> None:
        operations.set_auto_topup(
            self.actor, self.mine, Money.parse(self.chance.choice(["5", "10", "30"])),
            threshold=self._some(30), payment_method=self.chance.choice(METHODS), caps=CAPS,
            enabled=self.chance.random() < 0.9,
        )  # fmt: skip

    def removes_rule(self) -> None:
        operations.remove_auto_topup(self.actor, self.mine)

    def buys(self) -> None:
        operations.top_up(self.actor, self.mine, Money.parse("20"))

    def loses_jobs(self) -> None:
        self.billing.instance.enqueue = lambda *_: None

    def finds_jobs(self) -> None:
        self.billing.instance.enqueue = self.enqueue

    def waits(self) -> None:
        self.clock.forward(minutes=self.chance.choice([1, 2, 10, 90, 700, 3000]))

    def hurries(self) -> None:
        """What was slow has come to its end, and is so no more."""
        fake.WAITS_S = 0

    def sweeps(self) -> None:
        tick(self.billing)

    def acts(self) -> None:
        """One thing, refused or not."""
        things: list[Callable[[], None]] = [
            *[self.spends] * 6, *[self.holds] * 2, self.captures, self.set_rule, self.buys,
            self.loses_jobs, *[self.finds_jobs] * 2, *[self.waits] * 4, *[self.sweeps] * 3,
        ]  # fmt: skip
        if self.chance.random() < 0.1:
            things += [self.removes_rule, self.hurries]
        with suppress(errors.BillingError):
            self.chance.choice(things)()

    def topups(self) -> list[TopUp]:
        """All that it bought by itself."""
        found = operations.list_topups(self.actor, self.mine, limit=100)
        assert len(found) < 100
        return [one for one in found if one.automatic]

    def state(self) -> AutoTopUpState | None:
        return operations.get_auto_topup(self.actor, self.mine)

    def why_not(self) -> str:
        """Why nothing is due now; "" where something is."""
        state, topups, at = self.state(), self.topups(), self.clock()
        if state is None or not state.rule.enabled:
            return "disabled" if state else "nobody's"
        rule = state.rule
        if operations.check_balance(self.actor, self.mine).available >= rule.threshold:
            return "enough"
        if any(one.status in OPEN for one in topups):
            return "under way"
        if rule.not_before and at < rule.not_before:
            return "waiting"
        return "capped" if _capped(topups, at, rule.amount) else ""

    def _some(self, units: int) -> Money:
        return Money.from_cents(self.chance.randint(1, units * 100))


def _spans(topups: list[TopUp], at: Any) -> list[list[TopUp]]:
    """Those of the instant's day, and of its month."""
    return [
        [one for one in topups if one.created_at.date() == at.date()],
        [one for one in topups if one.created_at.strftime("%Y-%m") == at.strftime("%Y-%m")],
    ]


def _sum(topups: list[TopUp]) -> int:
    return sum(int(one.amount_nanos) for one in topups)


def _capped(topups: list[TopUp], at: Any, amount: Money) -> bool:
    return any(
        len(found) >= count or _sum(found) + amount.nanos > most.nanos
        for found, count, most in zip(_spans(topups, at), COUNTS, SUMS, strict=True)
    )


def _wrong(topups: list[TopUp]) -> list[str]:
    """Every cap that was broken, on whatever day, and what was under way together."""
    wrong = ["two under way"] if sum(one.status in OPEN for one in topups) > 1 else []
    for at in {one.created_at for one in topups}:
        for found, count, most in zip(_spans(topups, at), COUNTS, SUMS, strict=True):
            if len(found) > count or _sum(found) > most.nanos:
                wrong.append(f"{len(found)} of {_sum(found)} by {at}")
    return wrong


@pytest.fixture
def system(database_url: str, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> Iterator[Billing]:
    monkeypatch.setattr(fake, "WAITS_S", 10_000)
    billing = billing_on(database_url, clock=clock)
    yield billing
    assert complaints(billing) == []


@pytest.mark.parametrize("seed", range(12))
def test_a_random_history(system: Billing, clock: Clock, seed: int) -> None:
    _plays(History(system, clock, seed))


# How the product may be broken, and a history that shows it.
BROKEN: dict[str, tuple[Any, str, Any, int]] = {
    "two at once": (auto_topups, "in_flight", lambda _: None, 8),
    "no caps": (auto_topups, "bought", lambda *_: auto_topups.Bought(0, 0), 1),
    "no sweeper": (operations, "sweep_auto_topups", lambda _: [], 1),
    "no mark": (Book, "_watch", lambda _: None, 2),
}


@pytest.mark.parametrize("way", BROKEN)
def test_a_broken_product_is_noticed(
    system: Billing, clock: Clock, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    owner, name, instead, seed = BROKEN[way]
    monkeypatch.setattr(owner, name, instead)
    with pytest.raises(AssertionError):
        _plays(History(system, clock, seed))


def _plays(history: History) -> None:
    for step in range(STEPS):
        history.acts()
        assert _wrong(history.topups()) == [], step
    history.finds_jobs()
    history.hurries()
    for _ in range(12):  # the sweeper runs: whatever is due is bought
        tick(history.billing)
        assert history.why_not() in NOT_DUE
        assert _wrong(history.topups()) == []
        history.clock.forward(minutes=history.chance.choice([5, 700]))
    assert history.topups()


def test_the_judge_would_notice() -> None:
    """Whatever is beyond a cap, and two at once."""
    day = [TopUp(status="succeeded", amount_nanos=10**9, created_at=START) for _ in range(4)]
    assert len(_wrong(day)) == 1
    dear = TopUp(status="failed", amount_nanos=71 * 10**9, created_at=START)
    assert len(_wrong([dear])) == 1
    month = [
        TopUp(status="succeeded", amount_nanos=10**9, created_at=START + timedelta(days=number))
        for number in range(8)
    ]
    assert len(_wrong(month)) == 8
    open_ones = [TopUp(status=one, amount_nanos=1, created_at=START) for one in OPEN[:2]]
    assert _wrong(open_ones) == ["two under way"]
    assert _wrong([*day[:3], *month[3:4]]) == []
