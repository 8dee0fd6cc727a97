"""Reports of cost items: exact by currency, rounded once, and parts that are the whole."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest

from billing_plugin import Actor, Billing, operations
from billing_plugin.money import Exact
from billing_plugin.operations import Breakdown, ItemDraft, SpendFilter
from billing_plugin.operations.breakdowns import apportioned, week_of
from tests.books import complaints
from tests.deeds import refused, spend
from tests.factories import START, account_with
from tests.operations.naive import reported

JANUARY = datetime(2026, 1, 15, tzinfo=UTC)


def enter(actor: Actor, units: str, **said: Any) -> None:
    amount = Exact.from_decimal(Decimal(units))
    draft = ItemDraft("n", amount, **{"date": JANUARY, **said})
    operations.create_item(actor, str(actor.account_id), draft)


def broken_down(actor: Actor, by: str = "provider", **chosen: Any) -> Breakdown:
    return operations.break_down(actor, str(actor.account_id), SpendFilter(**chosen), by=by)


def lines(found: Breakdown, currency: str = "USD") -> list[tuple[str, int, str | None]]:
    [share] = [one for one in found.currencies if one.total.currency == currency]
    return [
        (part.key, part.cents, None if part.percentage is None else str(part.percentage))
        for part in share.parts
    ]


def test_the_sample_of_the_contract(actor: Actor) -> None:
    enter(actor, "350", provider="gcp"), enter(actor, "175", provider="vercel")
    assert lines(broken_down(actor)) == [("gcp", 35_000, "66.7"), ("vercel", 17_500, "33.3")]


def test_an_answer_says_what_it_is_about(actor: Actor) -> None:
    since, until = date(2026, 1, 1), date(2026, 3, 31)
    chosen = SpendFilter(since=since, until=until, sources=("sync", "manual"))
    basis = operations.summarize(actor, str(actor.account_id), chosen).basis
    assert (basis.since, basis.until, basis.zone, basis.as_of) == (since, until, "UTC", START)
    assert basis.sources == ["manual", "sync"]
    assert operations.trend(actor, str(actor.account_id)).basis.since is None


def test_sums_are_exact_and_rounded_once(actor: Actor) -> None:
    for _ in range(1_00):
        enter(actor, "0.000050000000000001", provider="p")
    [total] = operations.summarize(actor, str(actor.account_id)).totals
    assert total.amount.text("USD") == "0.0050000000000001"
    assert (total.cents, total.count) == (1, 100)
    enter(actor, "0.0049999999999999")
    assert lines(broken_down(actor)) == [("p", 1, "50.0"), ("", 0, "50.0")]


def test_parts_add_up_to_the_whole(actor: Actor) -> None:
    for provider in "abc":
        enter(actor, "0.333333333333333333", provider=provider)
    assert lines(broken_down(actor)) == [("a", 34, "33.4"), ("b", 33, "33.3"), ("c", 33, "33.3")]


def test_what_is_given_back_counts_against(actor: Actor) -> None:
    enter(actor, "3", provider="a"), enter(actor, "-1", provider="b")
    assert lines(broken_down(actor)) == [("a", 300, "150.0"), ("b", -100, "-50.0")]
    enter(actor, "-2", provider="c")
    assert [line[2] for line in lines(broken_down(actor))] == [None, None, None]
    enter(actor, "-4", provider="c")
    assert lines(broken_down(actor)) == [
        ("a", 300, "-75.0"), ("b", -100, "25.0"), ("c", -600, "150.0"),
    ]  # fmt: skip


def test_currencies_never_add(actor: Actor) -> None:
    enter(actor, "1", provider="p"), enter(actor, "100", provider="p", currency="JPY")
    found = broken_down(actor)
    assert [share.total.currency for share in found.currencies] == ["JPY", "USD"]
    assert (lines(found, "JPY"), lines(found)) == ([("p", 100, "100.0")], [("p", 100, "100.0")])


def test_tags_overlap_and_say_so(actor: Actor) -> None:
    enter(actor, "1", tags=["a", "b"]), enter(actor, "2", tags=["a"]), enter(actor, "1")
    found = broken_down(actor, "tag")
    assert (found.partitions, found.currencies[0].total.count) == (False, 3)
    assert lines(found) == [("a", 300, "75.0"), ("", 100, "25.0"), ("b", 100, "25.0")]
    part = broken_down(actor, "tag", since=date(2026, 1, 10), provider="")
    assert lines(part) == lines(found)
    assert lines(broken_down(actor, "recurring")) == [("false", 400, "100.0")]


def test_a_category_means_all_below_it(billing: Billing, actor: Actor) -> None:
    mine = str(actor.account_id)
    top = operations.create_category(actor, mine, "top")
    low = operations.create_category(actor, mine, "low", parent="top")
    enter(actor, "1", category="low"), enter(actor, "2", category="top"), enter(actor, "4")
    assert lines(broken_down(actor, "category", category="TOP")) == [
        (top.id, 200, "66.7"), (low.id, 100, "33.3"),
    ]  # fmt: skip
    operations.update_category(actor, mine, "low", changes={"parent": None})
    assert lines(broken_down(actor, "category", category="top")) == [(top.id, 200, "100.0")]
    assert lines(broken_down(actor, "category", category="")) == [("", 400, "100.0")]
    assert refused(broken_down, actor, "category", category="none").status == 404


def test_days_are_both_included(actor: Actor) -> None:
    for day, seconds in ((1, 0), (31, 86_399)):
        at = datetime.fromtimestamp(datetime(2026, 1, day, tzinfo=UTC).timestamp() + seconds, UTC)
        enter(actor, str(day), date=at)
    month = {"since": date(2026, 1, 1), "until": date(2026, 1, 31)}
    for by in ("provider", "tag"):
        assert lines(broken_down(actor, by, **month))[0][1] == 3_200
        assert lines(broken_down(actor, by, since=date(2026, 1, 2)))[0][1] == 3_100
        assert lines(broken_down(actor, by, until=date(2026, 1, 30)))[0][1] == 100
    assert broken_down(actor, since=date(2026, 2, 1)).currencies == []


def test_a_trend_by_day_week_and_month(actor: Actor) -> None:
    for day in ("2025-12-28", "2025-12-29", "2026-01-04", "2026-01-05", "2026-02-01"):
        enter(actor, "1", date=datetime.fromisoformat(f"{day}T12:00:00Z"))

    def keys(interval: str, **chosen: Any) -> list[tuple[str, int]]:
        found = operations.trend(
            actor, str(actor.account_id), SpendFilter(**chosen), interval=interval
        )
        return [(part.key, part.count) for part in found.currencies[0].parts]

    for chosen in ({}, {"provider": ""}):
        assert keys("week", **chosen) == [
            ("2025-W52", 1), ("2026-W01", 2), ("2026-W02", 1), ("2026-W05", 1),
        ]  # fmt: skip
        assert keys("month", **chosen) == [("2025-12", 2), ("2026-01", 2), ("2026-02", 1)]
        assert keys("month", since=date(2025, 12, 29), **chosen)[0] == ("2025-12", 1)
        assert len(keys("day", **chosen)) == 5
    assert (week_of("2027-01-03"), week_of("2026-03-09")) == ("2026-W53", "2026-W11")


def test_metered_usage_is_added_where_it_is_asked_for(billing: Billing, actor: Actor) -> None:
    spend(actor, "2", JANUARY, provider="openai", model="m")
    spend(actor, "0.5", provider="openai", model="m")
    other = account_with(billing, "9")
    spend(other, "7", provider="openai", model="m")
    enter(actor, "3", provider="gcp", tags=["t"])
    both = {"sources": ("manual", "metered")}
    assert lines(broken_down(actor)) == [("gcp", 300, "100.0")]
    assert lines(broken_down(actor, **both)) == [("gcp", 300, "54.5"), ("openai", 250, "45.5")]
    assert lines(broken_down(actor, "service", sources=("metered",))) == [("m", 250, "100.0")]
    assert lines(broken_down(actor, "tag", **both)) == [("t", 300, "54.5"), ("", 250, "45.5")]
    assert lines(broken_down(actor, provider="openai", until=date(2026, 2, 1), **both))[0][1] == 200
    assert broken_down(actor, category="", sources=("metered",)).currencies[0].total.cents == 250
    whole = operations.trend(actor, str(actor.account_id), SpendFilter(**both), interval="month")
    assert [part.cents for part in whole.currencies[0].parts] == [500, 50]
    assert complaints(billing) == []


def test_a_reversed_use_leaves_nothing_to_report(billing: Billing, actor: Actor) -> None:
    entry = spend(actor, "2").entry_id
    operations.reverse_entry(billing.operator(), str(actor.account_id), entry)
    [total] = operations.summarize(
        actor, str(actor.account_id), SpendFilter(sources=["metered"])
    ).totals
    assert (total.amount.amount, total.count) == (0, 1)
    assert reported(actor, SpendFilter(), "total") == {}


@pytest.mark.parametrize(
    "chosen",
    [
        {"sources": ()}, {"sources": ("guessed",)}, {"since": date(1960, 1, 1)},
        {"since": date(2026, 2, 1), "until": date(2026, 1, 1)}, {"provider": "a\0"},
        {"until": date(9999, 1, 1)},
    ],
)  # fmt: skip
def test_what_cannot_be_reported(actor: Actor, chosen: dict[str, Any]) -> None:
    assert refused(broken_down, actor, **chosen).status == 422
    assert refused(broken_down, actor, "colour").status == 422
    mine = str(actor.account_id)
    assert refused(operations.trend, actor, mine, interval="year").status == 422


@pytest.mark.parametrize(
    ("values", "unit", "whole", "parts"),
    [
        ([1, 1, 1], 3, 1, [1, 0, 0]),
        ([5, 5], 10, 1, [1, 0]),
        ([-5, 15], 10, 1, [0, 1]),
        ([-1, -1, -1], 3, -1, [0, 0, -1]),
        ([], 10, 0, []),
    ],
)
def test_whole_units_go_to_the_largest_remainders(
    values: list[int], unit: int, whole: int, parts: list[int]
) -> None:
    assert apportioned(values, unit, whole) == parts
