"""Which items recur: those with a period, of what is asked for, in their order."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

from billing_plugin import Actor, Billing, operations
from billing_plugin.context import is_sqlite
from billing_plugin.models.base import fetch_all
from billing_plugin.models.recurring import Occurrence, occurrences, statement
from billing_plugin.models.spend import Asked, Span
from billing_plugin.money import Exact
from billing_plugin.operations import ItemDraft


def enter(actor: Actor, name: str, day: int = 5, **said: Any) -> None:
    said = {"recurring": True, "period": "monthly", **said}
    draft = ItemDraft(name, Exact(7, 3), date=datetime(2026, 3, day, 23, 59, tzinfo=UTC), **said)
    operations.create_item(actor, str(actor.account_id), draft)


def test_items_with_a_period_in_order(billing: Billing, actor: Actor) -> None:
    mine = str(actor.account_id)
    said = {"provider": "p", "provider_ref": "r-1", "service_id": "s", "currency": "EUR"}
    enter(actor, "late", 6), enter(actor, "early", 1, **said), enter(actor, "none", period=None)
    enter(actor, "never", recurring=False, period=None), enter(actor, "after", 7)
    asked = Asked(mine, Span(date(2026, 3, 1), date(2026, 3, 6)), ["manual"])
    with billing.instance.active():
        early, late = occurrences(asked)
        assert occurrences(asked._replace(provider="")) == [late]
        assert occurrences(asked._replace(service_id="s")) == [early]
        assert occurrences(asked._replace(sources=["sync"])) == []
        assert occurrences(asked._replace(sources=["metered"])) == []
        assert occurrences(asked._replace(account_id="acct_other")) == []
    assert early == Occurrence(
        "early", "p", "r-1", "s", "EUR", "monthly", date(2026, 3, 1), Exact(7, 3)
    )
    assert late == ("late", "", "", "", "USD", "monthly", date(2026, 3, 6), Exact(7, 3))


def test_they_are_found_by_an_index_of_their_own(billing: Billing) -> None:
    asked = Asked("a", Span(date(2026, 1, 1), date(2026, 3, 6)), ["manual", "sync"])
    sql, values = statement(asked)
    with billing.instance.active():
        explain = "EXPLAIN QUERY PLAN" if is_sqlite() else "EXPLAIN"
        plan = fetch_all(f"{explain} {sql}", values)
    assert "billing_item_recurring" in str(plan)
