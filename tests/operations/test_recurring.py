"""What recurs is found once, is due when it is, and ends when it no longer comes."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from billing_plugin import Actor, operations
from billing_plugin.models.recurring import Occurrence
from billing_plugin.models.spend import Span
from billing_plugin.money import Exact
from billing_plugin.operations import Commitments, ItemDraft, SpendFilter
from billing_plugin.operations.recurring import (
    commitments,
    due_days,
    following,
    span_of,
    stem,
    total_of,
)
from tests.deeds import refused
from tests.factories import START, Clock

TODAY = START.date()  # 2026-03-09, a Monday
MONTH = Span(date(2026, 3, 1), date(2026, 3, 31))


def enter(actor: Actor, name: str, units: str, day: str, **said: Any) -> None:
    amount, at = Exact.parse(units), datetime.fromisoformat(f"{day}T12:00:00+00:00")
    told = {"recurring": True, "period": "monthly", **said}
    operations.create_item(actor, str(actor.account_id), ItemDraft(name, amount, date=at, **told))


def listed(actor: Actor, **chosen: Any) -> Commitments:
    return operations.list_commitments(actor, str(actor.account_id), SpendFilter(**chosen))


def item(day: str, period: str = "monthly", name: str = "n", **said: Any) -> Occurrence:
    told = {"provider": "p", "provider_ref": "", "service_id": "", "currency": "USD", **said}
    return Occurrence(
        name, period=period, day=date.fromisoformat(day), **{"amount": Exact(1), **told}
    )  # fmt: skip


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("Vercel Pro March 2026", "vercel pro"), ("Vercel Pro (Apr 2026)", "vercel pro"),
        ("hosting 2026-03", "hosting"), ("hosting 2026-03-01", "hosting"), ("x_202603", "x"),
        ("Q1 2026 licence", "licence"), ("GPT-4o seats", "gpt 4o seats"), ("Plan 1", "plan 1"),
        ("port 8080", "port 8080"), ("2026", ""), ("SEPT", ""), ("日本 2026/03", "日本"),
        ("mayor", "mayor"), ("faq1 2026x", "faq1 x"),
    ],
)  # fmt: skip
def test_a_stem_is_what_stays_the_same(text: str, left: str) -> None:
    assert stem(text) == left


@pytest.mark.parametrize(
    ("day", "period", "next_day"),
    [
        ("2026-03-09", "daily", "2026-03-10"), ("2026-12-28", "weekly", "2027-01-04"),
        ("2026-01-31", "monthly", "2026-02-28"), ("2024-01-31", "monthly", "2024-02-29"),
        ("2026-12-15", "monthly", "2027-01-15"), ("2024-02-29", "yearly", "2025-02-28"),
        ("2026-03-31", "yearly", "2027-03-31"), ("2026-02-28", "monthly", "2026-03-28"),
    ],
)  # fmt: skip
def test_a_period_later(day: str, period: str, next_day: str) -> None:
    assert str(following(date.fromisoformat(day), period)) == next_day


@pytest.mark.parametrize(
    ("last", "period", "due"),
    [
        ("2026-02-20", "monthly", ["2026-03-20"]), ("2026-02-02", "monthly", ["2026-03-02"]),
        ("2026-03-01", "monthly", []), ("2026-03-28", "monthly", []),
        ("2026-01-31", "monthly", None), ("2025-03-20", "yearly", ["2026-03-20"]),
        ("2025-03-01", "yearly", ["2026-03-01"]), ("2025-04-01", "yearly", []),
        ("2025-02-28", "yearly", None), ("2026-03-02", "weekly", [9, 16, 23, 30]),
        ("2026-02-23", "weekly", [2, 9, 16, 23, 30]), ("2026-02-22", "weekly", None),
        ("2026-03-08", "daily", list(range(9, 32))), ("2026-03-07", "daily", list(range(8, 32))),
        ("2026-03-06", "daily", None), ("2026-03-31", "daily", []),
    ],
)  # fmt: skip
def test_what_is_due_and_what_has_ended(last: str, period: str, due: list[Any] | None) -> None:
    found = commitments([item(last, period)], TODAY)
    if due is None:
        assert found == []
        return
    days = [day if isinstance(day, str) else f"2026-03-{day:02}" for day in due]
    assert list(map(str, due_days(found[0], MONTH))) == days


def test_late_things_of_the_month_before_are_not_of_this_one() -> None:
    [one] = commitments([item("2026-02-21", "weekly")], date(2026, 3, 2))
    assert str(due_days(one, MONTH)[0]) == "2026-03-07"


def test_the_same_thing_has_the_same_name_provider_service_period_and_currency() -> None:
    first = item("2026-02-01", name="Pro Feb 2026", service_id="s")
    same = item("2026-03-01", name="PRO 2026-03", service_id="s")
    assert len(commitments([first, same], TODAY)) == 1
    for said in (
        {"name": "Team"}, {"provider": "q"}, {"service_id": "t"}, {"currency": "EUR"},
        {"period": "yearly"},
    ):  # fmt: skip
        assert len(commitments([first, same._replace(**said)], TODAY)) == 2


def test_a_name_that_is_a_date_leaves_it_to_the_reference() -> None:
    refs = ["inv-a-001", "inv-a-002", "inv-b-001"]
    items = [item("2026-03-01", name="2026-03", provider_ref=ref) for ref in refs]
    assert len(commitments(items, TODAY)) == 2


@pytest.mark.parametrize(
    ("period", "days", "number"),
    [
        ("daily", ("2026-03-08", "2026-03-09", "2026-03-09"), 2),
        ("weekly", ("2026-03-01", "2026-03-02", "2026-03-08"), 2),
        ("monthly", ("2026-02-28", "2026-03-01", "2026-03-31"), 2),
        ("yearly", ("2025-03-31", "2026-03-01", "2026-03-02"), 2),
    ],
)
def test_its_amount_is_that_of_its_last_period(
    period: str, days: tuple[str, ...], number: int
) -> None:
    [one] = commitments([item(day, period) for day in days], TODAY)
    assert one.amount == Exact(number)


def test_what_can_still_recur_is_asked_for() -> None:
    assert span_of(TODAY) == Span(date(2025, 3, 1), date(2026, 3, 31))
    assert span_of(date(2024, 2, 29)) == Span(date(2023, 2, 1), date(2024, 2, 29))


def test_a_month_and_a_year_of_all_of_it(actor: Actor) -> None:
    enter(actor, "seat", "20", "2026-02-15"), enter(actor, "seat Mar", "25", "2026-03-02")
    enter(actor, "domain", "10", "2025-11-01", period="yearly", provider="reg")
    enter(actor, "news", "7", "2026-03-05", period="weekly")
    enter(actor, "box", "0.01", "2026-03-09", period="daily")
    enter(actor, "old", "99", "2026-01-15"), enter(actor, "yen", "5", "2026-03-01", currency="JPY")
    enter(actor, "no period", "3", "2026-03-01", period=None)
    found = listed(actor)
    assert [(one.name, one.amount.text(one.currency)) for one in found.commitments] == [
        ("news", "7.00"), ("seat Mar", "25.00"), ("yen", "5"), ("domain", "10.00"),
        ("box", "0.01"),
    ]  # fmt: skip
    assert [one.currency for one in found.totals] == ["JPY", "USD"]
    whole = total_of(found.totals, "USD")
    assert whole.yearly.amount == Decimal("678.65")  # 25 * 12 + 10 + 7 * 365 / 7 + 3.65
    assert whole.monthly.amount == Decimal("56.554166666666666667")
    assert whole.count == 4
    nothing = total_of(found.totals, "EUR")
    assert (nothing.monthly, nothing.yearly, nothing.count) == (Exact(0), Exact(0), 0)
    assert (found.basis.since, found.basis.until) == (date(2025, 3, 1), date(2026, 3, 31))
    assert found.basis.as_of == START


def test_a_filter_is_kept_and_days_are_refused(actor: Actor) -> None:
    enter(actor, "a", "1", "2026-03-01", provider="p"), enter(actor, "b", "1", "2026-03-01")
    assert [one.name for one in listed(actor, provider="p").commitments] == ["a"]
    assert listed(actor, sources=("sync",)).commitments == []
    for chosen in ({"since": TODAY}, {"until": TODAY}):
        assert refused(listed, actor, **chosen).code == "invalid_request"
    assert refused(listed, actor, category="none").code == "not_found"


def test_it_is_late_then_over(actor: Actor, clock: Clock) -> None:
    enter(actor, "a", "1", "2026-02-05")
    [late] = listed(actor).commitments
    assert (late.last, late.due) == (date(2026, 2, 5), date(2026, 3, 5))
    clock.at = datetime(2026, 3, 31, 23, 59, 59, tzinfo=UTC)
    assert len(listed(actor).commitments) == 1
    clock.at += timedelta(seconds=1)
    assert listed(actor).commitments == []
