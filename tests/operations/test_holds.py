"""Holds: money is reserved once, taken once, given back once, and never lost in between."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from billing_plugin import Actor, Billing, Money, errors, operations
from billing_plugin.models.holds import CAPTURED, EXPIRED, OPEN, RELEASED, Hold
from billing_plugin.operations import Usage
from billing_plugin.operations.holds import MAX_HOLD_S, POLICIES
from tests.books import complaints, counts, everything
from tests.deeds import (
    adjust,
    balance,
    capture,
    entries,
    hold,
    limit,
    newest,
    refused,
    release,
    spend,
    state,
)
from tests.factories import START, Clock, account_with, billing_on


def asked(actor: Actor, expected: Any, **said: Any) -> Any:
    return operations.hold(actor, str(actor.account_id), expected, **said)


def extend(actor: Actor, held: Hold, seconds: Any) -> Hold:
    return operations.extend(actor, str(actor.account_id), held.id, expires_in_s=seconds).hold


def seen(actor: Actor, held: Hold) -> Hold:
    return operations.get_hold(actor, str(actor.account_id), held.id)


def test_a_hold_reserves_and_a_capture_takes(billing: Billing, actor: Actor) -> None:
    held = hold(actor, "30", provider="openai", model="gpt-4o", metadata={"team": "red"})
    assert (held.status, held.amount.text) == (OPEN, "30.00")
    assert held.expires_at == START + timedelta(seconds=600)
    assert balance(actor) == ("100.00", "30.00", "70.00")
    done = operations.capture(actor, str(actor.account_id), held.id, taken=Money.parse("12"))
    assert balance(actor) == ("88.00", "0.00", "88.00")
    assert (done.hold.status, done.replayed) == (CAPTURED, False)
    assert done.hold.captured == done.record.cost == Money.parse("12")
    assert (done.record.hold_id, done.hold.record_id) == (held.id, done.record.id)
    assert (done.record.provider, done.record.model) == ("openai", "gpt-4o")
    assert done.record.metadata == {"team": "red"}
    assert entries(actor)[0] == ("usage", "-12.00")
    assert complaints(billing) == []


def test_a_capture_of_nothing_said_takes_all_of_it(actor: Actor) -> None:
    assert capture(actor, hold(actor, "30")).captured == Money.parse("30")
    assert balance(actor) == ("70.00", "0.00", "70.00")


def test_a_capture_of_zero_is_recorded(billing: Billing, actor: Actor) -> None:
    assert capture(actor, hold(actor, "30"), "0").captured == Money.zero()
    assert balance(actor) == ("100.00", "0.00", "100.00")
    assert counts(billing)["usage_record"] == 1


def test_the_expected_use_of_a_model_is_priced(billing: Billing, actor: Actor) -> None:
    most = Usage("gpt-4o", "openai", 1000, 4000, metadata={"job": "j1"})
    held = asked(actor, most).hold
    assert (held.amount.text, held.model, held.metadata) == ("0.0425", "gpt-4o", {"job": "j1"})
    real = Usage("gpt-4o", "openai", 1000, 100, metadata={"tries": 2})
    done = operations.capture(actor, str(actor.account_id), held.id, taken=real)
    assert done.record.cost.text == "0.0035"
    assert done.record.metadata == {"job": "j1", "tries": 2}
    assert done.record.quantities == {"input_tokens": 1000, "output_tokens": 100}
    assert complaints(billing) == []


def test_held_money_cannot_be_spent_or_held_twice(billing: Billing, actor: Actor) -> None:
    hold(actor, "99")
    before = everything(billing)
    for act in (spend, hold):
        assert refused(act, actor, "1.000000001").code == "insufficient_funds"
    assert refused(adjust, billing, actor, "-2").code == "insufficient_funds"
    assert everything(billing) == before
    spend(actor, "1")


def test_a_release_gives_everything_back_and_again_changes_nothing(
    billing: Billing, actor: Actor
) -> None:
    held = hold(actor, "30")
    assert release(actor, held).status == RELEASED
    assert balance(actor) == ("100.00", "0.00", "100.00")
    before = everything(billing)
    again = operations.release(actor, str(actor.account_id), held.id)
    assert (again.hold.status, again.replayed) == (RELEASED, True)
    assert everything(billing) == before


def test_a_hold_is_resolved_once(billing: Billing, actor: Actor) -> None:
    captured, released = hold(actor, "5"), hold(actor, "5")
    capture(actor, captured, "3"), release(actor, released)
    before = everything(billing)
    for again in (
        lambda: capture(actor, captured, "4"),
        lambda: release(actor, captured),
        lambda: capture(actor, released),
        lambda: extend(actor, captured, 60),
        lambda: extend(actor, released, 60),
    ):
        refusal = refused(again)
        assert (refusal.code, refusal.status) == ("hold_already_resolved", 409)
    done = operations.capture(actor, str(actor.account_id), captured.id, taken=Money.parse("3"))
    assert done.replayed
    assert done.record.id == done.hold.record_id
    assert everything(billing) == before


def test_a_hold_frees_its_money_at_its_deadline_without_any_job(
    billing: Billing, actor: Actor, clock: Clock
) -> None:
    held = hold(actor, "100", expires_in_s=60)
    clock.at = START + timedelta(seconds=60, microseconds=-1)
    assert refused(spend, actor, "1").code == "insufficient_funds"
    assert seen(actor, held).status == OPEN
    clock.forward(microseconds=1)
    assert seen(actor, held).status == EXPIRED
    assert [one.status for one in operations.list_holds(actor, str(actor.account_id))] == [EXPIRED]
    spend(actor, "40")
    assert balance(actor) == ("60.00", "0.00", "60.00")
    assert seen(actor, held).resolved_at == held.expires_at
    assert complaints(billing) == []


@pytest.mark.parametrize("what", ["balance", "hold", "adjust", "limits"])
def test_whatever_needs_it_expires_what_is_overdue(
    billing: Billing, actor: Actor, clock: Clock, what: str
) -> None:
    found = limit(actor, "100")
    hold(actor, "90", expires_in_s=60)
    clock.forward(seconds=60)
    if what == "balance":
        assert balance(actor) == ("100.00", "0.00", "100.00")
    elif what == "hold":
        hold(actor, "20")
    elif what == "adjust":
        adjust(billing, actor, "-20")
    else:
        assert state(actor, found).remaining == Money.parse("100")
    assert complaints(billing) == []


def test_looking_at_a_balance_with_nothing_overdue_writes_nothing(
    billing: Billing, actor: Actor
) -> None:
    hold(actor, "1")
    before = everything(billing)
    balance(actor)
    assert everything(billing) == before


def test_an_extended_hold_lives_longer(billing: Billing, actor: Actor, clock: Clock) -> None:
    held = hold(actor, "30", expires_in_s=60)
    clock.forward(seconds=50)
    assert extend(actor, held, 100).expires_at == START + timedelta(seconds=150)
    clock.forward(seconds=99)
    assert balance(actor)[1] == "30.00"
    clock.forward(seconds=1)
    assert refused(extend, actor, held, 100).code == "hold_expired"
    assert balance(actor)[1] == "0.00"
    assert refused(extend, actor, held, 100).code == "hold_expired"
    changes = operations.list_changes(actor, str(actor.account_id))
    assert [one.action for one in changes][:1] == ["hold.extend"]


def test_an_overdue_hold_is_released_as_expired(actor: Actor, clock: Clock) -> None:
    held = hold(actor, "30", expires_in_s=60)
    clock.forward(seconds=60)
    assert release(actor, held).status == EXPIRED
    assert balance(actor) == ("100.00", "0.00", "100.00")
    assert release(actor, held).status == EXPIRED


@pytest.mark.parametrize("tidied", [False, True])
@pytest.mark.parametrize("policy", POLICIES)
def test_a_capture_after_the_deadline_is_decided_by_the_policy(
    billing: Billing, actor: Actor, clock: Clock, policy: str, tidied: bool
) -> None:
    held = hold(actor, "30", expires_in_s=60)
    clock.forward(seconds=60)
    if tidied:
        balance(actor)
    if policy == "refuse":
        assert refused(capture, actor, held, "5").code == "hold_expired"
        assert capture(actor, held, "0").captured == Money.zero()
        return
    spend(actor, "95")
    assert capture(actor, held, "5", policy).status == CAPTURED
    assert balance(actor) == ("0.00", "0.00", "0.00")
    assert complaints(billing) == []


def test_more_than_is_held_is_refused_unless_the_policy_says_otherwise(
    billing: Billing, actor: Actor
) -> None:
    held = hold(actor, "30")
    before = everything(billing)
    refusal = refused(capture, actor, held, "30.000000001")
    assert (refusal.code, refusal.status) == ("capture_exceeds_hold", 409)
    assert refusal.extra == {"hold_id": held.id, "held": "30.00"}
    assert refused(capture, actor, held, "100.000000001", "if_available").status == 402
    assert everything(billing) == before
    assert capture(actor, held, "100", "if_available").captured == Money.parse("100")
    assert balance(actor) == ("0.00", "0.00", "0.00")
    assert complaints(billing) == []


def test_an_overdraft_books_what_has_happened(billing: Billing, actor: Actor) -> None:
    found = limit(actor, "50")
    other = hold(actor, "20")
    assert capture(actor, hold(actor, "30"), "130", "overdraft").status == CAPTURED
    assert balance(actor) == ("-30.00", "20.00", "0.00")
    assert state(actor, found).overspent.text == "100.00"
    assert refused(spend, actor, "0.000000001").status == 402
    assert complaints(billing) == []
    capture(actor, other)
    adjust(billing, actor, "49")
    assert refused(adjust, billing, actor, "-1").code == "insufficient_funds"
    adjust(billing, actor, "2")
    assert balance(actor) == ("1.00", "0.00", "1.00")
    assert complaints(billing) == []


def test_what_was_let_in_can_be_captured(billing: Billing, actor: Actor) -> None:
    """Limits that were lowered meanwhile, and other spending, do not turn it away."""
    held = hold(actor, "30")
    limit(actor, "1")
    spend(actor, "0")
    capture(actor, held)
    assert complaints(billing) == []


def test_holds_count_in_the_limits_of_their_moment(
    billing: Billing, actor: Actor, clock: Clock
) -> None:
    found = limit(actor, "10", "daily")
    held = hold(actor, "6", expires_in_s=MAX_HOLD_S)
    assert refused(spend, actor, "5").extra["held"] == "6.00"
    assert refused(hold, actor, "5").code == "limit_exceeded"
    clock.forward(days=1)
    spend(actor, "10")
    assert capture(actor, held, "4").status == CAPTURED
    assert state(actor, found).spent.text == "10.00"
    spend(actor, "6", START)
    assert refused(spend, actor, "0.01", START).extra["spent"] == "10.00"
    assert complaints(billing) == []


def test_a_capture_beyond_the_hold_meets_the_limits_of_its_moment(
    billing: Billing, actor: Actor
) -> None:
    limit(actor, "10")
    held, other = hold(actor, "4"), hold(actor, "5")
    assert refused(capture, actor, held, "5.01", "if_available").code == "limit_exceeded"
    capture(actor, held, "5", "if_available")
    capture(actor, other)
    assert complaints(billing) == []


def test_a_use_of_something_else_than_was_held_for_meets_the_limits(
    billing: Billing, actor: Actor
) -> None:
    limit(actor, "1", filters={"model": ["dear"]})
    mine, held = str(actor.account_id), hold(actor, "10", model="cheap")
    dear = Usage("dear", cost=Money.parse("2"))
    refusal = refused(operations.capture, actor, mine, held.id, taken=dear)
    assert refusal.code == "limit_exceeded"
    operations.capture(actor, mine, held.id, taken=dear, policy="overdraft")
    assert complaints(billing) == []


@pytest.mark.parametrize("end", ["release", "capture", "expire"])
def test_fractions_in_metadata_are_freed_where_they_were_held(
    billing: Billing, actor: Actor, clock: Clock, end: str
) -> None:
    limit(actor, "50", partitions=["metadata.size"])
    held = hold(actor, "5", metadata={"size": 1.5}, expires_in_s=60)
    if end == "release":
        release(actor, held)
    elif end == "capture":
        capture(actor, held, "2")
    else:
        clock.forward(seconds=60)
        balance(actor)
    assert complaints(billing) == []


def test_an_overdue_hold_does_not_fill_a_limit(
    billing: Billing, actor: Actor, clock: Clock
) -> None:
    for window in ("daily", 640):
        limit(actor, "10", window, technique="sliding" if window == 640 else "fixed")
    for _ in range(3):
        hold(actor, "3", expires_in_s=60)
    clock.forward(seconds=60)
    spend(actor, "10")
    assert complaints(billing) == []


def test_the_same_key_holds_once(billing: Billing, actor: Actor) -> None:
    first = asked(actor, Money.parse("5"), idempotency_key="k")
    before = everything(billing)
    again = asked(actor, Money.parse("5"), idempotency_key="k")
    assert (first.replayed, again.replayed, again.hold.id) == (False, True, first.hold.id)
    for other in ({"model": "m"}, {"expires_in_s": 60}, {"metadata": {"a": 1}}):
        with pytest.raises(errors.IdempotencyConflict):
            asked(actor, Money.parse("5"), idempotency_key="k", **other)
    assert everything(billing) == before
    release(actor, first.hold)
    assert asked(actor, Money.parse("5"), idempotency_key="k").hold.status == RELEASED


@pytest.mark.parametrize(
    ("expected", "said", "code"),
    [
        (Money(-1), {}, "invalid_request"),
        (Money(1, "EUR"), {}, "currency_mismatch"),
        (Money(1), {"expires_in_s": 0}, "invalid_request"),
        (Money(1), {"expires_in_s": MAX_HOLD_S + 1}, "invalid_request"),
        (Money(1), {"expires_in_s": True}, "invalid_request"),
        (Money(1), {"metadata": {"a": object()}}, "invalid_request"),
        (Money(1), {"idempotency_key": ""}, "invalid_request"),
        (Usage("unheard-of", input_tokens=1), {}, "unpriced_model"),
    ],
)
def test_holds_that_make_no_sense_leave_no_trace(
    billing: Billing, actor: Actor, expected: Any, said: dict[str, Any], *, code: str
) -> None:
    before = everything(billing)
    assert refused(asked, actor, expected, **said).code == code
    assert everything(billing) == before


def test_captures_that_make_no_sense_leave_no_trace(billing: Billing, actor: Actor) -> None:
    mine, held = str(actor.account_id), hold(actor, "5")
    before = everything(billing)
    for taken, policy, code in (
        (Money(-1), "refuse", "invalid_request"),
        (Money(1, "EUR"), "overdraft", "currency_mismatch"),
        (Money(1), "please", "invalid_request"),
        (Usage("unheard-of", input_tokens=1), "refuse", "unpriced_model"),
    ):
        refusal = refused(operations.capture, actor, mine, held.id, taken=taken, policy=policy)
        assert refusal.code == code
    assert everything(billing) == before


def test_a_longest_hold_and_the_settings_own(database_url: str, clock: Clock) -> None:
    billing = billing_on(database_url, clock=clock, hold_expires_s=77)
    actor = account_with(billing, "1")
    assert hold(actor, "0").expires_at == START + timedelta(seconds=77)
    longest = hold(actor, "0", expires_in_s=MAX_HOLD_S)
    assert longest.expires_at == START + timedelta(days=7)


def test_holds_are_listed_by_status(actor: Actor) -> None:
    mine = str(actor.account_id)
    first, second, third = (hold(actor, "1") for _ in range(3))
    capture(actor, first), release(actor, second)
    for status, found in ((CAPTURED, first), (RELEASED, second), (OPEN, third)):
        assert [one.id for one in operations.list_holds(actor, mine, status=status)] == [found.id]
    page = operations.list_holds(actor, mine, before=third.id, limit=1)
    assert [one.id for one in page] == [second.id]
    for wrong in ({"limit": 0}, {"limit": 101}, {"status": "lost"}):
        assert refused(operations.list_holds, actor, mine, **wrong).code == "invalid_request"


def test_holds_of_others_are_not_found(billing: Billing, actor: Actor) -> None:
    other = account_with(billing, "5")
    held = hold(other, "1")
    for act in (capture, release, seen, lambda who, one: extend(who, one, 60)):
        assert refused(act, actor, held).code == "not_found"
    with pytest.raises(errors.NotFound):
        operations.list_holds(actor, str(other.account_id))


def test_the_key_that_held_is_the_key_that_used(billing: Billing, actor: Actor) -> None:
    """Whoever captures signs the entry; whose use it was is said by the hold."""
    robot = actor._replace(key_id="key_1", agent="robot")
    limit(actor, "10", filters={"key": ["key_1"]})
    held = hold(robot, "5")
    done = operations.capture(actor, str(actor.account_id), held.id)
    assert (done.record.key_id, done.record.agent) == ("key_1", "robot")
    assert newest(actor).key_id is None
    assert refused(spend, robot, "5.01").code == "limit_exceeded"
    assert complaints(billing) == []
