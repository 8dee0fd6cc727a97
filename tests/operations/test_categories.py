"""Categories: a tree whose names differ by more than case, and which nothing in use leaves."""

from __future__ import annotations

from typing import Any

import pytest

from billing_plugin import Actor, Billing, operations
from billing_plugin.models.categories import Category
from billing_plugin.money import Exact
from billing_plugin.operations import ItemDraft
from tests.books import complaints
from tests.deeds import refused
from tests.factories import START, Clock, account_with


def create(actor: Actor, name: str, **said: Any) -> Category:
    return operations.create_category(actor, str(actor.account_id), name, **said)


def update(actor: Actor, known: str, /, **changes: Any) -> Category:
    return operations.update_category(actor, str(actor.account_id), known, changes=changes)


def listed(actor: Actor) -> list[str]:
    return [str(one.name) for one in operations.list_categories(actor, str(actor.account_id))]


def test_a_category_is_found_by_id_and_by_name(billing: Billing, actor: Actor) -> None:
    made = create(actor, " Cloud Ünits ", description="d", color="#A0b1C2", stage_app_id="app")
    mine = str(actor.account_id)
    for said in (made.id, "Cloud Ünits", "cloud üNITS"):
        found = operations.get_category(actor, mine, said)
        assert (found.id, found.name, found.color) == (made.id, "Cloud Ünits", "#A0b1C2")
    assert (found.description, found.stage_app_id, found.created_at) == ("d", "app", START)
    other = account_with(billing)
    refusal = refused(operations.get_category, other, str(other.account_id), made.id)
    assert refusal.status == 404


def test_names_differ_by_more_than_case(billing: Billing, actor: Actor) -> None:
    create(actor, "Cloud"), create(actor, "ai"), create(account_with(billing), "cloud")
    assert refused(create, actor, "CLOUD ").code == "category_exists"
    assert refused(update, actor, "ai", name="cloud").code == "category_exists"
    assert update(actor, "ai", name="AI").name == "AI"
    assert listed(actor) == ["AI", "Cloud"]


def test_a_category_is_never_below_itself(actor: Actor) -> None:
    top = create(actor, "top")
    create(actor, "middle", parent="top"), create(actor, "low", parent="middle")
    for parent in ("top", "middle", "low"):
        assert refused(update, actor, "top", parent=parent).code == "category_cycle"
    assert update(actor, "low", parent="top").parent_id == top.id
    assert update(actor, "middle", parent="low").name == "middle"
    assert update(actor, "low", parent=None).parent_id is None
    assert refused(update, actor, "top", parent="none").status == 404


def test_a_category_in_use_stays(billing: Billing, actor: Actor) -> None:
    mine = str(actor.account_id)
    create(actor, "top"), create(actor, "low", parent="top")
    item = operations.create_item(actor, mine, ItemDraft("n", Exact(1), category="low")).item
    for name in ("top", "low"):
        assert refused(operations.delete_category, actor, mine, name).code == "category_in_use"
    operations.delete_item(actor, mine, item.id)
    operations.delete_category(actor, mine, "low"), operations.delete_category(actor, mine, "top")
    assert listed(actor) == []
    assert complaints(billing) == []


def test_every_change_is_in_the_trail(actor: Actor, clock: Clock) -> None:
    mine = str(actor.account_id)
    create(actor, "a")
    clock.forward(days=1)
    changed = update(actor, "a", color="#000000", description=None)
    assert (changed.updated_at, changed.created_at) == (clock.at, START)
    operations.delete_category(actor, mine, "a")
    trail = operations.list_changes(actor, mine)[:3]
    assert [(one.action, one.before, one.after) for one in trail] == [
        ("category.delete", {"name": "a", "color": "#000000"}, None),
        ("category.update", {"name": "a"}, {"name": "a", "color": "#000000"}),
        ("category.create", None, {"name": "a"}),
    ]


@pytest.mark.parametrize(
    "said",
    [
        {"name": " "}, {"name": "x" * 201}, {"name": None}, {"color": "red"}, {"color": "#12345"},
        {"description": "x" * 2_001}, {"author_email": "a\0"}, {"id": "cat_x"},
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused(actor: Actor, said: dict[str, Any]) -> None:
    create(actor, "a", description="as it was")
    assert refused(update, actor, "a", **said).status == 422
    assert operations.get_category(actor, str(actor.account_id), "a").description == "as it was"


def test_an_unknown_account_has_none(billing: Billing) -> None:
    for act, said in ((operations.list_categories, ()), (operations.create_category, ("a",))):
        assert refused(act, billing.operator(), "acct_x", *said).status == 404
