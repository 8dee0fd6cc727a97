"""Coverage is asked of what is stored, with the filters of a report."""

from __future__ import annotations

from datetime import UTC, date, datetime

from billing_plugin import Actor, Billing, operations
from billing_plugin.models import coverage
from billing_plugin.models.coverage import Metered
from billing_plugin.models.spend import Asked, Span
from billing_plugin.money import Exact
from billing_plugin.operations import ItemDraft
from tests.deeds import spend

MARCH = Span(date(2026, 3, 1), date(2026, 3, 31))
JANUARY = datetime(2026, 1, 15, tzinfo=UTC)


def test_days_go_back_when_items_go(billing: Billing, actor: Actor) -> None:
    mine = str(actor.account_id)
    asked = Asked(mine, MARCH, ["manual", "sync"])
    operations.create_item(actor, mine, ItemDraft("n", Exact(1), date=JANUARY))
    late = operations.create_item(actor, mine, ItemDraft("n", Exact(1))).item
    with billing.instance.active():
        assert coverage.newest_days(asked) == {"manual": "2026-03-09", "sync": None}
    operations.delete_item(actor, mine, late.id)
    with billing.instance.active():
        assert coverage.newest_days(asked) == {"manual": "2026-01-15", "sync": None}


def test_days_go_back_where_sums_and_changes_come_to_nothing(
    billing: Billing, actor: Actor
) -> None:
    mine = str(actor.account_id)
    asked = Asked(mine, MARCH, ["sync"])
    drafts = [
        ItemDraft("n", Exact(1), provider="p", provider_ref=str(day), date=JANUARY.replace(day=day))
        for day in (3, 4, 5)
    ]
    operations.store_items(actor, mine, drafts, source="sync")
    for left in ("2026-01-05", "2026-01-04", "2026-01-03", None):
        with billing.instance.active():
            assert coverage.newest_days(asked) == {"sync": left}
        if left:
            item = operations.find_item(actor, mine, "p", provider_ref=left[-1])
            operations.delete_item(actor, mine, item.id)


def test_metered_usage_is_of_what_is_asked(billing: Billing, actor: Actor) -> None:
    spend(actor, "2", JANUARY, provider="openai", model="m")
    spend(actor, "0.5", provider="openai", model="m")
    spend(actor, "1", provider="groq", model="l")
    asked = Asked(str(actor.account_id), MARCH, ["metered"])
    with billing.instance.active():
        assert coverage.metered(asked) == Metered(1_500_000_000, 2, 0, 0)
        assert coverage.metered(asked._replace(provider="groq")).cost == 1_000_000_000
        assert coverage.metered(asked._replace(service_id="m")).cost == 500_000_000
        assert coverage.metered(asked._replace(categories=["cat_x"])).uses == 0
        assert coverage.metered(asked._replace(categories=[""])).uses == 2
        assert coverage.newest_days(asked) == {"metered": "2026-03-09"}
        assert coverage.connected(asked) == {}
