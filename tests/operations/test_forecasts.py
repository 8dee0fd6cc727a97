"""A month is foreseen from its own past and says how surely; a balance lasts until a day."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from billing_plugin import Actor, Billing, operations
from billing_plugin.money import Exact
from billing_plugin.operations import Forecast, RunOut, SpendFilter
from billing_plugin.operations.forecasts import forecast_of
from tests.deeds import give, refused, spend
from tests.factories import START, Clock, account_with
from tests.operations.spending import TODAY, before, enter

MONTHLY = {"recurring": True, "period": "monthly"}


def foreseen(actor: Actor, currency: str = "USD", coverage: int = 80, **chosen: Any) -> Forecast:
    account_id = str(actor.account_id)
    report = operations.forecast_month(
        actor, account_id, SpendFilter(**chosen), coverage=coverage
    )  # fmt: skip
    return forecast_of(report.forecasts, currency)


def told(one: Forecast) -> list[str | None]:
    return [amount and amount.text(one.currency) for amount in (one.low, one.expected, one.high)]


def test_days_that_repeat_go_on_to_the_end_of_the_month(actor: Actor) -> None:
    enter(actor, "2.000000000000000001", *before(60))
    one = foreseen(actor)
    assert told(one) == ["62.000000000000000031"] * 3
    assert (one.spent.text("USD"), one.days, one.reason) == ("16.000000000000000008", 60, None)
    enter(actor, "0.5", TODAY)
    assert told(foreseen(actor)) == ["62.000000000000000031"] * 3


def test_what_today_has_come_to_already_counts(actor: Actor) -> None:
    enter(actor, "2", *before(60)), enter(actor, "500", TODAY)
    one = foreseen(actor)
    assert one.spent == Exact.parse("516")
    assert one.low is not None
    assert one.low >= Exact.parse("560")


def test_an_uneven_past_makes_an_interval(actor: Actor) -> None:
    for place, day in enumerate(before(84)):
        enter(actor, str(1 + place * place % 17), day)
    one = foreseen(actor)
    assert one.low is not None and one.expected is not None and one.high is not None
    assert one.spent < one.low < one.expected < one.high
    surer, less = foreseen(actor, coverage=90), foreseen(actor, coverage=50)
    assert surer.high is not None and less.high is not None
    assert less.high < one.high <= surer.high


def test_too_little_history_is_no_number(actor: Actor) -> None:
    enter(actor, "2", *before(27))
    one = foreseen(actor)
    assert (told(one), one.days, one.reason) == ([None] * 3, 27, "too_little_history")
    assert one.spent == Exact.parse("16")
    enter(actor, "2", TODAY - timedelta(days=28))
    assert told(foreseen(actor)) == ["62.00"] * 3


def test_an_account_without_anything(actor: Actor) -> None:
    report = operations.forecast_month(actor, str(actor.account_id))
    assert report.forecasts == []
    assert (report.coverage, report.method) == (80, "weekday_means")
    assert (report.basis.since, report.basis.until) == (date(2026, 3, 1), date(2026, 3, 31))
    assert report.basis.as_of == START
    assert told(forecast_of([], "USD")) == [None] * 3


def test_where_nothing_is_spent_any_more_only_what_is_known_is_expected(actor: Actor) -> None:
    enter(actor, "2", *before(40, TODAY - timedelta(days=40)))
    one = foreseen(actor)
    assert (told(one), one.reason) == ([None, "0.00", None], "no_recent_spend")
    enter(actor, "49", date(2026, 2, 20), name="seat", **MONTHLY)
    assert told(foreseen(actor)) == [None, "49.00", None]


def test_what_recurs_is_expected_once_and_named(actor: Actor) -> None:
    enter(actor, "2", *before(60))
    enter(actor, "29", date(2026, 2, 20), name="Pro Feb", **MONTHLY)
    enter(actor, "20", date(2025, 3, 9), name="domain", recurring=True, period="yearly")
    one = foreseen(actor)
    assert told(one) == ["111.00"] * 3
    assert (one.recurring, one.days) == (Exact.parse("49"), 60)
    assert [(due.commitment.name, list(map(str, due.days))) for due in one.due] == [
        ("domain", ["2026-03-09"]), ("Pro Feb", ["2026-03-20"]),
    ]  # fmt: skip
    enter(actor, "31", date(2026, 3, 8), name="Pro March", **MONTHLY)
    one = foreseen(actor)
    assert told(one) == ["113.00"] * 3
    assert [due.commitment.name for due in one.due] == ["domain"]
    assert one.spent == Exact.parse("47")


def test_what_is_booked_ahead_is_known(actor: Actor) -> None:
    enter(actor, "2", *before(60)), enter(actor, "5", date(2026, 3, 31))
    enter(actor, "29", date(2026, 2, 20), name="seat", **MONTHLY)
    enter(actor, "29", date(2026, 3, 20), name="seat", **MONTHLY)
    enter(actor, "1000", date(2026, 4, 1))
    one = foreseen(actor)
    assert (one.booked, one.due) == (Exact.parse("34"), [])
    assert told(one) == ["96.00"] * 3


def test_something_weekly_comes_on_each_of_its_days(actor: Actor) -> None:
    enter(actor, "7", date(2026, 3, 4), name="news", recurring=True, period="weekly")
    [due] = foreseen(actor).due
    assert (due.amount, [day.day for day in due.days]) == (Exact.parse("21"), [11, 18, 25])


def test_the_last_day_of_a_month(actor: Actor, clock: Clock) -> None:
    clock.at = datetime(2026, 3, 31, 12, tzinfo=UTC)
    enter(actor, "2", *before(60, date(2026, 3, 30)))
    assert told(foreseen(actor)) == ["62.00"] * 3
    enter(actor, "3", date(2026, 3, 31))
    assert told(foreseen(actor)) == ["63.00"] * 3


def test_currencies_and_filters(actor: Actor) -> None:
    enter(actor, "2", *before(60)), enter(actor, "3", *before(60), provider="q", currency="EUR")
    assert told(foreseen(actor)) == ["62.00"] * 3
    assert told(foreseen(actor, "EUR")) == ["93.00"] * 3
    assert told(foreseen(actor, "EUR", provider="q")) == ["93.00"] * 3
    assert told(foreseen(actor, provider="q")) == [None] * 3


def test_metered_use_is_foreseen_where_it_is_asked_for(billing: Billing) -> None:
    actor = account_with(billing, "1000")
    for day in before(30):
        spend(actor, "1", datetime.combine(day, START.timetz()))
    assert told(foreseen(actor)) == [None] * 3
    assert told(foreseen(actor, sources=("metered",))) == ["31.00"] * 3


@pytest.mark.parametrize("coverage", [49, 91, 0, -1])
def test_a_coverage_that_nobody_can_promise_is_refused(actor: Actor, coverage: int) -> None:
    assert refused(foreseen, actor, coverage=coverage).code == "invalid_request"
    mine = str(actor.account_id)
    assert refused(operations.run_out, actor, mine, coverage=coverage).code == "invalid_request"


def test_days_are_not_chosen(actor: Actor) -> None:
    for chosen in ({"since": TODAY}, {"until": TODAY}):
        assert refused(foreseen, actor, **chosen).code == "invalid_request"


def test_an_unknown_account_is_not_found(billing: Billing) -> None:
    for ask in (operations.forecast_month, operations.run_out):
        assert refused(ask, billing.operator(), "acct_none").code == "not_found"


def lasting(actor: Actor) -> RunOut:
    return operations.run_out(actor, str(actor.account_id))


def days_of(found: RunOut) -> list[str | None]:
    return [day and str(day) for day in (found.earliest, found.expected, found.latest)]


def use(actor: Actor, units: str, number: int) -> None:
    for day in before(number):
        spend(actor, units, datetime.combine(day, START.timetz()))


def test_a_steady_use_lasts_until_a_day(billing: Billing, clock: Clock) -> None:
    actor = account_with(billing, "40")
    use(actor, "1", 30)
    found = lasting(actor)
    assert days_of(found) == ["2026-03-18"] * 3  # ten days at 1.00, today among them
    assert (found.available.text, found.days, found.reason) == ("10.00", 30, None)
    assert (found.coverage, found.horizon_days, found.method) == (80, 365, "weekday_means")
    assert (found.basis.sources, found.basis.as_of) == (["metered"], START)
    spend(actor, "1")
    assert days_of(lasting(actor)) == ["2026-03-18"] * 3
    clock.forward(days=1)
    assert days_of(lasting(actor)) == ["2026-03-18"] * 3


def test_an_uneven_use_has_an_earliest_and_a_latest_day(billing: Billing) -> None:
    actor = account_with(billing, "400")
    for place, day in enumerate(before(56)):
        spend(actor, str(1 + place * place % 11), datetime.combine(day, START.timetz()))
    found = lasting(actor)
    assert found.earliest and found.expected and found.latest
    assert TODAY < found.earliest < found.expected < found.latest


def test_beyond_the_horizon_there_is_no_day(billing: Billing) -> None:
    actor = account_with(billing, "394.99")
    use(actor, "1", 30)
    assert days_of(lasting(actor)) == ["2027-03-08"] * 3
    give(billing, actor, "0.02")
    found = lasting(actor)
    assert (days_of(found), found.reason) == ([None] * 3, "beyond_horizon")


def test_without_a_pace_there_is_no_day(billing: Billing, clock: Clock) -> None:
    actor = account_with(billing, "100")
    assert (days_of(lasting(actor)), lasting(actor).reason) == ([None] * 3, "too_little_history")
    use(actor, "1", 29)
    assert lasting(actor).reason is None
    clock.forward(days=28)
    found = lasting(actor)
    assert (days_of(found), found.reason, found.days) == ([None] * 3, "no_recent_spend", 57)


def test_what_is_used_up_is_used_up_today(billing: Billing) -> None:
    actor = account_with(billing, "30")
    use(actor, "1", 30)
    found = lasting(actor)
    assert (days_of(found), found.reason) == ([str(TODAY)] * 3, "used_up")


def test_what_is_held_is_not_there_to_last(billing: Billing) -> None:
    actor = account_with(billing, "40")
    use(actor, "1", 30)
    operations.hold(actor, str(actor.account_id), operations.check_balance(
        actor, str(actor.account_id)
    ).available)  # fmt: skip
    assert lasting(actor).reason == "used_up"
