"""What the harnesses have found: each fault once more, as small as it can be."""

from __future__ import annotations

from datetime import timedelta

import pytest

from billing_plugin import Actor, Billing, Money, errors, operations
from billing_plugin.operations import Usage
from tests.factories import Clock, account_with

MINUTE = timedelta(minutes=1)


@pytest.fixture
def poor(billing: Billing) -> Actor:
    """An account without a cent."""
    return account_with(billing)


def test_an_overdue_hold_keeps_no_expired_credit_alive(
    billing: Billing, poor: Actor, clock: Clock
) -> None:
    account_id = str(poor.account_id)
    until = clock.at + MINUTE
    operations.grant_credit(billing.operator(), account_id, Money(10), expires_at=until)
    operations.hold(poor, account_id, Money(10), expires_in_s=60)
    clock.forward(minutes=2)
    with pytest.raises(errors.InsufficientFunds):
        operations.record_usage(poor, account_id, Usage("m", cost=Money(10)))
    assert operations.check_balance(poor, account_id).posted == Money(0)


@pytest.mark.parametrize("looks", [False, True])
def test_credit_expires_in_its_order_however_late_that_is_noticed(
    billing: Billing, poor: Actor, clock: Clock, looks: bool
) -> None:
    account_id = str(poor.account_id)
    for minutes, priority in ((2, 10), (1, 20)):
        operations.grant_credit(
            billing.operator(), account_id, Money(10), priority=priority,
            expires_at=clock.at + minutes * MINUTE,
        )  # fmt: skip
    operations.hold(poor, account_id, Money(5))
    clock.forward(minutes=1)
    if looks:
        operations.check_balance(poor, account_id)
    clock.forward(minutes=1)
    left = operations.list_credits(poor, account_id).grants
    assert [(one.priority, one.remaining_nanos) for one in left] == [(10, 5)]


@pytest.mark.parametrize("comes", ["set", "edited", "set again"])
def test_a_new_partition_shows_what_was_used_before(
    billing: Billing, actor: Actor, comes: str
) -> None:
    account_id = str(actor.account_id)
    other = [] if comes == "edited" else ["model"]
    first = operations.set_limit(actor, account_id, Money(90), partitions=other)
    if comes != "edited":
        operations.remove_limit(actor, account_id, first.limit.id)
    operations.record_usage(actor, account_id, Usage("a", cost=Money(10)))
    operations.record_usage(actor, account_id, Usage("b", cost=Money(20)))
    operations.hold(actor, account_id, Money(3), model="b")
    if comes == "edited":
        changes = {"partitions": ["model"]}
        state = operations.update_limit(actor, account_id, first.limit.id, changes=changes)
    else:
        technique = "fixed" if comes == "set again" else "sliding"
        state = operations.set_limit(
            actor, account_id, Money(90), partitions=["model"], technique=technique
        )
    found = {tuple(one.values): (one.spent.nanos, one.held.nanos) for one in state.buckets}
    assert found == {("a",): (10, 0), ("b",): (20, 3)}
    assert (state.spent, state.held) == (Money(30), Money(3))


@pytest.mark.parametrize("looks", [False, True])
def test_releasing_what_has_expired_is_told_apart_whoever_looked_before(
    actor: Actor, clock: Clock, looks: bool
) -> None:
    account_id = str(actor.account_id)
    made = operations.hold(actor, account_id, Money(10), expires_in_s=60).hold
    clock.forward(minutes=1)
    if looks:
        operations.check_balance(actor, account_id)
    released = operations.release(actor, account_id, made.id)
    assert (released.hold.status, released.replayed) == ("expired", True)


def test_a_limit_may_become_what_a_removed_one_was(billing: Billing, actor: Actor) -> None:
    account_id = str(actor.account_id)
    first = operations.set_limit(actor, account_id, Money(90)).limit
    operations.remove_limit(actor, account_id, first.id)
    second = operations.set_limit(actor, account_id, Money(80), window="daily").limit
    operations.update_limit(actor, account_id, second.id, changes={"window": "monthly"})
    again = operations.set_limit(actor, account_id, Money(70)).limit
    assert (again.id, again.amount) == (second.id, Money(70))
    with pytest.raises(errors.NotFound):
        operations.get_limit(actor, account_id, first.id)
