"""What an outcome means for the rule: waits that grow, and when it is switched off."""

from __future__ import annotations

from datetime import timedelta

import pytest

from billing_plugin import Actor, Billing, Money, operations
from billing_plugin.processors import fake
from billing_plugin.processors.processor import Dispute, Payment, Refund
from tests.books import complaints
from tests.deeds import adjust, balance, spend
from tests.factories import START, Clock, account_with
from tests.operations.test_auto_topups import amounts, bought, marks, rule, state
from tests.operations.test_settling import Scripted
from worker.schedule import tick

DECLINE = Payment("failed", "pi_1", failure="card_declined")


@pytest.fixture
def buyer(billing: Billing) -> Actor:
    """An account of 20 whose rule buys 10 below 5, with a processor that has yet to be told."""
    billing.instance.processor = Scripted()
    found = account_with(billing, "20")
    rule(found)
    return found


def says(billing: Billing, said: Payment | None) -> None:
    billing.instance.processor.says = said


def paid(billing: Billing, units: str = "10", **more: object) -> None:
    says(billing, Payment("succeeded", "pi_1", Money.parse(units), **more))  # type: ignore[arg-type]  # refunds or disputes


def test_after_each_decline_it_waits_longer_and_then_ends(
    billing: Billing, buyer: Actor, clock: Clock
) -> None:
    says(billing, DECLINE)
    spend(buyer, "16")
    for declines, hours in ((1, 1), (2, 4), (3, 24)):
        found = state(buyer)
        assert (found.rule.declines, len(amounts(buyer))) == (declines, declines)
        assert found.rule.error == "The payment failed: card_declined."
        assert found.rule.last_failed_at == clock()
        assert found.due_at == clock() + timedelta(hours=hours)
        clock.forward(hours=hours, seconds=-1)
        tick(billing)
        assert len(amounts(buyer)) == declines
        clock.forward(seconds=1)
        tick(billing)
    found = state(buyer)
    assert (found.rule.enabled, found.rule.disabled_reason) == (0, "declined")
    assert (found.due_at, marks(billing, buyer)) == (None, (None, None))
    clock.forward(days=100)
    spend(buyer, "1")
    tick(billing)
    assert len(amounts(buyer)) == 4
    assert complaints(billing) == []


def test_set_again_it_forgets_declines(billing: Billing, buyer: Actor, clock: Clock) -> None:
    says(billing, DECLINE)
    spend(buyer, "16")
    for _ in range(3):
        clock.forward(days=1)
        tick(billing)
    assert state(buyer).rule.disabled_reason == "declined"
    paid(billing)
    rule(buyer, caps=operations.Caps(daily_count=10))
    found = state(buyer).rule
    assert (found.enabled, found.disabled_reason, found.error, found.declines) == (1, None, None, 0)
    assert found.last_failed_at is not None
    assert balance(buyer)[0] == "14.00"


def test_a_success_ends_the_row_of_declines(billing: Billing, buyer: Actor, clock: Clock) -> None:
    for said in (DECLINE, DECLINE):
        says(billing, said)
        spend(buyer, "16") if not bought(buyer) else tick(billing)
        clock.forward(hours=4)
    paid(billing)
    tick(billing)
    assert (state(buyer).rule.declines, state(buyer).rule.error) == (0, None)


@pytest.mark.parametrize(
    ("method", "reason"),
    [
        ("fake_3ds", "authentication_required"),
        ("fake_3ds_abandoned", "authentication_required"),
        ("fake_expired_card", "declined"),
        ("fake_wrong_amount", "review"),
    ],
)
def test_what_no_further_try_can_mend_ends_it_at_once(
    billing: Billing, method: str, reason: str
) -> None:
    buyer = account_with(billing, "20")
    rule(buyer, payment_method=method)
    spend(buyer, "16")
    found = state(buyer).rule
    assert (found.enabled, found.disabled_reason) == (0, reason)
    assert (len(amounts(buyer)), found.last_failed_at, balance(buyer)[0]) == (1, START, "4.00")
    rule(buyer)
    assert (state(buyer).rule.enabled, balance(buyer)[0]) == (1, "14.00")


def test_what_was_declined_slowly_is_declined(
    billing: Billing, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fake, "WAITS_S", 10_000)
    buyer = account_with(billing, "20")
    rule(buyer, payment_method="fake_slow_declined")
    spend(buyer, "16")
    assert (state(buyer).rule.declines, state(buyer).rule.error) == (0, None)
    monkeypatch.setattr(fake, "WAITS_S", 0)
    clock.forward(minutes=1)
    tick(billing)
    assert (state(buyer).rule.declines, bought(buyer)[0].status) == (1, "failed")


def test_what_never_arrived_is_begun_anew_within_the_hour_and_then_counts_as_failed(
    billing: Billing, buyer: Actor, clock: Clock
) -> None:
    says(billing, None)
    billing.instance.processor.charge = lambda _: None  # arrives nowhere
    spend(buyer, "16")
    for _ in range(13):
        clock.forward(minutes=5)
        tick(billing)
    assert [(one.status, one.failure) for one in bought(buyer)] == [("failed", "never_arrived")]
    assert state(buyer).rule.declines == 1


def test_a_dispute_switches_it_off(billing: Billing, buyer: Actor, clock: Clock) -> None:
    paid(billing)
    spend(buyer, "16")
    adjust(billing, buyer, "100")
    paid(billing, disputes=(Dispute("dp_1", Money.parse("10")),))
    clock.forward(days=1)
    tick(billing)
    found = state(buyer).rule
    assert (found.enabled, found.disabled_reason) == (0, "disputed")
    assert (len(amounts(buyer)), marks(billing, buyer)) == (1, (None, None))


def test_a_refund_is_not_bought_again(billing: Billing, buyer: Actor, clock: Clock) -> None:
    paid(billing)
    spend(buyer, "16")
    paid(billing, refunds=(Refund("re_1", Money.parse("4")),))
    clock.forward(days=1)
    tick(billing)
    assert (state(buyer).rule.enabled, balance(buyer)[0]) == (1, "10.00")
    paid(billing, refunds=tuple(Refund(f"re_{n}", Money.parse("4")) for n in (1, 2)))
    clock.forward(days=2)
    tick(billing)
    assert (state(buyer).rule.enabled, balance(buyer)[0]) == (1, "6.00")
    paid(billing, refunds=tuple(Refund(f"re_{n}", Money.parse("3")) for n in (1, 2, 3)))
    clock.forward(days=4)
    tick(billing)
    assert (len(amounts(buyer)), state(buyer).rule.disabled_reason) == (1, "refunded")


def test_an_outcome_changes_no_rule_that_is_switched_off(
    billing: Billing, buyer: Actor, clock: Clock
) -> None:
    spend(buyer, "16")
    rule(buyer, enabled=False)
    paid(billing)
    clock.forward(minutes=1)
    tick(billing)
    assert (balance(buyer)[0], marks(billing, buyer)) == ("14.00", (None, None))
    assert state(buyer).rule.enabled == 0


def test_a_late_success_is_credited_and_changes_nothing_else(
    billing: Billing, buyer: Actor, clock: Clock
) -> None:
    says(billing, DECLINE)
    spend(buyer, "16")
    [first] = bought(buyer)
    paid(billing)
    operations.check_topup(buyer, str(buyer.account_id), first.id)
    clock.forward(days=1)
    tick(billing)
    assert {one.status for one in bought(buyer)} == {"succeeded"}
    assert complaints(billing) == []
