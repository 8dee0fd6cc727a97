"""A report says what it rests on."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal

import pytest

from billing_plugin import Actor, Billing, Money, operations
from billing_plugin.money import Exact
from billing_plugin.operations import ItemDraft, SpendFilter, Usage
from billing_plugin.operations.coverage import Coverage, Priced
from billing_plugin.periods import Period
from tests.books import complaints
from tests.deeds import spend
from tests.factories import START, Clock, account_with, billing_on

JANUARY = datetime(2026, 1, 15, tzinfo=UTC)
MARCH = SpendFilter(since=date(2026, 3, 1))


def covered(actor: Actor, chosen: SpendFilter) -> Coverage:
    found = operations.summarize(actor, str(actor.account_id), chosen).basis.coverage
    assert found is not None
    return found


def test_connected_providers_are_there_or_missing(billing: Billing, actor: Actor) -> None:
    mine = str(actor.account_id)
    for provider in ("fake", "openrouter"):
        operations.connect(actor, mine, provider, credentials={"api_key": "sk-or-v1-0123456789"})
    draft = ItemDraft("n", Exact(1), provider="fake", date=JANUARY)
    operations.create_item(actor, mine, draft)
    assert covered(actor, SpendFilter()).missing == ["openrouter"]
    found = covered(actor, MARCH)
    assert (found.providers, found.missing) == (["fake", "openrouter"],) * 2
    assert found.newest == {"manual": JANUARY.date(), "sync": None, "focus": None}
    assert found.priced is None
    assert covered(actor, SpendFilter(provider="fake")).providers == ["fake"]
    assert covered(actor, SpendFilter(sources=["sync"])).missing == ["fake", "openrouter"]
    spend(actor, "1", provider="openrouter", model="m")
    assert covered(actor, MARCH._replace(sources=["metered"])).missing == ["fake"]
    assert covered(account_with(billing), SpendFilter()).providers == []
    east = timezone(timedelta(hours=14))
    day = datetime(2026, 3, 10, tzinfo=east)  # from 10:00 UTC of the 9th on
    for hours, missing in ((14, ["fake"]), (-10, ["fake", "openrouter"])):
        period = Period(day + timedelta(hours=hours - 1), day + timedelta(hours=hours))
        assert operations.report_spend(actor, mine, period).coverage.missing == missing


def test_spend_without_a_price_is_told(database_url: str) -> None:
    billing = billing_on(database_url, unpriced="allow")
    owner = account_with(billing, "10")
    spend(owner, "1", provider="p", model="m")
    operations.record_usage(owner, str(owner.account_id), Usage("no-such-model", input_tokens=5))
    told = covered(owner, MARCH._replace(sources=["metered"])).priced
    assert told == Priced(Money.parse("1"), Money.zero(), 2, 1)
    assert told.percentage == 100


def test_a_percentage_is_rounded_down() -> None:
    def share(total: int, flagged: int) -> Decimal | None:
        return Priced(Money(total, "USD"), Money(flagged, "USD"), 1, 1).percentage

    assert str(share(100_000, 1)) == "99.9"
    assert (share(3, 1), share(5, 0), share(7, 7)) == (Decimal("66.6"), 100, 0)
    assert share(0, 0) is None


def told_everywhere(billing: Billing, owner: Actor) -> Priced:
    """What is flagged, by each report that tells it; they all say the same."""
    mine, day = str(owner.account_id), datetime(START.year, START.month, START.day, tzinfo=UTC)
    told = covered(owner, SpendFilter(since=day.date(), sources=["metered"])).priced
    assert told is not None
    whole = Period(day, day + timedelta(days=1))
    report = operations.report_spend(owner, mine, whole)
    assert (report.flagged.amount, report.flagged.count) == (told.flagged, told.flagged_uses)
    assert report.coverage.priced == told
    hours = operations.SeriesAsked(whole.start, whole.end, unit="hour")
    assert operations.report_usage(owner, mine, hours).coverage.priced == told
    assert complaints(billing) == []
    return told


def test_what_was_given_back_is_no_longer_flagged_spend(database_url: str) -> None:
    billing = billing_on(database_url, unpriced="fallback", clock=Clock())
    owner = account_with(billing, "10")
    mine = str(owner.account_id)
    operations.set_price(billing.operator(), "*", "*", prices={"input_tokens": "0.1"})
    spend(owner, "1", provider="p", model="m")
    use = operations.record_usage(owner, mine, Usage("no-such-model", input_tokens=20)).record
    assert use is not None
    half, one, two = Money.parse("0.5"), Money.parse("1"), Money.parse("2")
    assert told_everywhere(billing, owner) == Priced(Money.parse("3"), two, 2, 1)
    operations.refund_charge(billing.operator(), mine, use.entry_id, amount=half)
    told = told_everywhere(billing, owner)
    assert told == Priced(Money.parse("2.5"), Money.parse("1.5"), 2, 1)
    assert told.percentage == 40
    operations.reverse_entry(billing.operator(), mine, use.entry_id)
    assert told_everywhere(billing, owner) == Priced(one, Money.zero(), 2, 1)


@pytest.mark.parametrize("cents", ["0.2", "0.1", "0.03"])
def test_a_use_is_priced_once_it_is_rated_by_its_price(database_url: str, cents: str) -> None:
    billing = billing_on(database_url, unpriced="fallback", clock=Clock())
    owner = account_with(billing, "10")
    mine, day = str(owner.account_id), Period(START, START + timedelta(days=1))
    operations.set_price(billing.operator(), "*", "*", prices={"input_tokens": "0.1"})
    for _ in range(2):
        operations.record_usage(owner, mine, Usage("late", "own", input_tokens=20))
    operations.set_price(
        billing.operator(), "own", "late", prices={"input_tokens": cents},
        valid_from=START, retroactive=True,
    )  # fmt: skip
    for changed in (2, 0):
        found = operations.rerate_usage(billing.operator(), mine, day, dry_run=False)
        assert found.changed == changed
        cost = Money.parse(cents).nanos * 40
        told = told_everywhere(billing, owner)
        assert told == Priced(Money(cost, "USD"), Money.zero(), 2, 0)
    entry_id = operations.list_usage(owner, mine)[-1].entry_id
    operations.reverse_entry(billing.operator(), mine, entry_id)
    left = Money(cost // 2, "USD")
    assert told_everywhere(billing, owner) == Priced(left, Money.zero(), 2, 0)


def test_another_fallback_price_is_no_known_price(database_url: str) -> None:
    billing = billing_on(database_url, unpriced="fallback", clock=Clock())
    owner = account_with(billing, "10")
    mine, day = str(owner.account_id), Period(START, START + timedelta(days=1))
    for cents in ("0.1", "0.3"):
        operations.set_price(
            billing.operator(), "*", "*", prices={"input_tokens": cents},
            valid_from=START, retroactive=True,
        )  # fmt: skip
        operations.record_usage(owner, mine, Usage("no-such-model", input_tokens=1))
    operations.rerate_usage(billing.operator(), mine, day, dry_run=False)
    sixty = Money.parse("0.6")
    assert told_everywhere(billing, owner) == Priced(sixty, sixty, 2, 2)


def test_it_is_told_in_one_line(billing: Billing, actor: Actor) -> None:
    mine = str(actor.account_id)
    assert covered(actor, SpendFilter(sources=["manual"])).text == (
        "no connected provider; newest manual never"
    )
    for provider in ("fake", "openrouter"):
        operations.connect(actor, mine, provider, credentials={"api_key": "sk-or-v1-0123456789"})
    operations.create_item(actor, mine, ItemDraft("n", Exact(1), provider="fake", date=JANUARY))
    operations.create_item(actor, mine, ItemDraft("n", Exact(1), provider="other"))
    assert covered(actor, SpendFilter(sources=["manual"])).text == (
        "1 of 2 providers (nothing from openrouter); newest manual 2026-03-09"
    )
    assert covered(actor, SpendFilter(sources=["sync", "metered"])).text == (
        "0 of 2 providers (nothing from fake, openrouter); no metered spend;"
        " newest metered never, sync never"
    )
    spend(actor, "1", provider="openrouter", model="m")
    assert covered(actor, SpendFilter(sources=["manual", "metered"])).text == (
        "2 of 2 providers; 100.0 % of metered spend priced;"
        " newest manual 2026-03-09, metered 2026-03-09"
    )


def test_a_line_is_short_and_leaves_no_unpriced_use_out() -> None:
    names = list("abcde")
    cent = Money.parse("0.01")
    some = Coverage(names, names[1:], {"metered": None}, Priced(cent, cent, 7, 2))
    assert some.text == (
        "1 of 5 providers (nothing from b, c, d and 1 more);"
        " 0.0 % of metered spend priced, 2 of 7 uses not; newest metered never"
    )
    assert Priced(Money.zero(), Money.zero(), 3, 1).text == "no metered spend, 1 of 3 uses not"
