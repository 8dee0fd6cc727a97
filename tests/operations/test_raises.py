"""Raises of limits: asked for by whoever meets one, decided by a person, for a time."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from billing_plugin import Actor, Billing, Money, errors, operations
from billing_plugin.models.raises import LimitRaise
from billing_plugin.operations.limits import LimitState
from tests.books import complaints, everything
from tests.deeds import limit, refused, spend, state
from tests.factories import START, Clock, account_with

HOUR = 3600


@pytest.fixture
def found(actor: Actor) -> LimitState:
    """A monthly limit of 10."""
    return limit(actor, "10")


def ask(actor: Actor, found: LimitState, units: str = "5", **said: Any) -> LimitRaise:
    given = {"amount": Money.parse(units), "lasts_s": HOUR} | said
    return operations.request_limit_raise(actor, str(actor.account_id), found.limit.id, **given)


def decide(billing: Billing, wish: LimitRaise, *, approve: bool = True) -> LimitRaise:
    act = operations.approve_limit_raise if approve else operations.deny_limit_raise
    return act(billing.operator(), wish.account_id, wish.id)


def test_asking_changes_nothing(actor: Actor, found: LimitState) -> None:
    wish = ask(actor._replace(key_id="key_1"), found, reason="launch")
    assert (wish.status, wish.reason, wish.requested_by) == ("pending", "launch", "key_1")
    assert wish.until_at == START + timedelta(hours=1)
    assert refused(spend, actor, "11").code == "limit_exceeded"
    assert state(actor, found) == found


def test_an_approved_raise_holds_until_its_moment(
    billing: Billing, actor: Actor, found: LimitState, clock: Clock
) -> None:
    wish = decide(billing, ask(actor, found))
    assert (wish.status, wish.decided_by, wish.decided_at) == ("approved", "operator", START)
    now = state(actor, found)
    assert (now.ceiling.text, now.limit.amount.text) == ("15.00", "10.00")
    assert now.limit.revision == found.limit.revision + 1
    spend(actor, "12")
    assert refused(spend, actor, "4").extra["amount"] == "15.00"
    clock.forward(seconds=HOUR)
    refusal = refused(spend, actor, "0.01")
    assert (refusal.extra["amount"], refusal.extra["spent"]) == ("10.00", "12.00")
    assert state(actor, found).overspent.text == "2.00"
    assert complaints(billing) == []


def test_a_second_raise_takes_the_place_of_the_first(
    billing: Billing, actor: Actor, found: LimitState
) -> None:
    decide(billing, ask(actor, found, "5")), decide(billing, ask(actor, found, "7"))
    assert state(actor, found).ceiling.text == "17.00"


def test_a_denied_wish_changes_no_limit(billing: Billing, actor: Actor, found: LimitState) -> None:
    assert decide(billing, ask(actor, found), approve=False).status == "denied"
    assert state(actor, found) == found


@pytest.mark.parametrize("approve", [True, False])
def test_a_wish_is_decided_once(
    billing: Billing, actor: Actor, found: LimitState, approve: bool
) -> None:
    wish = decide(billing, ask(actor, found), approve=approve)
    before = everything(billing)
    assert decide(billing, wish, approve=approve).status == wish.status
    assert refused(decide, billing, wish, approve=not approve).code == "raise_already_decided"
    assert everything(billing) == before


def test_a_wish_that_nobody_decides_in_time_expires(
    billing: Billing, actor: Actor, found: LimitState, clock: Clock
) -> None:
    mine = str(actor.account_id)
    wish = ask(actor, found, decide_within_s=60)
    assert ask(actor, found, decide_within_s=2 * HOUR).expires_at == START + timedelta(hours=1)
    clock.forward(seconds=60)
    assert refused(decide, billing, wish).code == "raise_expired"
    assert operations.get_limit_raise(actor, mine, wish.id).status == "expired"
    assert [one.status for one in operations.list_limit_raises(actor, mine)] == [
        "pending",
        "expired",
    ]


def test_the_same_key_asks_once(billing: Billing, actor: Actor, found: LimitState) -> None:
    first = ask(actor, found, idempotency_key="k")
    assert ask(actor, found, idempotency_key="k").id == first.id
    for other in ({"units": "6"}, {"lasts_s": 60}, {"reason": "x"}):
        refusal = refused(ask, actor, found, idempotency_key="k", **other)
        assert refusal.code == "idempotency_conflict"


def test_an_agents_key_never_approves(billing: Billing, actor: Actor) -> None:
    mine, operator = str(actor.account_id), billing.operator()
    wish = ask(actor, limit(actor, "1"))
    made = operations.create_key(operator, mine, agent="robot")
    robot = operations.authenticate(billing.instance, made.token)
    for act in (operations.approve_limit_raise, operations.deny_limit_raise):
        with pytest.raises(errors.Forbidden):
            act(robot, mine, wish.id)
    with pytest.raises(errors.InvalidRequest):
        operations.create_key(operator, mine, ["limits:approve"], agent="robot")


@pytest.mark.parametrize(
    "said",
    [
        {"units": "0"}, {"units": "-1"}, {"amount": Money(1, "EUR")}, {"lasts_s": 0},
        {"lasts_s": True}, {"lasts_s": 10**9}, {"decide_within_s": 0}, {"reason": "x" * 501},
    ],
)  # fmt: skip
def test_wishes_that_make_no_sense_leave_no_trace(
    billing: Billing, actor: Actor, found: LimitState, said: dict[str, Any]
) -> None:
    before = everything(billing)
    assert refused(ask, actor, found, **said).status == 422
    assert everything(billing) == before


def test_a_raise_of_a_removed_limit_is_not_found(
    billing: Billing, actor: Actor, found: LimitState
) -> None:
    wish = ask(actor, found)
    operations.remove_limit(actor, str(actor.account_id), found.limit.id)
    assert refused(decide, billing, wish).code == "not_found"
    assert limit(actor, "10").ceiling.text == "10.00"


def test_wishes_of_others_are_not_found(billing: Billing, actor: Actor, found: LimitState) -> None:
    other, wish = account_with(billing, "5"), ask(actor, found)
    theirs = str(other.account_id)
    for act in (
        lambda: ask(other, found),
        lambda: operations.get_limit_raise(other, theirs, wish.id),
        lambda: operations.list_limit_raises(other, str(actor.account_id)),
        lambda: operations.approve_limit_raise(billing.operator(), theirs, wish.id),
    ):
        assert refused(act).code == "not_found"
    for size in (0, 101):
        assert refused(operations.list_limit_raises, other, theirs, limit=size).status == 422
