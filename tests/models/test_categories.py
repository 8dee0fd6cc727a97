"""Rows of categories: found by id before name, and with all that is below."""

from __future__ import annotations

from billing_plugin import Actor, Billing
from billing_plugin.context import write_transaction
from billing_plugin.models import categories
from billing_plugin.models.categories import Category
from tests.deeds import refused
from tests.factories import START, account_with


def create(actor: Actor, name: str, parent: Category | None = None) -> Category:
    key = categories.key_of(name)
    with write_transaction():
        return categories.create(
            str(actor.account_id), START, name=name, name_key=key, parent_id=parent and parent.id
        )


def test_the_tree_below_a_category(billing: Billing, actor: Actor) -> None:
    with billing.instance.active():
        top = create(actor, "top")
        low, side = create(actor, "low", top), create(actor, "side", top)
        deep = create(actor, "deep", low)
        mine = str(actor.account_id)
        every = sorted(one.id for one in (top, low, side, deep))
        assert categories.below(mine, top.id) == every
        assert categories.below(mine, deep.id) == [deep.id]
        assert categories.below("acct_x", top.id) == []
        assert [one.name for one in categories.every(mine)] == ["deep", "low", "side", "top"]
        assert categories.names(mine) == {one.id: one.name for one in (top, low, side, deep)}
        _, parents = categories.tree(mine)
        assert parents == {top.id: None, low.id: top.id, side.id: top.id, deep.id: low.id}
        assert (categories.count(mine), categories.count("acct_x")) == (4, 0)
        assert categories.is_in_use(low)
        assert not categories.is_in_use(side)


def test_an_id_comes_before_a_name(billing: Billing, actor: Actor) -> None:
    with billing.instance.active():
        first = create(actor, "first")
        create(actor, str(first.id))
        mine = str(actor.account_id)
        assert categories.get(mine, first.id).name == "first"
        assert categories.find(mine, "FIRST") is not None
        other = str(account_with(billing).account_id)
        assert categories.find(other, "first") is None
        assert refused(categories.get, mine, "none").status == 404


def test_a_category_is_changed_and_deleted(billing: Billing, actor: Actor) -> None:
    with billing.instance.active():
        made = create(actor, "first")
        categories.change(made, START, color="#ffffff")
        assert categories.get(str(actor.account_id), "first").color == "#ffffff"
        categories.delete(made)
        assert categories.every(str(actor.account_id)) == []
