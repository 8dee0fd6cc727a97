"""Random histories against a tiny model of the rules: same answers, same balances, healthy books.

The model shares no code with the product: it keeps lists and adds them up again at every question.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from billing_plugin import Actor, Billing, Money, errors, operations
from billing_plugin.operations import Submission, Usage
from tests.books import complaints, everything
from tests.factories import Clock, account_with

STEPS = 120
WINDOWS = ("total", "daily", "weekly", "monthly")


@dataclass
class Model:
    """One account: what moved it, what was used when, which limits are in force."""

    now: datetime
    movements: list[int] = field(default_factory=list)
    used: list[tuple[datetime, int]] = field(default_factory=list)
    limits: dict[str, int] = field(default_factory=dict)
    keys: dict[tuple[str, str], Any] = field(default_factory=dict)

    def balance(self) -> int:
        return sum(self.movements)

    def spent(self, window: str, at: datetime) -> int:
        return sum(cost for when, cost in self.used if place(window, when) == place(window, at))

    def charge(self, cost: int, at: datetime | None, key: str | None) -> str:
        when, content = at or self.now, (cost, at)
        if key and ("usage", key) in self.keys:
            return "replayed" if self.keys["usage", key] == content else "idempotency_conflict"
        over = any(self.spent(name, when) + cost > most for name, most in self.limits.items())
        if cost and over:
            return "limit_exceeded"
        if cost > max(self.balance(), 0):
            return "insufficient_funds"
        self.movements.append(-cost)
        self.used.append((when, cost))
        self.keys |= {("usage", key): content} if key else {}
        return "ok"

    def adjust(self, amount: int, key: str | None) -> str:
        if key and ("adjust", key) in self.keys:
            return "replayed" if self.keys["adjust", key] == amount else "idempotency_conflict"
        if amount == 0:
            return "invalid_request"
        if self.balance() + amount < 0:
            return "insufficient_funds"
        self.movements.append(amount)
        self.keys |= {("adjust", key): amount} if key else {}
        return "ok"


def place(window: str, at: datetime) -> tuple[int, ...]:
    """Where an instant lies, in UTC: two instants share a window when they share a place."""
    forms = {
        "total": (),
        "daily": (at.year, at.month, at.day),
        "weekly": tuple(at.isocalendar()[:2]),
        "monthly": (at.year, at.month),
    }
    return forms[window]


class History:
    """The same random steps, done to the product and to the model."""

    def __init__(self, billing: Billing, clock: Clock, seed: int) -> None:
        self.chance, self.billing, self.clock = random.Random(seed), billing, clock
        self.actor: Actor = account_with(billing)
        self.account_id = str(self.actor.account_id)
        self.model = Model(clock.at)

    def step(self) -> None:
        steps = [self.charge, self.charge, self.batch, self.adjust, self.limit, self.wait]
        self.chance.choice(steps)()

    def charge(self) -> None:
        cost, at, key = self.a_use()
        used = Usage("m", cost=Money(cost), effective_at=at)
        expected = self.model.charge(cost, at, key)
        before = everything(self.billing)
        assert self.answer(operations.record_usage, used, idempotency_key=key) == expected
        assert (everything(self.billing) == before) == (expected != "ok")

    def batch(self) -> None:
        uses = [(cost, at, None) for cost, at, _ in (self.a_use() for _ in range(5))]
        expected = [self.model.charge(*use) for use in uses]
        wishes = [Submission(Usage("m", cost=Money(c), effective_at=at)) for c, at, _ in uses]
        outcomes = operations.record_usage_batch(self.actor, self.account_id, wishes)
        found = [outcome.error.code if outcome.error else "ok" for outcome in outcomes]
        assert found == expected

    def adjust(self) -> None:
        amount, key = self.chance.randint(-2000, 6000), self.a_key()
        expected = self.model.adjust(amount, key)
        before = everything(self.billing)
        who = self.billing.operator()
        said = self.answer(operations.adjust, Money(amount), who=who, idempotency_key=key)
        changed = everything(self.billing) != before
        assert (said, changed) == ("ok" if expected == "replayed" else expected, expected == "ok")

    def limit(self) -> None:
        window = self.chance.choice(WINDOWS)
        states = operations.list_limits(self.actor, self.account_id)
        mine = [state for state in states if state.limit.window_name == window]
        if mine and self.chance.random() < 0.5:
            operations.remove_limit(self.actor, self.account_id, mine[0].limit.id)
            del self.model.limits[window]
            return
        self.model.limits[window] = self.chance.randint(0, 9000)
        amount = Money(self.model.limits[window])
        operations.set_limit(self.actor, self.account_id, amount, window=window)

    def wait(self) -> None:
        self.clock.at += timedelta(minutes=self.chance.choice([1, 500, 1500, 9000, 50_000]))
        self.model.now = self.clock.at

    def check(self) -> None:
        assert complaints(self.billing) == []
        balance = operations.check_balance(self.actor, self.account_id)
        assert balance.posted.nanos == balance.available.nanos == self.model.balance() >= 0
        states = operations.list_limits(self.actor, self.account_id)
        assert {state.limit.window_name: state.spent.nanos for state in states} == {
            window: self.model.spent(window, self.model.now) for window in self.model.limits
        }

    def a_use(self) -> tuple[int, datetime | None, str | None]:
        cost = self.chance.choice([0, 1, self.chance.randint(1, 900), self.chance.randint(1, 4000)])
        back = timedelta(minutes=self.chance.choice([0, 0, 5, 2000, 40_000]))
        at = self.clock.at - back if self.chance.random() < 0.5 else None
        return cost, at, self.a_key()

    def a_key(self) -> str | None:
        return f"key {self.chance.randint(1, 12)}" if self.chance.random() < 0.3 else None

    def answer(self, ask: Any, value: Any, *, who: Actor | None = None, **said: Any) -> str:
        try:
            done = ask(who or self.actor, self.account_id, value, **said)
        except errors.BillingError as refusal:
            return refusal.code
        return "replayed" if getattr(done, "replayed", False) else "ok"


@pytest.mark.parametrize("seed", range(6))
def test_a_random_history_goes_as_the_model_says(billing: Billing, clock: Clock, seed: int) -> None:
    history = History(billing, clock, seed)
    clock.at = datetime(2026, 2, 27, tzinfo=UTC)
    history.wait()
    for _ in range(STEPS):
        history.step()
        history.check()
    assert len(history.model.movements) > STEPS / 4


def test_the_model_refuses_and_accepts() -> None:
    """The model is checked too: it must be able to say every answer."""
    model = Model(datetime(2026, 3, 9, tzinfo=UTC))
    assert model.adjust(10, "k") == "ok"
    assert (model.adjust(10, "k"), model.adjust(9, "k")) == ("replayed", "idempotency_conflict")
    model.limits["daily"] = 6
    assert [model.charge(4, None, None) for _ in range(2)] == ["ok", "limit_exceeded"]
    assert model.charge(7, model.now - timedelta(days=1), None) == "limit_exceeded"
    del model.limits["daily"]
    assert (model.charge(7, None, None), model.balance()) == ("insufficient_funds", 6)
