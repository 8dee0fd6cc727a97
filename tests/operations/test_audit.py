"""The audit trail: every change with who, in which request, from what to what."""

from __future__ import annotations

from typing import Any

import pytest

from billing_plugin import Actor, Billing, Money, errors, operations
from billing_plugin.operations.audit import Change
from tests.deeds import adjust, hold, limit, refused, spend
from tests.factories import START, account_with


def changes(actor: Actor, **said: Any) -> list[Change]:
    return operations.list_changes(actor, str(actor.account_id), **said)


def test_a_change_of_money_is_its_ledger_entry(billing: Billing, actor: Actor) -> None:
    robot = actor._replace(key_id="key_1", request_id="req_1")
    record = spend(robot, "2")
    change, *_ = changes(actor, money=True)
    assert (change.id, change.at, change.action) == (record.entry_id, START, "balance.usage")
    assert (change.actor, change.key_id, change.request_id) == ("key", "key_1", "req_1")
    assert (change.before, change.after) == ({"posted": "100.00"}, {"posted": "98.00"})
    assert change.subject_id == actor.account_id


def test_every_change_that_moves_no_money_has_a_row(billing: Billing, actor: Actor) -> None:
    mine, operator = str(actor.account_id), billing.operator()
    found = limit(actor, "5")
    limit(actor, "6")
    operations.update_limit(actor, mine, found.limit.id, amount=Money.parse("7"))
    wish = operations.request_limit_raise(
        actor, mine, found.limit.id, amount=Money(1), lasts_s=60
    )  # fmt: skip
    operations.approve_limit_raise(operator, mine, wish.id)
    other = operations.request_limit_raise(
        actor, mine, found.limit.id, amount=Money(1), lasts_s=60
    )  # fmt: skip
    operations.deny_limit_raise(operator, mine, other.id)
    operations.remove_limit(actor, mine, found.limit.id)
    key = operations.create_key(operator, mine).key
    operations.revoke_key(operator, mine, key.id)
    operations.set_postpaid_limit(operator, mine, Money.parse("5"))
    operations.extend(actor, mine, hold(actor, "1").id, expires_in_s=60)
    assert [one.action for one in changes(actor)][::-1] == [
        "account.create", "limit.set", "limit.set", "limit.update", "raise.request",
        "raise.approve", "raise.request", "raise.deny", "limit.remove", "key.create", "key.revoke",
        "postpaid_limit.set", "hold.extend",
    ]  # fmt: skip


def test_a_limit_says_what_it_was_and_is(actor: Actor) -> None:
    limit(actor, "5", "daily")
    limit(actor, "6", "daily")
    second, first, _ = changes(actor)
    assert (first.before, first.after and first.after["amount"]) == (None, "5.00")
    assert second.before == first.after
    assert second.after is not None
    assert (second.after["amount"], second.after["window"]) == ("6.00", "daily")


def test_what_was_refused_changed_nothing(billing: Billing, actor: Actor) -> None:
    before = changes(actor), changes(actor, money=True)
    refused(spend, actor, "1000"), refused(adjust, billing, actor, "-1000")
    refused(limit, actor, "-1")
    assert (changes(actor), changes(actor, money=True)) == before


def test_pages_have_a_size(actor: Actor) -> None:
    for units in range(3):
        limit(actor, str(units))
    assert len(changes(actor, limit=2)) == 2
    for size in (0, 101):
        assert refused(changes, actor, limit=size).code == "invalid_request"


def test_changes_of_others_are_not_found(billing: Billing, actor: Actor) -> None:
    other = account_with(billing)
    with pytest.raises(errors.NotFound):
        operations.list_changes(actor, str(other.account_id))
    with pytest.raises(errors.NotFound):
        operations.list_changes(billing.operator(), "acct_x")
