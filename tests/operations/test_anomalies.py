"""Days out of the ordinary are found; usual days, new levels and cents are not taken for them."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest

from billing_plugin import Actor, Billing, operations
from billing_plugin.operations import Anomalies, SpendFilter
from billing_plugin.operations.anomalies import LEAST_CENTS, Norm, is_far, norm
from tests.backtests import anomalies as backtest
from tests.deeds import refused
from tests.operations.spending import TODAY, before, enter

YESTERDAY = TODAY - timedelta(days=1)


def looked(actor: Actor, least: int = LEAST_CENTS, **chosen: Any) -> Anomalies:
    account_id = str(actor.account_id)
    return operations.find_anomalies(actor, account_id, SpendFilter(**chosen), least_cents=least)


def lines(found: Anomalies) -> list[tuple[str, str | None, str, str]]:
    return [
        (str(one.day), one.provider, one.amount.text(one.currency), one.usual.text(one.currency))
        for one in found.found
    ]


def test_a_norm_is_of_the_same_weekday() -> None:
    weeks = [100, 90, 100, 100, 100, 5, 0] * 8
    assert norm(weeks) == Norm(100, 25, 0)
    assert norm([*weeks[5:], *weeks[:5]]) == Norm(5, 1, 0)
    assert norm([0] * 28) == Norm(0, 0, 0)


def test_far_is_beyond_the_usual_distance() -> None:
    steady = norm([100, 101, 99, 100, 102, 98, 100] * 8)
    assert not is_far(125, steady, least=0)
    assert is_far(126, steady, least=0)
    assert is_far(74, steady, least=0)
    assert not is_far(75, steady, least=0)
    assert not is_far(126, steady, least=27)
    noisy = norm([100 + 40 * (place % 3) for place in range(56)])
    assert not is_far(250, noisy, least=0)


def test_a_new_level_is_far_while_it_is_new() -> None:
    days, alarms = [100, 103, 98, 101, 100, 99, 102] * 8, []
    for step in range(10):
        alarms.append(is_far(300, norm((days + [300] * step)[-56:]), least=0))
    assert alarms == [True] * 4 + [False] * 6


@pytest.mark.parametrize("amount", [-1, 0, 3, 1000])
def test_below_is_the_mirror_of_above(amount: int) -> None:
    for usual in (Norm(50, 20, 7), Norm(50, 20, -7), Norm(-5, 9, 0)):
        mirrored = Norm(-usual.usual, usual.far, -usual.shift)
        assert is_far(amount, usual, least=5) == is_far(-amount, mirrored, least=5)


def test_a_spike_is_found_for_its_provider_and_for_all(actor: Actor) -> None:
    enter(actor, "2", *before(60)), enter(actor, "3", *before(60), provider="q")
    enter(actor, "30", date(2026, 3, 3), provider="q")
    found = looked(actor)
    assert lines(found) == [
        ("2026-03-03", None, "35.00", "5.00"), ("2026-03-03", "q", "33.00", "3.00"),
    ]  # fmt: skip
    assert all(one.is_above for one in found.found)
    assert (found.judged, found.unjudged) == (3 * 28, 0)
    assert (found.basis.since, found.basis.until) == (date(2026, 2, 10), TODAY)
    assert lines(looked(actor, provider="p")) == []
    assert len(lines(looked(actor, provider="q"))) == 2


def test_a_day_without_anything_is_below_unless_it_is_not_over(actor: Actor) -> None:
    enter(actor, "2", *(day for day in before(60) if day != YESTERDAY))
    assert lines(looked(actor)) == [
        ("2026-03-08", None, "0.00", "2.00"), ("2026-03-08", "p", "0.00", "2.00"),
    ]  # fmt: skip
    assert not looked(actor).found[0].is_above
    enter(actor, "9", TODAY)
    assert [str(one.day) for one in looked(actor).found] == ["2026-03-09"] * 2 + ["2026-03-08"] * 2


def test_cents_do_not_alarm(actor: Actor) -> None:
    enter(actor, "0.01", *before(60)), enter(actor, "0.99", YESTERDAY)
    assert lines(looked(actor)) == []
    assert len(lines(looked(actor, least=99))) == 2
    enter(actor, "0.01", YESTERDAY)
    assert len(lines(looked(actor))) == 2


def test_what_recurs_is_expected_and_no_anomaly(actor: Actor) -> None:
    enter(actor, "2", *before(60))
    enter(actor, "500", date(2026, 3, 1), recurring=True, period="monthly")
    assert lines(looked(actor)) == []
    enter(actor, "500", date(2026, 3, 2), recurring=True)
    assert len(lines(looked(actor))) == 2


def test_without_four_weeks_before_it_a_day_is_not_judged(actor: Actor) -> None:
    enter(actor, "2", *before(30)), enter(actor, "90", TODAY - timedelta(days=3))
    found = looked(actor)
    assert (lines(found), found.judged, found.unjudged) == ([], 6, 50)
    enter(actor, "90", TODAY)
    assert [str(one.day) for one in looked(actor).found] == [str(TODAY)] * 2


def test_currencies_are_told_apart(actor: Actor) -> None:
    enter(actor, "2", *before(60)), enter(actor, "500", *before(60), currency="JPY")
    enter(actor, "900", YESTERDAY, currency="JPY")
    assert [(one.currency, one.provider) for one in looked(actor).found] == [
        ("JPY", None), ("JPY", "p"),
    ]  # fmt: skip


def test_other_days_may_be_asked_about(actor: Actor) -> None:
    enter(actor, "2", *before(90)), enter(actor, "60", date(2026, 2, 1))
    span = {"since": date(2026, 1, 20), "until": date(2026, 2, 5)}
    assert [str(one.day) for one in looked(actor, **span).found] == ["2026-02-01"] * 2
    assert looked(actor, since=TODAY, until=date(2027, 1, 1)).basis.until == TODAY


@pytest.mark.parametrize(
    ("since", "until"),
    [
        (date(2026, 3, 10), None), (date(2026, 3, 2), date(2026, 3, 1)),
        (date(2025, 12, 7), None), (date(1970, 1, 2), date(1970, 1, 3)),
        (None, date(1970, 2, 1)),
    ],
)  # fmt: skip
def test_days_that_cannot_be_are_refused(
    actor: Actor, since: date | None, until: date | None
) -> None:
    assert refused(looked, actor, since=since, until=until).code == "invalid_request"


def test_the_most_days_are_92(actor: Actor) -> None:
    assert looked(actor, since=date(2025, 12, 8)).unjudged == 0
    for least in (-1, 2**63):
        assert refused(looked, actor, least=least).code == "invalid_request"


def test_an_unknown_account_or_category_is_not_found(billing: Billing, actor: Actor) -> None:
    assert refused(operations.find_anomalies, billing.operator(), "acct_none").status == 404
    assert refused(looked, actor, category="none").status == 404


@pytest.mark.parametrize("kind", ["plain", "weekdays", "trend", "shift", "drifting", "sticky"])
def test_spikes_are_found_and_ordinary_days_are_not(kind: str) -> None:
    seeds = range(100, 112)
    alarms, days = backtest.false_alarms(kind, seeds)
    assert days > 3000
    assert alarms < days // 50
    for times, least in ((10, 95), (5, 75)):
        hits, number = backtest.found(kind, times, seeds)
        assert 100 * hits >= least * number
