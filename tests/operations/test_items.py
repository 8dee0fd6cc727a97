"""Cost items: entered once, changed, listed and removed, with every sum kept right."""

from __future__ import annotations

from billing_plugin import Actor, Billing, operations
from billing_plugin.money import Exact
from billing_plugin.operations import ItemDraft, SpendFilter
from tests.books import complaints
from tests.operations.naive import KEYS, chosen_items, reported, summed


def test_first(billing: Billing, actor: Actor) -> None:
    done = operations.create_item(actor, actor.account_id, ItemDraft("n", Exact(5), tags=["x"]))
    assert complaints(billing) == []
    for by in KEYS:
        assert reported(actor, SpendFilter(), by) == summed([done.item], by)
    operations.update_item(actor, actor.account_id, done.item.id, changes={"tags": ["y", "x"], "provider": "p"})
    operations.store_items(actor, actor.account_id, [ItemDraft("n", Exact(5), tags=["x"], provider="q", provider_ref=str(i)) for i in range(30)], source="sync")
    assert complaints(billing) == []
    for by in KEYS:
        assert reported(actor, SpendFilter(), by) == summed(chosen_items(actor, SpendFilter()), by)
