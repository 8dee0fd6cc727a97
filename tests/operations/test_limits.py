"""Spending limits: what counts, when they reset, and that no edit grants a second budget."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from billing_plugin import Actor, Billing, Money, errors, operations
from billing_plugin.operations import Submission, Usage
from billing_plugin.operations.limits import LimitState
from tests import deeds
from tests.books import complaints, counts, everything, untold
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
    before = untold(billing)
    refused(actor, "1")
    assert untold(billing) == before


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


ROBOT = {"key_id": "key_1", "agent": "robot"}


@pytest.mark.parametrize(
    ("filters", "inside", "outside"),
    [
        ({"key": ["key_1"]}, {"who": ROBOT}, {}),
        ({"agent": ["robot", "other"]}, {"who": ROBOT}, {}),
        ({"provider": ["p"]}, {"provider": "p"}, {"provider": "q"}),
        ({"model": ["m", "n"]}, {"model": "n"}, {"model": "o"}),
        ({"metadata.team": ["red"]}, {"metadata": {"team": "red"}}, {"metadata": {"team": "blue"}}),
        ({"metadata.size": ["1.5"]}, {"metadata": {"size": 1.5}}, {"metadata": {"size": 2}}),
        (
            {"model": ["m"], "metadata.team": ["red"]},
            {"model": "m", "metadata": {"team": "red"}},
            {"model": "m"},
        ),
    ],
    ids=str,
)
@pytest.mark.parametrize("technique", ["fixed", "sliding"])
def test_a_limit_is_about_what_it_filters(
    billing: Billing, actor: Actor, technique: str, filters: Any, *, inside: Any, outside: Any
) -> None:
    def use(units: str, said: dict[str, Any]) -> None:
        given = dict(said)
        who = actor._replace(**given.pop("who", {}))
        deeds.spend(who, units, **given)

    use("4", inside)
    state = deeds.limit(actor, "10", filters=filters, technique=technique)
    assert state.spent.text == "4.00"
    use("50", outside)
    use("6", inside)
    assert deeds.refused(use, "0.01", inside).code == "limit_exceeded"
    use("1", outside)
    assert deeds.state(actor, state).spent.text == "10.00"
    assert complaints(billing) == []


@pytest.mark.parametrize("technique", ["fixed", "sliding"])
def test_each_value_of_a_partition_has_the_amount_and_the_missing_share_one(
    billing: Billing, actor: Actor, technique: str
) -> None:
    said: dict[str, Any] = {"partitions": ["metadata.team"], "technique": technique}
    state = deeds.limit(actor, "10", 600, **said)
    for team in ("red", "blue"):
        deeds.spend(actor, "10", metadata={"team": team})
    deeds.spend(actor, "6"), deeds.spend(actor, "4", metadata={"team": None})
    for metadata in ({"team": "red"}, {"team": "blue"}, {}, {"other": 1}):
        assert deeds.refused(deeds.spend, actor, "0.01", metadata=metadata).status == 402
    now = deeds.state(actor, state)
    assert (now.spent.text, now.remaining, now.overspent.text) == ("30.00", None, "0.00")
    assert sorted(str(bucket.values) for bucket in now.buckets) == [
        "['blue']", "['red']", "[None]",
    ]  # fmt: skip
    assert {(one.spent.text, one.remaining.text) for one in now.buckets} == {("10.00", "0.00")}
    assert complaints(billing) == []


def test_a_window_of_seconds_is_aligned_to_the_epoch(actor: Actor, clock: Clock) -> None:
    state = deeds.limit(actor, "1", 600)
    minutes = timedelta(minutes=1)
    assert (state.window_start, state.resets_at) == (START - 2 * minutes, START + 8 * minutes)
    spend(actor, "1")
    refused(actor, "1")
    clock.forward(minutes=8)
    spend(actor, "1")


def test_a_window_that_slides_frees_what_has_left_it(actor: Actor, clock: Clock) -> None:
    state = deeds.limit(actor, "10", 640, technique="sliding")
    spend(actor, "6")
    clock.forward(seconds=300)
    spend(actor, "4")
    assert refused(actor, "1")["resets_at"] == START + timedelta(seconds=640)
    clock.forward(seconds=340)
    spend(actor, "6")
    assert deeds.state(actor, state).spent.text == "10.00"


@pytest.mark.parametrize("partitions", [[], ["model"]])
def test_a_window_of_a_hundred_years_can_slide(actor: Actor, partitions: list[str]) -> None:
    longest = 100 * 366 * 86_400
    state = deeds.limit(actor, "10", longest, technique="sliding", partitions=partitions)
    spend(actor, "4")
    assert deeds.state(actor, state).spent.text == "4.00"


def test_lowering_a_limit_below_what_is_spent_says_so(billing: Billing, actor: Actor) -> None:
    state = limit(actor, "10")
    spend(actor, "8")
    mine = str(actor.account_id)
    now = operations.update_limit(actor, mine, state.limit.id, amount=Money.parse("5"))
    assert (now.overspent.text, now.remaining and now.remaining.text) == ("3.00", "0.00")
    assert refused(actor, "0.01")["spent"] == "8.00"
    spend(actor, "0")


@pytest.mark.parametrize(
    "changes",
    [
        {"window": "total"}, {"window": 86_400 * 400}, {"zone": "Asia/Tokyo"},
        {"technique": "sliding"}, {"filters": {"model": ["m"]}}, {"name": "other"},
        {"partitions": ["model"]}, {"action": "soft"},
    ],
    ids=str,
)  # fmt: skip
def test_no_edit_forgets_what_was_counted(
    billing: Billing, actor: Actor, changes: dict[str, Any]
) -> None:
    mine, state = str(actor.account_id), limit(actor, "10")
    spend(actor, "8")
    deeds.hold(actor, "1", model="m")
    now = operations.update_limit(actor, mine, state.limit.id, changes=changes)
    assert now.limit.id == state.limit.id
    spend(actor, "1")
    now = operations.get_limit(actor, mine, state.limit.id)
    assert (now.spent.text, now.held.text) == ("9.00", "1.00")
    if "action" not in changes:
        assert refused(actor, "0.01")["spent"] == "9.00"
    assert complaints(billing) == []


def test_a_revision_guards_an_edit(billing: Billing, actor: Actor) -> None:
    mine, state = str(actor.account_id), limit(actor, "10")
    limit_id, revision = state.limit.id, state.limit.revision
    now = operations.update_limit(
        actor, mine, limit_id, amount=Money.parse("9"), revision=revision
    )  # fmt: skip
    assert now.limit.revision == revision + 1
    before = everything(billing)
    for act in (operations.update_limit, operations.remove_limit):
        with pytest.raises(errors.PreconditionFailed):
            act(actor, mine, limit_id, revision=revision)
    assert everything(billing) == before
    operations.remove_limit(actor, mine, limit_id, revision=revision + 1)


def test_an_edit_may_not_meet_another_limit(actor: Actor) -> None:
    mine, state = str(actor.account_id), limit(actor, "10")
    daily = limit(actor, "10", "daily")
    for changes in ({"window": "monthly"}, {"colour": "red"}, {"window": "total",
                                                              "technique": "sliding"}):  # fmt: skip
        refusal = deeds.refused(
            operations.update_limit, actor, mine, daily.limit.id, changes=changes
        )  # fmt: skip
        assert refusal.code == "invalid_request"
    assert limits(actor) == [state, daily]


def test_the_same_key_sets_once(billing: Billing, actor: Actor) -> None:
    first = deeds.limit(actor, "10", idempotency_key="k")
    limit(actor, "20")
    again = deeds.limit(actor, "10", idempotency_key="k")
    assert (again.limit.id, again.limit.amount.text) == (first.limit.id, "20.00")
    conflict = deeds.refused(deeds.limit, actor, "11", idempotency_key="k")
    assert conflict.code == "idempotency_conflict"


def test_soft_and_shadow_limits_let_through_and_note(actor: Actor) -> None:
    soft, shadow = (deeds.limit(actor, "5", "daily", action=one) for one in ("soft", "shadow"))
    for units in ("4", "3", "2"):
        spend(actor, units)
    deeds.hold(actor, "1")
    mine = str(actor.account_id)
    found = [operations.list_limit_notices(actor, mine, one.limit.id) for one in (soft, shadow)]
    assert [[(one["kind"], one["times"]) for one in some] for some in found] == [
        [("reached", 1)], [("would_refuse", 3)],
    ]  # fmt: skip
    assert deeds.state(actor, soft).overspent.text == "5.00"


@pytest.mark.parametrize(
    "said",
    [
        {"window": True}, {"window": 0}, {"window": "3600"}, {"technique": "jumping"},
        {"action": "wish"}, {"window": "total", "technique": "sliding"},
        {"filters": {"colour": ["red"]}}, {"filters": {"metadata.": ["red"]}},
        {"filters": {"model": []}}, {"filters": {"model": "m"}}, {"filters": {"model": [5]}},
        {"filters": {"model": ["x" * 201]}}, {"filters": {"model": ["x"] * 101}},
        {"filters": {"model": ["\0"]}}, {"filters": {"metadata." + "x" * 200: ["a"]}},
        {"partitions": ["colour"]}, {"partitions": ["metadata.\0"]}, {"name": "x" * 201},
        {"partitions": [f"metadata.{n}" for n in range(11)]}, {"name": "\ud800"},
    ],
    ids=repr,
)  # fmt: skip
def test_plans_that_make_no_sense_leave_no_trace(
    billing: Billing, actor: Actor, said: dict[str, Any]
) -> None:
    before = everything(billing)
    assert deeds.refused(deeds.limit, actor, "1", **said).code == "invalid_request"
    assert everything(billing) == before


def test_names_of_metadata_are_text(billing: Billing, actor: Actor) -> None:
    """JSON makes text of them, so that a number would be found in the books and not before."""
    before = everything(billing)
    refusal = deeds.refused(deeds.spend, actor, "1", metadata={5: "red"})
    assert refusal.code == "invalid_request"
    assert everything(billing) == before
