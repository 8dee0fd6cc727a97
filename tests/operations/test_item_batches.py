"""Many items at once: stored by reference in one transaction, or not at all."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from billing_plugin import Actor, Billing, operations
from billing_plugin.money import Exact
from billing_plugin.operations import ItemDraft, StoredItems
from tests.books import complaints, counts, everything
from tests.deeds import refused
from tests.factories import START, Clock


def draft(number: int, **said: Any) -> ItemDraft:
    said = {"provider": "p", "provider_ref": f"r{number}", "tags": ["t"], **said}
    return ItemDraft(f"n{number}", Exact(number, 1), **said)


def store(actor: Actor, *drafts: ItemDraft, source: str = "sync") -> StoredItems:
    return operations.store_items(actor, str(actor.account_id), drafts, source=source)


def test_what_is_new_changed_and_known_is_counted(billing: Billing, actor: Actor) -> None:
    drafts = [draft(number) for number in range(100)]
    assert store(actor, *drafts) == (100, 0, 0)
    before = everything(billing)
    assert store(actor, *drafts) == (0, 0, 100)
    after = everything(billing)
    assert len(after.pop("audit")) == len(before.pop("audit")) + 1
    assert after == before
    drafts[7] = draft(7, date=datetime(2025, 1, 1, tzinfo=UTC))
    drafts[8] = draft(8, tags=["u"])
    assert store(actor, *drafts, draft(100)) == (1, 2, 98)
    assert complaints(billing) == []


def test_a_batch_keeps_what_it_does_not_say(actor: Actor, clock: Clock) -> None:
    mine = str(actor.account_id)
    store(actor, draft(1))
    operations.create_category(actor, mine, "Cloud")
    [item] = operations.list_items(actor, mine)
    changes = {"category": "Cloud", "tags": ["own"], "description": "mine"}
    operations.update_item(actor, mine, item.id, changes=changes)
    clock.forward(days=3)
    assert store(actor, draft(1, tags=None)) == (0, 0, 1)
    assert store(actor, draft(1, tags=None)._replace(amount=Exact(9))) == (0, 1, 0)
    [item] = operations.list_items(actor, mine)
    assert (item.tags, item.description, item.amount) == (["own"], "mine", Exact(9))
    assert (item.date, item.updated_at, item.source) == (START, clock.at, "sync")
    assert item.category_id is not None


def test_drafts_of_one_reference_count_one_after_the_other(billing: Billing, actor: Actor) -> None:
    drafts = [draft(1), draft(1, tags=["u"]), draft(1), draft(1, tags=None)]
    assert store(actor, *drafts) == (1, 2, 1)
    [item] = operations.list_items(actor, str(actor.account_id))
    assert item.tags == ["t"]
    assert complaints(billing) == []


def test_one_reference_of_two_providers_is_two(actor: Actor) -> None:
    assert store(actor, draft(1), draft(1, provider="q")) == (2, 0, 0)
    assert store(actor, draft(1, provider='q"\\,{}')) == (1, 0, 0)
    assert store(actor, draft(1, provider='q"\\,{}'), draft(1, provider="ü")) == (1, 0, 1)


@pytest.mark.parametrize(
    "said",
    [
        {"provider_ref": None}, {"provider": None}, {"tags": [""]}, {"period": "daily"},
        {"currency": "x"}, {"category": "none"},
    ],
)  # fmt: skip
def test_one_bad_draft_stores_nothing(billing: Billing, actor: Actor, said: dict[str, Any]) -> None:
    before = counts(billing)
    refusal = refused(store, actor, draft(1), draft(2, **said))
    assert refusal.status == 404 or list(refusal.extra["fields"]) == ["1"]
    assert counts(billing) == before


def test_a_batch_has_a_source_and_an_end(actor: Actor) -> None:
    assert store(actor) == (0, 0, 0)
    assert refused(store, actor, draft(1), source="metered").status == 422
    assert refused(store, actor, *[draft(1)] * 50_001).status == 422
