"""Corrections: what was entered stays, and is answered once by another entry."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from billing_plugin import Actor, Billing, Money, operations
from billing_plugin.models import usage
from billing_plugin.models.ledger import LedgerEntry
from billing_plugin.operations import Submission, Usage
from tests.books import complaints, everything
from tests.deeds import (
    adjust,
    balance,
    capture,
    credits_left,
    give,
    hold,
    left,
    limit,
    newest,
    refused,
    spend,
    state,
)
from tests.factories import START, Clock, account_with, billing_on

DAY = timedelta(days=1)


def reverse(billing: Billing, actor: Actor, entry_id: str, **said: Any) -> LedgerEntry:
    return operations.reverse_entry(billing.operator(), str(actor.account_id), entry_id, **said)


def refund(billing: Billing, actor: Actor, entry_id: str, units: str, **said: Any) -> LedgerEntry:
    mine, amount = str(actor.account_id), Money.parse(units)
    return operations.refund_charge(billing.operator(), mine, entry_id, amount=amount, **said)


def batch(actor: Actor, *units: str) -> str:
    """One charge of several uses; its entry."""
    wishes = [Submission(Usage("m", cost=Money.parse(one))) for one in units]
    first, *_ = operations.record_usage_batch(actor, str(actor.account_id), wishes)
    assert first.record is not None
    return first.record.entry_id


def net(billing: Billing, actor: Actor) -> list[int]:
    """What each use of the account still costs, oldest first."""
    with billing.instance.active():
        records = usage.page(str(actor.account_id), limit=1000)
        firsts = [one for one in records[::-1] if one.corrects_id is None]
        return [one.cost_nanos for one in usage.standing(firsts)]


def test_a_reversal_undoes_a_charge_in_its_own_window(billing: Billing, actor: Actor) -> None:
    found = limit(actor, "10", "daily")
    late = spend(actor, "4", START - DAY)
    spend(actor, "3")
    entry = reverse(billing, actor, late.entry_id, reason="oops")
    assert (entry.kind, entry.amount.text, entry.reverses_id) == ("reversal", "4.00", late.entry_id)
    assert (entry.counter_account, entry.metadata) == ("revenue", {"reason": "oops"})
    assert balance(actor) == ("97.00", "0.00", "97.00")
    assert state(actor, found).spent.text == "3.00"
    spend(actor, "10", START - DAY)
    assert complaints(billing) == []


def test_an_entry_is_reversed_once(billing: Billing, actor: Actor) -> None:
    entry_id = spend(actor, "4").entry_id
    first = reverse(billing, actor, entry_id)
    before = everything(billing)
    assert reverse(billing, actor, entry_id).id == first.id
    assert refused(reverse, billing, actor, first.id).code == "not_reversible"
    assert refused(refund, billing, actor, entry_id, "1").code == "not_reversible"
    assert everything(billing) == before


def test_a_reversed_batch_gives_every_use_back(billing: Billing, actor: Actor) -> None:
    reverse(billing, actor, batch(actor, "1", "0", "2.5"))
    assert net(billing, actor) == [0, 0, 0]
    assert balance(actor)[0] == "100.00"
    assert complaints(billing) == []


def test_refunds_give_parts_back_and_never_more_than_the_charge(
    billing: Billing, actor: Actor
) -> None:
    entry_id = spend(actor, "4").entry_id
    refund(billing, actor, entry_id, "1.5"), refund(billing, actor, entry_id, "1.5")
    before = everything(billing)
    refusal = refused(refund, billing, actor, entry_id, "1.000000001")
    assert (refusal.code, refusal.extra) == ("refund_exceeds_charge", {"left": "1.00"})
    assert everything(billing) == before
    assert reverse(billing, actor, entry_id).amount.text == "1.00"
    assert complaints(billing) == []


def test_a_charge_that_was_refunded_whole_has_nothing_to_reverse(
    billing: Billing, actor: Actor
) -> None:
    entry_id = spend(actor, "4").entry_id
    refund(billing, actor, entry_id, "4")
    for act in (lambda: reverse(billing, actor, entry_id),):
        assert refused(act).code == "not_reversible"
    assert refused(refund, billing, actor, entry_id, "1").code == "refund_exceeds_charge"


def test_refunds_of_a_batch_are_shared_out_by_what_each_use_costs(billing: Billing) -> None:
    @settings(deadline=None, max_examples=15, database=None)
    @given(st.lists(st.integers(0, 9), min_size=1, max_size=5), st.lists(st.integers(1, 9)))
    def run(costs: list[int], refunds: list[int]) -> None:
        actor = account_with(billing, "1")
        entry_id = batch(actor, *(Money(cost).text for cost in costs))
        left = sum(costs)
        for nanos in refunds:
            if nanos > left:
                refused(refund, billing, actor, entry_id, Money(nanos).text)
                continue
            before = net(billing, actor)
            refund(billing, actor, entry_id, Money(nanos).text)
            left -= nanos
            after = net(billing, actor)
            assert sum(after) == left
            assert all(0 <= new <= old for new, old in zip(after, before, strict=True))
        assert balance(actor)[0] == Money(10**9 - left).text

    run()
    assert complaints(billing) == []


def test_a_refund_is_given_once_for_each_key(billing: Billing, actor: Actor) -> None:
    entry_id = spend(actor, "4").entry_id
    first = refund(billing, actor, entry_id, "1", idempotency_key="k", reason="sorry")
    again = refund(billing, actor, entry_id, "1", idempotency_key="k", reason="sorry")
    assert (again.id, again.metadata) == (first.id, {"reason": "sorry"})
    assert refused(refund, billing, actor, entry_id, "2", idempotency_key="k").status == 409
    assert balance(actor)[0] == "97.00"


def test_a_captured_hold_is_corrected_in_its_own_window(
    billing: Billing, actor: Actor, clock: Clock
) -> None:
    found = limit(actor, "10", "daily")
    held = hold(actor, "6", expires_in_s=600_000)
    clock.forward(days=1)
    capture(actor, held)
    reverse(billing, actor, newest(actor).id)
    assert state(actor, found).spent == Money.zero()
    spend(actor, "10", START)
    assert complaints(billing) == []


@pytest.mark.parametrize("technique", ["fixed", "sliding"])
@pytest.mark.parametrize("said", [{}, {"partitions": ["model"]}])
def test_a_limit_that_was_set_later_counts_the_net(
    billing: Billing, actor: Actor, technique: str, said: dict[str, Any]
) -> None:
    entry_id = batch(actor, "4", "5")
    refund(billing, actor, entry_id, "3")
    found = limit(actor, "10", "daily", technique=technique, **said)
    spend(actor, "1", model="m")
    assert state(actor, found).spent.text == "7.00"
    refund(billing, actor, entry_id, "1")
    assert state(actor, found).spent.text == "6.00"
    assert complaints(billing) == []


def test_a_credit_is_taken_back_from_its_own_money_first(billing: Billing, actor: Actor) -> None:
    given = give(billing, actor, "5")
    give(billing, actor, "7", expires_at=START + DAY)
    assert reverse(billing, actor, given.id).amount.text == "-5.00"
    assert left(billing, actor) == [("promotion", "7.00"), ("support", "100.00")]
    assert complaints(billing) == []


def test_a_spent_credit_is_taken_from_what_else_there_is_or_not_at_all(
    billing: Billing,
) -> None:
    actor = account_with(billing)
    given = give(billing, actor, "5")
    spend(actor, "4")
    before = everything(billing)
    assert refused(reverse, billing, actor, given.id).code == "insufficient_funds"
    assert everything(billing) == before
    adjust(billing, actor, "10")
    reverse(billing, actor, given.id)
    assert balance(actor)[0] == "6.00"
    assert complaints(billing) == []


@pytest.mark.parametrize("spent", ["0", "2"])
def test_a_credit_that_expired_is_not_taken_twice(
    billing: Billing, actor: Actor, clock: Clock, spent: str
) -> None:
    given = give(billing, actor, "5", expires_at=START + DAY)
    spend(actor, spent)
    clock.forward(days=1)
    if spent == "0":
        assert refused(reverse, billing, actor, given.id).code == "not_reversible"
        return
    assert reverse(billing, actor, given.id).amount.text == "-2.00"
    assert balance(actor)[0] == "98.00"
    assert complaints(billing) == []


def test_a_debit_by_hand_is_given_back(billing: Billing, actor: Actor) -> None:
    reverse(billing, actor, adjust(billing, actor, "-4").id)
    assert balance(actor)[0] == "100.00"
    assert left(billing, actor) == [("support", "96.00"), ("paid", "4.00")]
    assert complaints(billing) == []


def test_what_is_given_back_pays_what_is_owed(billing: Billing) -> None:
    actor = account_with(billing)
    operations.set_postpaid_limit(billing.operator(), str(actor.account_id), Money.parse("10"))
    entry_id = spend(actor, "6").entry_id
    reverse(billing, actor, entry_id)
    assert balance(actor) == ("0.00", "0.00", "10.00")
    assert credits_left(billing, actor) == []
    assert complaints(billing) == []


def test_what_is_no_charge_or_credit_is_not_reversed(billing: Billing, actor: Actor) -> None:
    operations.top_up(actor, str(actor.account_id), Money.parse("10"), payment_method="pm_ok")
    assert refused(reverse, billing, actor, newest(actor).id).code == "not_reversible"
    assert refused(refund, billing, actor, newest(actor).id, "1").code == "not_reversible"
    free = spend(actor, "0").entry_id
    assert refused(reverse, billing, actor, free).code == "not_reversible"


def test_corrections_that_make_no_sense_leave_no_trace(billing: Billing, actor: Actor) -> None:
    other = account_with(billing, "5")
    theirs, mine = spend(other, "1").entry_id, spend(actor, "1").entry_id
    before = everything(billing)
    for act, code in (
        (lambda: refund(billing, actor, mine, "0"), "invalid_request"),
        (lambda: refund(billing, actor, mine, "-1"), "invalid_request"),
        (lambda: refund(billing, actor, mine, "1", reason="x" * 501), "invalid_request"),
        (lambda: refund(billing, actor, theirs, "1"), "not_found"),
        (lambda: reverse(billing, actor, theirs), "not_found"),
        (lambda: reverse(billing, actor, "led_x"), "not_found"),
        (lambda: operations.refund_charge(
            billing.operator(), str(actor.account_id), mine, amount=Money(1, "EUR")
        ), "currency_mismatch"),
        (lambda: operations.reverse_entry(actor, str(actor.account_id), mine), "forbidden"),
    ):  # fmt: skip
        assert refused(act).code == code
    assert everything(billing) == before


def test_a_charge_of_very_many_uses_is_reversed_whole(database_url: str) -> None:
    billing = billing_on(database_url, max_batch=10_001)
    actor = account_with(billing, "2")
    entry_id = batch(actor, *["0.0001"] * 10_001)
    assert reverse(billing, actor, entry_id).amount.text == "1.0001"
    assert complaints(billing) == []
