"""The overview: what there is, what is left until when, how old it is, and what is missing."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest
from flask import Flask

from billing_plugin import Actor, Billing, Money, operations
from billing_plugin.operations import Usage
from tests.dashboard.reader import Element, Visitor, amounts, enter, rows
from tests.dialects.routes import NATIVE
from tests.factories import START, Caller, Clock, account_with, token_of

SCOPES = {
    "balance": "balance:read",
    "spend": "reports:read",
    "limits": "limits:read",
    "vendors": "integrations:read",
    "status": "reports:read",
}


def section(page: Element, name: str) -> Element:
    (found,) = page.all("section", **{"aria-labelledby": name})
    return found


def words(element: Element) -> str:
    return " ".join(element.text.split())


@pytest.fixture
def account(actor: Actor) -> str:
    return str(actor.account_id)


def test_the_balance_is_the_one_that_rest_tells(
    billing: Billing, actor: Actor, app: Flask, person: Visitor, account: str
) -> None:
    operations.record_usage(actor, account, Usage("m", cost=Money.parse("0.123456789")))
    operations.hold(actor, account, Money.parse("3.005"))
    told = Caller(app, token_of(billing, actor))("GET", f"{NATIVE}/balance").json["data"]
    shown = section(person.see(), "balance")
    assert amounts(shown) == [told[name]["amount"] for name in ("available", "posted", "held")]
    assert "≈ 96.87 down" in words(shown)
    assert "As of 2026-03-09 14:32:00 UTC" in words(shown)


def test_a_postpaid_allowance_is_shown_where_there_is_one(
    billing: Billing, person: Visitor, account: str
) -> None:
    assert "Postpaid" not in person.see().text
    operations.set_postpaid_limit(billing.operator(), account, Money.parse("20"))
    assert amounts(section(person.see(), "balance"))[-2:] == ["20.00", "120.00"]


def test_bills_and_metered_usage_stand_side_by_side(
    actor: Actor, person: Visitor, account: str
) -> None:
    enter(actor, "1.00000000001")
    enter(actor, "2.5", currency="EUR")
    enter(actor, "99", date=START - timedelta(days=9))  # last month
    operations.record_usage(actor, account, Usage("m", cost=Money.parse("0.5")))
    spend = section(person.see(), "spend")
    assert rows(spend.all("table")[0]) == [
        ["Bills focus, manual, sync", "2.50 EUR", "1"],
        ["Bills focus, manual, sync", "1.00000000001 USD ≈ 1.00 half-even", "1"],
        ["Metered usage metered", "0.50 USD", "1"],
    ]
    assert "2026-03-01 to 2026-03-31, UTC days, both included" in words(spend)
    assert [words(one) for one in spend.all("p", **{"class": "quiet coverage"})] == [
        "Bills: no connected provider; newest focus never, manual 2026-03-09, sync never",
        "Metered usage: no connected provider; 100.0 % of metered spend priced;"
        " newest metered 2026-03-09",
    ]


def test_a_limit_says_what_is_used_left_held_and_when_it_resets(
    actor: Actor, person: Visitor, account: str
) -> None:
    operations.set_limit(actor, account, Money.parse("10"), name="Berlin", zone="Europe/Berlin")
    operations.record_usage(actor, account, Usage("m", cost=Money.parse("8.5")))
    operations.hold(actor, account, Money.parse("1"))
    limits = section(person.see(), "limits")
    assert amounts(limits) == ["8.50", "10.00", "0.50", "1.00"]
    assert "Resets 2026-04-01 00:00:00 Europe/Berlin" in words(limits)
    assert "Window monthly, fixed, Europe/Berlin" in words(limits)
    widths = [(one["class"], one["width"]) for one in limits.all("rect")[1:]]
    assert widths == [("bar-used near", "850"), ("bar-held", "100")]
    assert limits.all("title")[0].text == "85 % used of 10.00 USD"


def test_limits_of_every_kind_are_shown(actor: Actor, person: Visitor, account: str) -> None:
    operations.set_limit(actor, account, Money.parse("0"), window="total", name="Nothing")
    operations.set_limit(
        actor, account, Money.parse("5"), window=3600, technique="sliding", action="soft",
        partitions=["model"], filters={"provider": ["openai", "aws"]},
    )  # fmt: skip
    limits = words(section(person.see(), "limits"))
    assert "Resets never" in limits
    assert "100 %" in limits
    assert "each bucket has its own" in limits
    assert "Window 3600 s, sliding, UTC" in limits
    assert "About provider: aws, openai" in limits


def test_a_vendor_is_fresh_then_stale(
    actor: Actor, person: Visitor, account: str, clock: Clock
) -> None:
    figures = {"balance": "47.83", "usage_month": "89.470000001"}
    operations.connect(
        actor, account, "fake", credentials={"api_key": "k"}, settings=figures, label="Ours"
    )
    vendors = section(person.see(), "vendors")
    assert rows(vendors.all("table")[0]) == [
        ["fake Ours", "never read", "unknown", "unknown", "unknown"]
    ]
    operations.sync_integrations(actor, account)
    assert rows(section(person.see(), "vendors").all("table")[0]) == [[
        "fake Ours", "read just now, 2026-03-09 14:32:00 UTC", "47.83 USD", "not exposed",
        "89.470000001 USD ≈ 89.47 half-even",
    ]]  # fmt: skip
    clock.forward(hours=8, seconds=1)
    vendors = section(person.see(), "vendors")
    assert "stale 8 h ago, 2026-03-09 14:32:00 UTC" in words(vendors)
    assert [one["class"] for one in vendors.all("span") if "state" in one["class"]] == [
        "state stale"
    ]


def test_a_vendor_that_failed_says_why_and_keeps_what_it_said(
    actor: Actor, person: Visitor, account: str
) -> None:
    operations.connect(
        actor, account, "fake", credentials={"api_key": "k"}, settings={"fail": "auth"}
    )
    operations.sync_integrations(actor, account)
    (row,) = rows(section(person.see(), "vendors").all("table")[0])
    assert row[1].startswith("failed API key invalid")
    assert row[2:] == ["unknown"] * 3


def test_an_empty_account_is_told_what_is_missing(billing: Billing, app: Flask) -> None:
    person = Visitor(app, token_of(billing, account_with(billing)))
    page = person.see()
    assert amounts(section(page, "balance")) == ["0.00", "0.00", "0.00"]
    assert "nothing this month" in words(section(page, "spend"))
    assert "No limit is set." in words(section(page, "limits"))
    assert "No vendor is connected." in words(section(page, "vendors"))
    missing = [one.text for one in section(page, "status").all("li")]
    assert len(missing) == 5
    assert missing[0].startswith("No spending limit is set")


def test_uses_without_a_price_are_told(
    billing: Billing, actor: Actor, person: Visitor, account: str
) -> None:
    billing.instance.settings = billing.instance.settings._replace(unpriced="allow")
    operations.record_usage(actor, account, Usage("no-such-model-anywhere", "p", input_tokens=9))
    assert "1 uses of this month were charged without a known price." in person.see().text


def test_an_account_that_has_everything_misses_nothing(
    actor: Actor, person: Visitor, account: str
) -> None:
    operations.set_limit(actor, account, Money.parse("10"))
    operations.create_category(actor, account, "Cloud")
    operations.connect(actor, account, "fake", credentials={"api_key": "k"})
    operations.sync_integrations(actor, account)
    enter(actor, "1")
    status = words(section(person.see(), "status"))
    assert "Cost items 1 Categories 1 Sync jobs 1 Currency USD Kept in" in status
    assert "Nothing is missing that could be seen." in status


@pytest.mark.parametrize("name", SCOPES)
def test_a_part_without_its_scope_says_so_and_the_others_are_seen(
    billing: Billing, actor: Actor, app: Flask, name: str
) -> None:
    others = sorted(set(SCOPES.values()) - {SCOPES[name]})
    page = Visitor(app, token_of(billing, actor, *others)).see()
    for part, scope in SCOPES.items():
        refused = f"This needs the scope {scope}." in section(page, part).text
        assert refused is (scope == SCOPES[name])


def test_the_month_is_that_of_utc_whatever_the_clock_says(
    actor: Actor, person: Visitor, clock: Clock
) -> None:
    enter(actor, "7")
    clock.at = datetime(2026, 4, 1, 1, tzinfo=timezone(timedelta(hours=5)))  # 20:00 UTC in March
    assert amounts(section(person.see(), "spend")) == ["7.00"]
    assert amounts(person.see("/costs").all("main")[0])[0] == "7.00"
