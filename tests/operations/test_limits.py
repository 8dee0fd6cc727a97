"""Spending limits: what counts, when they reset, and that no edit grants a second budget."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from billing_plugin import Actor, Billing, Money, errors, operations
from billing_plugin.operations import Submission, Usage
from billing_plugin.operations.limits import LimitState
from tests.books import complaints, counts, everything
from tests.factories import START, Clock, account_with

MONDAY = datetime(2026, 3, 9, tzinfo=UTC)
APRIL = datetime(2026, 4, 1, tzinfo=UTC)
LA_MARCH = datetime(2026, 3, 1, 8, tzinfo=UTC)


def limit(actor: Actor, units: str, window: str = "monthly", zone: str = "UTC") -> LimitState:
    amount = Money.parse(units)
    return operations.set_limit(actor, str(actor.account_id), amount, window=window, zone=zone)


def limits(actor: Actor) -> list[LimitState]:
    return operations.list_limits(actor, str(actor.account_id))


def remove(actor: Actor, state: LimitState) -> None:
    operations.remove_limit(actor, str(actor.account_id), state.limit.id)


def spend(actor: Actor, units: str, at: datetime | None = None) -> None:
    used = Usage(model="m", cost=Money.parse(units), effective_at=at)
    operations.record_usage(actor, str(actor.account_id), used)


def refused(actor: Actor, units: str, at: datetime | None = None) -> dict[str, Any]:
    with pytest.raises(errors.LimitExceeded) as refusal:
        spend(actor, units, at)
    return refusal.value.extra


def test_a_limit_stops_exactly_at_its_amount(billing: Billing, actor: Actor) -> None:
    state = limit(actor, "5")
    spend(actor, "4.999999999")
    assert refused(actor, "0.000000002") == {
        "limit_id": state.limit.id, "limit_name": "", "amount": "5.00", "spent": "4.999999999",
        "held": "0.00", "requested": "0.000000002", "currency": "USD", "resets_at": APRIL,
    }  # fmt: skip
    spend(actor, "0.000000001")
    assert refused(actor, "0.000000001")["spent"] == "5.00"
    [state] = limits(actor)
    assert (state.spent.text, state.remaining.text) == ("5.00", "0.00")
    assert complaints(billing) == []


def test_a_refusal_names_the_limit_not_the_balance_when_both_refuse(actor: Actor) -> None:
    limit(actor, "5")
    assert refused(actor, "1000")["requested"] == "1000.00"


@pytest.mark.parametrize(
    ("window", "zone", "start", "end"),
    [
        ("total", "UTC", datetime(1970, 1, 1, tzinfo=UTC), None),
        ("daily", "UTC", MONDAY, MONDAY + timedelta(days=1)),
        ("weekly", "UTC", MONDAY, MONDAY + timedelta(days=7)),
        ("monthly", "UTC", datetime(2026, 3, 1, tzinfo=UTC), APRIL),
        ("daily", "Asia/Tokyo", MONDAY - timedelta(hours=9), MONDAY + timedelta(hours=15)),
        ("weekly", "Asia/Tokyo", MONDAY - timedelta(hours=9), MONDAY + timedelta(hours=159)),
        # Clocks of Los Angeles went forward on 8 March.
        ("monthly", "America/Los_Angeles", LA_MARCH, LA_MARCH + timedelta(days=31, hours=-1)),
    ],
)  # fmt: skip
def test_a_window_counts_from_its_first_instant_to_its_last(
    actor: Actor, clock: Clock, window: str, zone: str, start: datetime, end: datetime | None
) -> None:
    state = limit(actor, "1", window, zone)
    assert (state.window_start, state.resets_at) == (start, end)
    spend(actor, "0.6", start)
    assert refused(actor, "0.5", START)["resets_at"] == end
    if end is None:
        return
    spend(actor, "1", start - timedelta(microseconds=1))
    clock.at = end
    assert refused(actor, "0.5", end - timedelta(microseconds=1))["spent"] == "0.60"
    spend(actor, "1", end)
    assert limits(actor)[0].spent.text == "1.00"
    assert limits(actor)[0].window_start == end


def test_usage_counts_in_the_window_of_its_own_time(billing: Billing, actor: Actor) -> None:
    limit(actor, "1", "daily")
    yesterday = START - timedelta(days=1)
    spend(actor, "1")
    spend(actor, "1", yesterday)
    refused(actor, "0.1", yesterday)
    assert limits(actor)[0].spent.text == "1.00"
    assert counts(billing)["limit_counter"] == 2
    assert complaints(billing) == []


def test_a_limit_set_in_mid_month_counts_what_was_spent(actor: Actor) -> None:
    spend(actor, "3", datetime(2026, 3, 1, tzinfo=UTC))
    spend(actor, "50", datetime(2026, 2, 28, 23, 59, 59, tzinfo=UTC))
    state = limit(actor, "5")
    assert (state.spent.text, state.remaining.text) == ("3.00", "2.00")
    refused(actor, "2.01")
    spend(actor, "2")


def test_editing_grants_no_second_budget(billing: Billing, actor: Actor) -> None:
    first = limit(actor, "5")
    spend(actor, "4")
    lower = limit(actor, "2")
    assert lower.limit.id == first.limit.id
    assert (lower.spent.text, lower.remaining.text) == ("4.00", "0.00")
    refused(actor, "0.01")
    limit(actor, "5")
    refused(actor, "1.01")
    spend(actor, "1")
    assert counts(billing)["spending_limit"] == 1
    assert complaints(billing) == []


def test_removing_and_setting_again_grants_no_second_budget(billing: Billing, actor: Actor) -> None:
    state = limit(actor, "5")
    spend(actor, "4")
    remove(actor, state)
    assert limits(actor) == []
    spend(actor, "10")
    again = limit(actor, "20")
    assert again.spent.text == "14.00"
    refused(actor, "6.01")
    spend(actor, "6")
    assert complaints(billing) == []


@pytest.mark.parametrize("zone", ["Asia/Tokyo", "America/Los_Angeles", "Etc/UTC"])
def test_another_zone_or_window_grants_no_second_budget(actor: Actor, zone: str) -> None:
    state = limit(actor, "5")
    spend(actor, "4")
    remove(actor, state)
    assert limit(actor, "5", "monthly", zone).spent.text == "4.00"
    assert limit(actor, "5", "weekly", zone).spent.text == "4.00"
    assert limit(actor, "5", "total", zone).spent.text == "4.00"
    refused(actor, "1.01")


def test_every_limit_holds_at_once(billing: Billing, actor: Actor, clock: Clock) -> None:
    total = limit(actor, "10", "total")
    month = limit(actor, "8", "monthly")
    day = limit(actor, "3", "daily")
    spend(actor, "3")
    assert refused(actor, "0.1")["limit_id"] == day.limit.id
    clock.forward(days=1)
    spend(actor, "3")
    clock.forward(days=1)
    assert refused(actor, "3")["limit_id"] == month.limit.id
    spend(actor, "2")
    clock.forward(days=30)
    assert refused(actor, "3")["limit_id"] == total.limit.id
    spend(actor, "2")
    assert complaints(billing) == []


def test_a_refusal_by_one_limit_counts_in_none(billing: Billing, actor: Actor) -> None:
    limit(actor, "10", "total")
    limit(actor, "1", "daily")
    spend(actor, "1")
    before = everything(billing)
    refused(actor, "1")
    assert everything(billing) == before


def test_a_limit_of_zero_stops_everything_that_costs(actor: Actor) -> None:
    limit(actor, "0")
    refused(actor, "0.000000001")
    spend(actor, "0")


def test_a_batch_meets_the_limit_in_order(billing: Billing, actor: Actor) -> None:
    limit(actor, "1", "daily")
    days = [START - timedelta(days=number % 3) for number in range(12)]
    wishes = [Submission(Usage("m", cost=Money.parse("0.3"), effective_at=at)) for at in days]
    outcomes = operations.record_usage_batch(actor, str(actor.account_id), wishes)
    assert [outcome.error is None for outcome in outcomes] == [True] * 9 + [False] * 3
    assert counts(billing)["limit_counter"] == 3
    assert complaints(billing) == []


@pytest.mark.parametrize(
    ("amount", "window", "zone", "code"),
    [
        (Money(-1), "daily", "UTC", "invalid_request"),
        (Money(1), "hourly", "UTC", "invalid_request"),
        (Money(1), "daily", "Mars/Phobos", "invalid_request"),
        (Money(1), "daily", "UTC\0", "invalid_request"),
        (Money(1, "EUR"), "daily", "UTC", "currency_mismatch"),
    ],
)
def test_limits_that_make_no_sense_are_refused(
    billing: Billing, actor: Actor, amount: Money, window: str, *, zone: str, code: str
) -> None:
    before = everything(billing)
    with pytest.raises(errors.InvalidRequest) as refusal:
        operations.set_limit(actor, str(actor.account_id), amount, window=window, zone=zone)
    assert refusal.value.code == code
    assert everything(billing) == before


def test_the_largest_limit_is_a_limit(actor: Actor) -> None:
    state = operations.set_limit(actor, str(actor.account_id), Money(2**63 - 1), window="total")
    spend(actor, "1")
    assert limits(actor)[0].remaining.nanos == 2**63 - 1 - 10**9
    assert state.limit.amount.nanos == 2**63 - 1


def test_limits_of_others_are_not_found(billing: Billing, actor: Actor) -> None:
    other = account_with(billing, "5")
    state = limit(other, "5")
    mine, unknown = str(actor.account_id), "lim_" + "0" * 32
    for limit_id in (state.limit.id, unknown, "", "\ud800x"):
        for ask in (operations.get_limit, operations.remove_limit):
            with pytest.raises((errors.NotFound, errors.InvalidRequest)):
                ask(actor, mine, limit_id)
    for ask_all in (operations.list_limits, lambda *who: operations.set_limit(*who, Money(1))):
        with pytest.raises(errors.NotFound):
            ask_all(actor, str(other.account_id))
        with pytest.raises(errors.NotFound):
            ask_all(billing.operator(), "acct_" + "0" * 32)
    assert operations.get_limit(other, str(other.account_id), state.limit.id) == state


def test_a_removed_limit_is_not_found(actor: Actor) -> None:
    state = limit(actor, "5")
    remove(actor, state)
    with pytest.raises(errors.NotFound):
        remove(actor, state)
    with pytest.raises(errors.NotFound):
        operations.get_limit(actor, str(actor.account_id), state.limit.id)
