"""Credits against a model that draws at every charge, and the rules one by one."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from billing_plugin import Actor, Billing, Money, errors, operations
from billing_plugin.models.holds import Hold
from tests.books import complaints, everything
from tests.deeds import (
    adjust,
    balance,
    capture,
    credits_left,
    entries,
    give,
    hold,
    left,
    refused,
    release,
    spend,
)
from tests.factories import START, Clock, account_with

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
APRIL, MAY = datetime(2026, 4, 1, tzinfo=UTC), datetime(2026, 5, 1, tzinfo=UTC)


def postpaid(billing: Billing, actor: Actor, units: str) -> Any:
    mine, amount = str(actor.account_id), Money.parse(units)
    return operations.set_postpaid_limit(billing.operator(), mine, amount)


def test_what_is_given_is_used_before_what_was_paid(billing: Billing) -> None:
    actor = account_with(billing)
    adjust(billing, actor, "5", kind="adjustment")
    adjust(billing, actor, "4"), give(billing, actor, "3")
    give(billing, actor, "2", kind="support", priority=0)
    for units, rest in (
        ("1", [("support", "1.00"), ("promotion", "3.00"), ("support", "4.00"), ("paid", "5.00")]),
        ("3", [("promotion", "1.00"), ("support", "4.00"), ("paid", "5.00")]),
        ("7", [("paid", "3.00")]),
        ("2", [("paid", "1.00")]),
        ("1", []),
    ):
        spend(actor, units)
        assert left(billing, actor) == rest
    assert complaints(billing) == []


def test_what_is_left_of_a_credit_expires_by_an_entry(
    billing: Billing, actor: Actor, clock: Clock
) -> None:
    given = give(billing, actor, "5", expires_at=START + HOUR, reason="trial")
    assert (given.kind, given.metadata) == ("promotion", {"reason": "trial"})
    spend(actor, "2")
    clock.at = START + HOUR - timedelta(microseconds=1)
    assert balance(actor)[0] == "103.00"
    clock.forward(microseconds=1)
    assert balance(actor)[0] == "100.00"
    assert entries(actor)[:3] == [("expiry", "-3.00"), ("usage", "-2.00"), ("promotion", "5.00")]
    assert complaints(billing) == []


def test_postpaid_comes_after_prepaid_and_is_due_at_the_months_end(
    billing: Billing, clock: Clock
) -> None:
    actor = account_with(billing, "5")
    found = postpaid(billing, actor, "10")
    assert (found.postpaid.text, found.cycle_ends_at) == ("10.00", APRIL)
    spend(actor, "12")
    assert balance(actor) == ("-7.00", "0.00", "3.00")
    assert operations.list_credits(actor, str(actor.account_id)).owed.text == "7.00"
    assert refused(spend, actor, "3.01").extra["postpaid"] == "10.00"
    adjust(billing, actor, "2")
    clock.at = APRIL
    assert balance(actor) == ("0.00", "0.00", "10.00")
    assert entries(actor)[0] == ("postpaid", "5.00")
    assert operations.list_credits(actor, str(actor.account_id)).cycle_ends_at == MAY
    assert complaints(billing) == []


def test_who_sets_a_postpaid_limit_needs_no_other_scope(billing: Billing, actor: Actor) -> None:
    account = str(actor.account_id)
    clerk = billing.actor(scopes=frozenset({"accounts:write"}))
    found = operations.set_postpaid_limit(clerk, account, Money.parse("10"))
    assert found.postpaid.text == "10.00"


def test_a_postpaid_limit_that_is_lowered_refuses_from_then_on(
    billing: Billing, clock: Clock
) -> None:
    actor = account_with(billing)
    postpaid(billing, actor, "10")
    spend(actor, "7")
    assert postpaid(billing, actor, "5").owed.text == "7.00"
    assert balance(actor) == ("-7.00", "0.00", "0.00")
    assert refused(spend, actor, "0.01").code == "insufficient_funds"
    assert postpaid(billing, actor, "8").cycle_ends_at == APRIL
    spend(actor, "1")
    postpaid(billing, actor, "0")
    clock.at = APRIL
    assert balance(actor) == ("0.00", "0.00", "0.00")
    assert operations.list_credits(actor, str(actor.account_id)).cycle_ends_at is None
    assert complaints(billing) == []


def test_the_same_key_gives_once_even_after_it_expired(
    billing: Billing, actor: Actor, clock: Clock
) -> None:
    first = give(billing, actor, "5", expires_at=START + HOUR, idempotency_key="k")
    elsewhere = (START + HOUR).astimezone(timezone(timedelta(hours=5)))
    assert give(billing, actor, "5", expires_at=elsewhere, idempotency_key="k").id == first.id
    clock.forward(hours=2)
    again = give(billing, actor, "5", expires_at=START + HOUR, idempotency_key="k")
    assert again.id == first.id
    for other in ({"units": "6"}, {"priority": 3}, {"kind": "support"}, {"expires_at": None}):
        said = {"units": "5", "expires_at": START + HOUR, "idempotency_key": "k"} | other
        assert refused(give, billing, actor, **said).code == "idempotency_conflict"
    assert balance(actor)[0] == "100.00"


@pytest.mark.parametrize(
    "said",
    [
        {"units": "0"}, {"units": "-1"}, {"kind": "paid"}, {"kind": "topup"}, {"priority": -1},
        {"priority": 101}, {"expires_at": START}, {"expires_at": datetime(2027, 1, 1)},
        {"reason": "x" * 501},
    ],
    ids=str,
)  # fmt: skip
def test_credit_that_makes_no_sense_leaves_no_trace(
    billing: Billing, actor: Actor, said: dict[str, Any]
) -> None:
    before = everything(billing)
    assert refused(give, billing, actor, **({"units": "1"} | said)).status == 422
    assert refused(postpaid, billing, actor, "-1").code == "invalid_request"
    mine, euro = str(actor.account_id), Money(1, "EUR")
    for act in (operations.grant_credit, operations.set_postpaid_limit):
        assert refused(act, billing.operator(), mine, euro).code == "currency_mismatch"
        with pytest.raises(errors.Forbidden):
            act(actor, mine, Money(1))
    assert everything(billing) == before


@dataclass
class Credit:
    """One credit of the model."""

    rank: tuple[int, int, int]  # priority, expiry (minutes), age
    rest: int


@dataclass
class Model:
    """Draws from the credits at every single charge; shares no code with the product."""

    minute: int = 0
    posted: int = 0
    postpaid: int = 0
    credits: list[Credit] = field(default_factory=list)
    holds: dict[int, tuple[int, int]] = field(default_factory=dict)  # number: (amount, deadline)

    def held(self) -> int:
        return sum(amount for amount, _ in self.holds.values())

    def pass_time(self, minutes: int) -> None:
        """Ends holds whose time is over; then credit expires as far as it is not held."""
        self.minute += minutes
        self.holds = {n: one for n, one in self.holds.items() if one[1] > self.minute}
        for credit in sorted(self.credits, key=lambda one: one.rank):
            if credit.rank[1] <= self.minute:
                gone = min(credit.rest, max(self.posted - self.held(), 0))
                credit.rest -= gone
                self.posted -= gone

    def give(self, nanos: int, priority: int, expiry: int) -> None:
        owed = max(-self.posted, 0) if not any(one.rest for one in self.credits) else 0
        self.posted += nanos
        rest = max(nanos - owed, 0)
        self.credits.append(Credit((priority, expiry, len(self.credits)), rest))

    def fits(self, nanos: int) -> bool:
        return nanos == 0 or self.posted - self.held() - nanos >= -self.postpaid

    def draw(self, nanos: int) -> None:
        self.posted -= nanos
        for credit in sorted(self.credits, key=lambda one: one.rank):
            taken = min(credit.rest, nanos)
            credit.rest -= taken
            nanos -= taken

    def rests(self) -> list[int]:
        return [one.rest for one in sorted(self.credits, key=lambda one: one.rank) if one.rest]


NEVER = 10**9
PRIORITIES = {"promotion": 10, "support": 20}
AMOUNTS, MINUTES = st.integers(0, 9), st.integers(1, 90)
STEPS = st.one_of(
    st.tuples(st.just("spend"), AMOUNTS),
    st.tuples(st.just("give"), st.integers(1, 9), st.sampled_from(sorted(PRIORITIES)),
              st.none() | MINUTES, st.none() | st.integers(0, 30)),
    st.tuples(st.just("hold"), AMOUNTS, MINUTES),
    st.tuples(st.just("capture"), st.integers(0, 4), AMOUNTS),
    st.tuples(st.just("release"), st.integers(0, 4)),
    st.tuples(st.just("wait"), MINUTES),
    st.tuples(st.just("list")),
)  # fmt: skip


class Play:
    """One history, played to the product and to the model."""

    def __init__(self, billing: Billing, clock: Clock, allowance: int) -> None:
        self.billing, self.clock = billing, clock
        clock.at = START
        self.actor, self.model = account_with(billing), Model(postpaid=allowance)
        postpaid(billing, self.actor, Money(allowance).text)
        self.made: list[Hold] = []

    def spend(self, nanos: int) -> None:
        if self.model.fits(nanos):
            spend(self.actor, Money(nanos).text)
            self.model.draw(nanos)
        else:
            assert refused(spend, self.actor, Money(nanos).text).code == "insufficient_funds"

    def give(self, nanos: int, kind: str, lasts: int | None, priority: int | None) -> None:
        expiry = NEVER if lasts is None else self.model.minute + lasts
        until = None if lasts is None else self.clock.at + timedelta(minutes=lasts)
        give(self.billing, self.actor, Money(nanos).text, kind=kind, expires_at=until,
             priority=priority)  # fmt: skip
        self.model.give(nanos, PRIORITIES[kind] if priority is None else priority, expiry)

    def hold(self, nanos: int, minutes: int) -> None:
        said = {"expires_in_s": minutes * 60}
        if self.model.fits(nanos):
            self.made.append(hold(self.actor, Money(nanos).text, **said))
            self.model.holds[len(self.made) - 1] = (nanos, self.model.minute + minutes)
        else:
            refused(hold, self.actor, Money(nanos).text, **said)

    def capture(self, number: int, nanos: int) -> None:
        amount, _ = self.model.holds.get(number, (0, 0))
        if number in self.model.holds and nanos <= amount:
            del self.model.holds[number]
            capture(self.actor, self.made[number], Money(nanos).text)
            self.model.draw(nanos)

    def release(self, number: int) -> None:
        if self.model.holds.pop(number, None):
            release(self.actor, self.made[number])

    def wait(self, minutes: int) -> None:
        self.clock.forward(minutes=minutes)
        self.model.pass_time(minutes)

    def list(self) -> None:
        rests = [grant.remaining_nanos for grant in credits_left(self.billing, self.actor)]
        assert rests == self.model.rests()

    def check(self) -> None:
        found = operations.check_balance(self.actor, str(self.actor.account_id))
        assert found.posted.nanos == self.model.posted
        assert found.held.nanos == self.model.held()


@pytest.mark.parametrize("looking", [True, False])
def test_draws_settled_late_are_those_of_every_single_charge(
    billing: Billing, clock: Clock, looking: bool
) -> None:
    """Whether or not somebody looks at the balance after every step."""

    @settings(deadline=None, max_examples=40, database=None)
    @given(st.sampled_from([0, 0, 6]), st.lists(STEPS, min_size=1, max_size=25))
    def run(allowance: int, steps: list[Any]) -> None:
        play = Play(billing, clock, allowance)
        for name, *said in steps:
            getattr(play, name)(*said)
            play.model.pass_time(0)  # credit whose time is over goes as soon as it is free
            if looking:
                play.check()
        play.list()
        play.check()

    run()
    assert complaints(billing) == []
