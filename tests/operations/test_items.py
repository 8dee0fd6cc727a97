"""Cost items: entered once, changed, listed and removed, with every sum kept right."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from billing_plugin import Actor, Billing, errors, operations
from billing_plugin.models.item_pages import Place
from billing_plugin.models.items import CostItem
from billing_plugin.money import Exact
from billing_plugin.operations import ItemDraft, ItemFilter, ItemStored
from billing_plugin.operations.drafts import Cents
from tests.books import complaints, counts
from tests.deeds import refused
from tests.factories import START, Clock, account_with

VERCEL = ItemDraft(
    "Vercel Pro", Exact.from_cents(2000, "USD"), tags=["hosting", "infra"], provider="vercel",
    provider_ref="inv_1", recurring=True, period="monthly", service_id="web", feature_key="f",
    stage_app_id="app", environment="prod", scope={"kind": "project", "id": "p1"},
    usage={"amount": 3, "unit": "seats"}, author_email="a@example.com", meta={"n": 1, "ok": True},
    description="A seat each", adapter="vercel",
)  # fmt: skip


def enter(actor: Actor, **said: Any) -> ItemStored:
    draft = ItemDraft(said.pop("name", "n"), said.pop("amount", Exact(1)), **said)
    return operations.create_item(actor, str(actor.account_id), draft)


def change(actor: Actor, item: CostItem, **changes: Any) -> CostItem:
    return operations.update_item(actor, str(actor.account_id), item.id, changes=changes)


def names(actor: Actor, **chosen: Any) -> str:
    found = operations.list_items(actor, str(actor.account_id), ItemFilter(**chosen))
    return "".join(item.name for item in found)


def test_an_item_is_as_it_was_said(billing: Billing, actor: Actor) -> None:
    mine = str(actor.account_id)
    done = operations.create_item(actor, mine, VERCEL)
    item = operations.get_item(actor, mine, done.item.id)
    assert item.says(done.item)
    assert (item.amount.text("USD"), item.currency, item.source) == ("20.00", "USD", "manual")
    assert (item.date, item.day, item.created_at, item.updated_at) == (
        START, "2026-03-09", START, START,
    )  # fmt: skip
    for name in ItemDraft._fields:
        if name not in ("amount", "currency", "date", "category"):
            assert getattr(item, name) == getattr(VERCEL, name), name
    assert operations.find_item(actor, mine, "vercel", provider_ref="inv_1") == item
    assert complaints(billing) == []


def test_what_was_not_said_is_nothing(actor: Actor) -> None:
    item = enter(actor).item
    assert (item.tags, item.recurring, item.meta, item.scope) == ([], False, {}, None)
    assert (item.provider, item.category_id, item.period, item.usage) == (None,) * 4


def test_a_known_reference_is_updated_and_keeps_what_is_not_said(
    billing: Billing, actor: Actor, clock: Clock
) -> None:
    first = operations.create_item(actor, str(actor.account_id), VERCEL)
    clock.forward(days=40)
    again = enter(actor, amount=Exact(7), provider="vercel", provider_ref="inv_1", tags=["new"])
    assert (first.created, again.created, again.item.id) == (True, False, first.item.id)
    item = operations.get_item(actor, str(actor.account_id), first.item.id)
    assert (item.amount, item.tags, item.date, item.period) == (
        Exact(7), ["new"], START, "monthly",
    )  # fmt: skip
    assert item.updated_at == START + timedelta(days=40)
    assert enter(actor, provider="other", provider_ref="inv_1").created
    assert complaints(billing) == []


def test_references_are_of_one_account(billing: Billing, actor: Actor) -> None:
    enter(actor, provider="p", provider_ref="r")
    other = account_with(billing)
    assert enter(other, provider="p", provider_ref="r").created
    [item] = operations.list_items(other, str(other.account_id))
    for act in (operations.get_item, operations.delete_item):
        assert refused(act, actor, str(actor.account_id), item.id).code == "not_found"


def test_one_key_makes_one_item(billing: Billing, actor: Actor) -> None:
    mine = str(actor.account_id)
    first = operations.create_item(actor, mine, VERCEL, idempotency_key="k")
    again = operations.create_item(actor, mine, VERCEL, idempotency_key="k")
    assert (first.replayed, again.replayed, again.created) == (False, True, False)
    assert again.item.id == first.item.id
    change(actor, again.item, amount=Exact(1))
    last = operations.create_item(actor, mine, VERCEL, idempotency_key="k")
    assert (last.replayed, last.item.amount) == (True, Exact(1))
    other = VERCEL._replace(name="Other")
    refusal = refused(operations.create_item, actor, mine, other, idempotency_key="k")
    assert refusal.code == "idempotency_conflict"
    assert counts(billing)["item"] == 1


def test_changes_name_what_they_change(billing: Billing, actor: Actor, clock: Clock) -> None:
    mine = str(actor.account_id)
    cloud = operations.create_category(actor, mine, "Cloud")
    item = operations.create_item(actor, mine, VERCEL).item
    clock.forward(hours=1)
    item = change(actor, item, category="cloud", date=datetime(2025, 1, 1, tzinfo=UTC), meta=None)
    assert (item.category_id, item.day, item.meta) == (cloud.id, "2025-01-01", {})
    assert (item.name, item.period) == ("Vercel Pro", "monthly")
    item = change(actor, item, recurring=False, category=None, tags=None)
    assert (item.recurring, item.period, item.category_id, item.tags) == (False, None, None, [])
    assert item.updated_at == START + timedelta(hours=1)
    assert operations.get_item(actor, mine, item.id).says(item)
    assert complaints(billing) == []


def test_a_change_cannot_take_anothers_reference(billing: Billing, actor: Actor) -> None:
    enter(actor, provider="p", provider_ref="1")
    item = enter(actor, provider="p", provider_ref="2").item
    assert refused(change, actor, item, provider_ref="1").code == "item_exists"
    assert operations.get_item(actor, str(actor.account_id), item.id).provider_ref == "2"
    assert complaints(billing) == []


def test_a_deleted_item_counts_nowhere(billing: Billing, actor: Actor) -> None:
    mine = str(actor.account_id)
    item = operations.create_item(actor, mine, VERCEL).item
    operations.delete_item(actor, mine, item.id)
    assert refused(operations.get_item, actor, mine, item.id).status == 404
    assert refused(operations.delete_item, actor, mine, item.id).status == 404
    assert operations.summarize(actor, mine).totals == []
    assert complaints(billing) == []
    done = [change.action for change in operations.list_changes(actor, mine)][:2]
    assert done == ["item.delete", "item.create"]


@pytest.mark.parametrize(
    ("said", "code"),
    [
        ({"name": ""}, "invalid_request"),
        ({"name": "x" * 201}, "invalid_request"),
        ({"name": "a\0b"}, "invalid_request"),
        ({"tags": ["x"] * 101}, "invalid_request"),
        ({"tags": ["x" * 401]}, "invalid_request"),
        ({"tags": "x"}, "invalid_request"),
        ({"tags": ["\ud800"]}, "invalid_request"),
        ({"currency": "usd"}, "invalid_request"),
        ({"date": datetime(2026, 1, 1)}, "naive_time"),
        ({"date": datetime(9999, 1, 1, tzinfo=UTC)}, "time_out_of_range"),
        ({"recurring": True, "period": "hourly"}, "invalid_request"),
        ({"period": "daily"}, "invalid_request"),
        ({"provider_ref": "r"}, "invalid_request"),
        ({"provider": ""}, "invalid_request"),
        ({"category": "none"}, "not_found"),
        ({"scope": {"what": "x"}}, "invalid_request"),
        ({"meta": {"a": {"deep": 1}}}, "invalid_request"),
        ({"meta": {"a": None}}, "invalid_request"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused(
    billing: Billing, actor: Actor, said: dict[str, Any], code: str
) -> None:
    assert refused(enter, actor, **said).code == code
    item = enter(actor).item
    assert refused(change, actor, item, **said).code == code
    assert counts(billing)["item"] == 1


def test_unknown_changes_are_refused(actor: Actor) -> None:
    item = enter(actor).item
    assert "colour" in refused(change, actor, item, colour="red").message
    assert refused(change, actor, item, amount=None).status == 422
    assert refused(change, actor, item, name=None).status == 422


def test_a_sum_beyond_64_bits_is_refused(billing: Billing, actor: Actor) -> None:
    enter(actor, amount=Exact(2**63 - 1))
    with pytest.raises(errors.InvalidRequest) as refusal:
        enter(actor, amount=Exact(1))
        for _ in range(200):  # PostgreSQL sees it in the report, or when it folds
            operations.summarize(actor, str(actor.account_id))
    assert refusal.value.code == "amount_out_of_range"


def place_of(item: CostItem) -> Place:
    return Place(item.date, item.id)


def test_a_list_goes_on_where_an_item_was(actor: Actor) -> None:
    first, second, third = [enter(actor).item for _ in "123"]
    mine, before = str(actor.account_id), place_of(third)
    change(actor, third, date=datetime(2026, 1, 1, tzinfo=UTC))
    [found] = operations.list_items(actor, mine, before=before, limit=1)
    assert found.id == second.id
    operations.delete_item(actor, mine, second.id)
    [found] = operations.list_items(actor, mine, before=place_of(second), limit=1)
    assert found.id == first.id


def test_cents_are_of_the_currency_that_the_item_has(billing: Billing, actor: Actor) -> None:
    item = enter(actor, amount=Cents(500), currency="JPY", provider="p", provider_ref="r").item
    assert (item.amount.text("JPY"), item.amount.cents("JPY")) == ("500", 500)
    assert change(actor, item, amount=Cents(700)).amount.text("JPY") == "700"
    again = enter(actor, amount=Cents(800), provider="p", provider_ref="r").item
    assert (again.amount.text("JPY"), again.currency) == ("800", "JPY")
    item = change(actor, item, amount=Cents(900), currency="USD")
    assert item.amount.text("USD") == "9.00"
    assert refused(change, actor, item, amount=Cents(2**63)).code == "amount_out_of_range"
    assert complaints(billing) == []


def test_a_list_is_by_date_then_id_and_goes_on(actor: Actor) -> None:
    for number, day in enumerate([3, 1, 2, 2, 3]):
        enter(actor, name=str(number), date=datetime(2026, 1, day, tzinfo=UTC))
    assert names(actor) == "40321"
    mine, found = str(actor.account_id), ""
    before = None
    while some := operations.list_items(actor, mine, before=before, limit=2):
        found, before = found + "".join(item.name for item in some), place_of(some[-1])
    assert found == "40321"
    for limit in (0, 1001):
        assert refused(operations.list_items, actor, mine, limit=limit).status == 422


def test_a_list_is_filtered(actor: Actor) -> None:
    mine = str(actor.account_id)
    operations.create_category(actor, mine, "Cloud")
    operations.create_category(actor, mine, "AI", parent="cloud")
    late = datetime(2026, 1, 31, 23, 59, 59, tzinfo=UTC)
    enter(actor, name="a", category="AI", provider="p", service_id="s", tags=["x", "y"], date=late)
    enter(actor, name="b", category="Cloud", recurring=True, stage_app_id="app", tags=["y"])
    enter(actor, name="c", author_email="e@x.org", provider="q")
    assert names(actor, category="CLOUD") == "ba"
    assert names(actor, category="AI") == "a"
    assert names(actor, category="") == "c"
    assert names(actor, provider="p") == "a"
    assert names(actor, provider="") == "b"
    assert names(actor, service="s") == "a"
    assert (names(actor, recurring=True), names(actor, recurring=False)) == ("b", "ca")
    assert (names(actor, tags=["x"]), names(actor, tags=["x", "y"])) == ("a", "ba")
    assert (names(actor, stage_app="app"), names(actor, author="e@x.org")) == ("b", "c")
    assert (names(actor, source="manual"), names(actor, source="sync")) == ("cba", "")
    assert names(actor, since=date(2026, 1, 31), until=date(2026, 1, 31)) == "a"
    assert names(actor, until=date(2026, 1, 30)) == ""
    assert names(actor, since=date(2026, 2, 1)) == "cb"


RACES: dict[str, Callable[[Actor, CostItem, int], Any]] = {
    "one reference": lambda actor, _, n: enter(
        actor, amount=Exact(n), provider="p", provider_ref="r", tags=[str(n % 3)]
    ),
    "one item": lambda actor, item, n: change(actor, item, amount=Exact(n), tags=[str(n % 3)]),
    "batches beside single ones": lambda actor, item, n: (
        operations.store_items(
            actor, str(actor.account_id), source="sync",
            drafts=[ItemDraft("n", Exact(n), provider="p", provider_ref=str(r)) for r in range(40)],
        ) if n % 4 == 0 else enter(actor, amount=Exact(n), provider="p", provider_ref=str(n % 40))
    ),
    "many items": lambda actor, _, n: enter(actor, tags=[str(tag) for tag in range(9)]),
}  # fmt: skip


@pytest.mark.parametrize("race", RACES)
def test_changes_at_once_leave_right_sums(billing: Billing, actor: Actor, race: str) -> None:
    item = enter(actor).item
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: RACES[race](actor, item, number), range(80)))
    assert complaints(billing) == []
    number = {"one reference": 2, "one item": 1, "many items": 81}.get(race)
    if number:
        assert counts(billing)["item"] == number
