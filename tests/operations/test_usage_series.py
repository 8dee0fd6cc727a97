"""Usage over time equals a recomputation record by record, in any zone, unit and grouping."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from billing_plugin import Actor, Billing, Money, errors, operations
from billing_plugin.operations import SeriesAsked, SpendFilter, Submission, Usage, Value
from billing_plugin.operations.coverage import Priced
from billing_plugin.operations.usage_series import (
    AGGREGATIONS,
    MAX_BUCKETS,
    MEASURES,
    UNITS,
    buckets_of,
)
from tests.deeds import spend
from tests.factories import START, Clock, account_with, billing_on

ZONES = ("UTC", "Europe/Berlin", "Asia/Kathmandu", "Australia/Lord_Howe", "America/St_Johns")
SPRING = datetime(2026, 3, 28, 22, tzinfo=UTC)  # a day before clocks change in Europe
MONEY = {"input_tokens": 1000, "output_tokens": 7}
HOUR = timedelta(hours=1)


@pytest.fixture
def owner(billing: Billing, clock: Clock) -> Actor:
    """An account that may spend."""
    clock.at = START + timedelta(days=40)
    return account_with(billing, "1000")


def use(owner: Actor, *uses: tuple[str, datetime, str, int]) -> None:
    """Records uses: model, when, cost, input tokens."""
    submissions = [
        Submission(Usage(model, "p" if model != "c" else "q", input_tokens=tokens,
                         cost=Money.parse(cost), effective_at=at))
        for model, at, cost, tokens in uses
    ]  # fmt: skip
    operations.record_usage_batch(owner, str(owner.account_id), submissions)


def asked(owner: Actor, **said: Any) -> operations.UsageSeries:
    said = {"start": SPRING, "end": SPRING + timedelta(days=4)} | said
    return operations.report_usage(owner, str(owner.account_id), SeriesAsked(**said))


def test_a_day_is_one_of_its_zone_and_every_day_is_there(owner: Actor) -> None:
    use(owner, ("a", SPRING, "1", 5), ("a", SPRING + 2 * HOUR, "2", 0),
        ("b", SPRING + 26 * HOUR, "0.000000001", 9))  # fmt: skip
    found = asked(owner, zone="Europe/Berlin", groups=["model"],
                  values=[Value(), Value("input_tokens"), Value("records")])  # fmt: skip
    lengths = [(one.end - one.start) / HOUR for one in found.buckets]
    assert lengths == [1, 23, 24, 24, 24]  # cut off, shortened by the clocks, whole, …, cut off
    assert [one.group for one in found.series] == [("a",), ("b",)]
    first = [[point[0].text, *point[1:]] for point in found.series[0].points]
    assert first == [["1.00", 5, 1], ["2.00", 0, 1], *[["0.00", 0, 0]] * 3]
    assert (found.total.text, found.uses) == ("3.000000001", 3)
    assert not found.limit_reached
    assert found.source == "metered"


@pytest.mark.parametrize("aggregation", AGGREGATIONS)
def test_a_value_knows_whether_it_is_an_amount(owner: Actor, aggregation: str) -> None:
    use(owner, ("a", SPRING, "1", 5))
    values = [Value(name, aggregation) for name in MEASURES]
    [series] = asked(owner, values=values, unit="none").series
    [point] = series.points
    assert [isinstance(figure, Money) for figure in point] == [one.is_money for one in values]


def test_the_greatest_groups_are_shown_and_the_others_counted(owner: Actor) -> None:
    use(owner, ("b", SPRING, "2", 0), ("a", SPRING, "2", 0), ("c", SPRING, "1", 0))
    found = asked(owner, groups=["model"], limit=2, unit="none")
    assert [one.group for one in found.series] == [("a",), ("b",)]
    assert found.limit_reached
    assert (found.total.text, found.uses) == ("5.00", 3)
    only = asked(owner, groups=["provider", "model"], filters={"provider": ["q"], "agent": [""]})
    assert [one.group for one in only.series] == [("q", "c")]
    assert only.total.text == "1.00"
    assert (
        asked(owner, filters={"model": ["none such"]}).series[0].points == [[Money(0, "USD")]] * 5
    )


def test_a_correction_takes_its_cost_away_and_no_use(owner: Actor, billing: Billing) -> None:
    use(owner, ("a", SPRING, "2", 100), ("a", SPRING, "4", 50))
    [record, *_] = operations.list_usage(owner, str(owner.account_id))
    operations.reverse_entry(billing.operator(), str(owner.account_id), record.entry_id)
    values = [Value(), Value("records"), Value("cost", "max"), Value("input_tokens", "avg"),
              Value("cost", "count")]  # fmt: skip
    [point] = asked(owner, unit="none", values=values).series[0].points
    assert point == [Money(0, "USD"), 2, Money.parse("4"), Decimal("75.000"), 2]


def test_it_says_what_it_rests_on(database_url: str) -> None:
    billing = billing_on(database_url, unpriced="allow", clock=Clock())
    owner = account_with(billing, "10")
    mine = str(owner.account_id)
    for provider in ("fake", "openrouter"):
        operations.connect(owner, mine, provider, credentials={"api_key": "sk-or-v1-0123456789"})
    spend(owner, "1", SPRING - timedelta(days=21), provider="fake", model="m")
    spend(owner, "2", provider="fake", model="m")
    operations.record_usage(owner, mine, Usage("no-such-model", input_tokens=5))
    said = {"start": START - HOUR, "end": START + HOUR, "zone": "Asia/Kathmandu"}
    found = asked(owner, **said, groups=["model"], limit=1).coverage
    assert (found.providers, found.missing) == (["fake", "openrouter"], ["openrouter"])
    assert found.newest == {"metered": START.date()}
    assert found.priced == Priced(Money.parse("2"), Money.zero(), 2, 1)
    only = asked(owner, **said, filters={"provider": ["openrouter"]}).coverage
    assert (only.providers, only.missing) == (["openrouter"],) * 2
    assert only.priced == Priced(Money.zero(), Money.zero(), 0, 0)


BAD: dict[str, dict[str, Any]] = {
    "inverted": {"end": SPRING}, "unit": {"unit": "fortnight"}, "zone": {"zone": "Mars/Olympus"},
    "value": {"values": [Value("euros")]}, "aggregation": {"values": [Value("cost", "p99")]},
    "no value": {"values": []}, "group": {"groups": ["colour"]},
    "a group twice": {"groups": ["model", "model"]}, "limit": {"limit": 0},
    "too many groups": {"limit": 1001}, "filter": {"filters": {"colour": ["red"]}},
    "empty filter": {"filters": {"model": []}}, "NUL": {"filters": {"model": ["\0"]}},
    "long filter": {"filters": {"model": ["x"] * 101}},
    "too many buckets": {"unit": "hour", "end": SPRING + (MAX_BUCKETS + 2) * HOUR},
    "too many figures": {"unit": "hour", "groups": ["model"], "values": [Value()] * 30},
    "naive": {"start": datetime(2026, 1, 1)},
}  # fmt: skip


@pytest.mark.parametrize("said", BAD.values(), ids=BAD)
def test_what_makes_no_sense_is_refused(owner: Actor, said: dict[str, Any]) -> None:
    with pytest.raises(errors.InvalidRequest):
        asked(owner, **said)


def test_an_unknown_account_is_not_found(billing: Billing) -> None:
    with pytest.raises(errors.NotFound):
        operations.report_usage(
            billing.operator(), "acct_x", SeriesAsked(SPRING, SPRING + HOUR)
        )  # fmt: skip


@given(
    st.sampled_from(UNITS), st.sampled_from(ZONES), st.datetimes(
        datetime(2025, 1, 1), datetime(2027, 1, 1), timezones=st.just(UTC)
    ), st.integers(1, 60 * 24 * 20),
)  # fmt: skip
def test_buckets_tile_the_time(unit: str, zone: str, start: datetime, minutes: int) -> None:
    end = start + timedelta(minutes=minutes)
    found = buckets_of(SeriesAsked(start, end, unit=unit, zone=zone))
    assert (found[0].start, found[-1].end) == (start, end)
    assert all(one.end == other.start for one, other in pairwise(found))
    names = [_named(unit, one.start.astimezone(ZoneInfo(zone))) for one in found]
    assert len(set(names)) == len(names)


def _named(unit: str, at: datetime) -> Any:
    """What a bucket is called that holds the local time."""
    names: dict[str, Callable[[], Any]] = {
        "none": lambda: "", "hour": lambda: (at.date(), at.hour, at.utcoffset()),
        "day": at.date, "week": lambda: at.isocalendar()[:2], "month": lambda: (at.year, at.month),
    }  # fmt: skip
    return names[unit]()


USES = st.lists(
    st.tuples(
        st.sampled_from(["a", "b", "c"]), st.integers(0, 6 * 24 * 60).map(
            lambda minutes: SPRING - timedelta(days=1) + timedelta(minutes=minutes)
        ), st.integers(0, 9).map(lambda nanos: Money(nanos).text), st.integers(0, 99),
    ), max_size=12,
)  # fmt: skip


def test_series_are_those_of_every_single_record(billing: Billing, clock: Clock) -> None:
    clock.at = START + timedelta(days=40)

    @settings(deadline=None, max_examples=25)
    @given(USES, st.sampled_from(UNITS), st.sampled_from(ZONES), st.booleans())
    def run(uses: list[Any], unit: str, zone: str, by_model: bool) -> None:
        owner = account_with(billing, "1000")
        use(owner, *uses)
        values = [Value(), Value("cost", "avg"), Value("cost", "min"),
                  Value("input_tokens", "max"), Value("records")]  # fmt: skip
        groups = ["model"] if by_model else []
        found = asked(owner, unit=unit, zone=zone, values=values, groups=groups)
        for series in found.series:
            own = [one for one in uses if not by_model or (one[0],) == series.group]
            for bucket, point in zip(found.buckets, series.points, strict=True):
                assert point == _by_hand([u for u in own if bucket.start <= u[1] < bucket.end])
        inside = [u for u in uses if SPRING <= u[1] < SPRING + timedelta(days=4)]
        assert found.uses == len(inside)
        names = {(used[0],) for used in inside} if by_model else {()}
        assert {one.group for one in found.series} == names

    run()


def test_sums_by_day_and_single_uses_tell_the_same(billing: Billing, clock: Clock) -> None:
    clock.at = START + timedelta(days=40)
    first = SPRING.replace(hour=0) - timedelta(days=1)
    span = {"start": first, "end": first + timedelta(days=5)}

    @settings(deadline=None, max_examples=25)
    @given(USES, st.sampled_from(UNITS), st.sampled_from([(), ("model",), ("provider", "model")]))
    def run(uses: list[Any], unit: str, groups: tuple[str, ...]) -> None:
        owner = account_with(billing, "1000")
        use(owner, *uses)
        said: dict[str, Any] = {**span, "unit": unit, "groups": groups}
        said["filters"] = {"provider": ["p"]} if len(uses) % 2 else {}
        values = [Value(), Value("records"), Value("cost", "avg"), Value("cost", "count")]
        short = asked(owner, **said, values=values)
        long = asked(owner, **said, values=[*values, Value("cost", "max")])
        for one, other in zip(short.series, long.series, strict=True):
            assert (one.group, one.cost) == (other.group, other.cost)
            assert one.points == [point[:-1] for point in other.points]
        assert (short.total, short.uses) == (long.total, long.uses)
        assert short.coverage == long.coverage

    run()


def test_flagged_uses_are_told_of_whole_days(database_url: str) -> None:
    billing = billing_on(database_url, unpriced="fallback", clock=Clock())
    owner = account_with(billing, "10")
    mine, day = str(owner.account_id), START.replace(hour=0, minute=0)
    operations.set_price(billing.operator(), "*", "*", prices={"input_tokens": "0.1"})
    spend(owner, "2", provider="fake", model="m")
    operations.record_usage(owner, mine, Usage("no-such-model", input_tokens=5))
    whole = {"start": day, "end": day + timedelta(days=1)}
    chosen = SpendFilter(since=day.date(), until=day.date(), sources=["metered"])

    told = asked(owner, **whole).coverage
    assert told == operations.summarize(owner, mine, chosen).basis.coverage
    assert told.priced == Priced(Money.parse("2.5"), Money.parse("0.5"), 2, 1)


def _by_hand(uses: list[Any]) -> list[Any]:
    costs = [Money.parse(cost).nanos for _, _, cost, _ in uses]
    if not uses:
        return [Money(0, "USD"), None, None, None, 0]
    return [
        Money(sum(costs), "USD"), Money(round(Fraction(sum(costs), len(costs))), "USD"),
        Money(min(costs), "USD"), max(tokens for *_, tokens in uses), len(uses),
    ]  # fmt: skip
