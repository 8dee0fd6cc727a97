"""A report says what it rests on."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal

from billing_plugin import Actor, Billing, Money, operations
from billing_plugin.money import Exact
from billing_plugin.operations import ItemDraft, SpendFilter, Usage
from billing_plugin.operations.coverage import Coverage, Priced
from tests.deeds import spend
from tests.factories import account_with, billing_on

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
