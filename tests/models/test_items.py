"""Rows of cost items and their tags, as they are stored and read."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from billing_plugin import Actor, Billing
from billing_plugin.context import write_transaction
from billing_plugin.models import items
from billing_plugin.models.base import fetch_all
from billing_plugin.models.items import CostItem
from billing_plugin.money import Exact
from billing_plugin.operations.items import blank
from tests.deeds import refused
from tests.factories import START

HARD = 'a"b\\c,{}\nü'


def item(number: int, **columns: Any) -> CostItem:
    said = {"name": f"n{number}", "provider": "p", "provider_ref": f"r{number}", **columns}
    return blank("acct_x", "USD", source="sync", at=START)._replace(**said)


def tags() -> list[tuple[str, str]]:
    return [(row[1], row[2]) for row in fetch_all("SELECT * FROM billing_item_tag ORDER BY tag")]


@pytest.mark.parametrize("number", [1, 30])
def test_an_item_is_read_as_it_was_stored(billing: Billing, number: int) -> None:
    made = [
        item(one, nanos=-one, attos=7, tags_text='["x"]', meta_text='{"half":0.5}', recurs=1)
        for one in range(number)
    ]
    with billing.instance.active(), write_transaction():
        items.store(made)
        for one in made:
            found = items.get("acct_x", one.id, lock=True)
            assert found.says(one)
            assert (found.amount, found.tags) == (Exact(one.nanos, 7), ["x"])
            assert (found.date, found.created_at, found.updated_at) == (START,) * 3
            assert (found.meta, found.recurring, found.ref) == ({"half": 0.5}, True, one.ref)
        assert len(tags()) == number


def test_references_are_found_whatever_they_are(billing: Billing) -> None:
    with billing.instance.active(), write_transaction():
        made = [item(1), item(2, provider=HARD), item(3, provider_ref=HARD)]
        items.store(made)
        refs = [one.ref for one in made if one.ref]
        assert set(items.by_refs("acct_x", [*refs, ("p", "r9")])) == set(refs)
        assert items.by_refs("acct_y", refs) == items.by_refs("acct_x", []) == {}
        for one in made:
            assert one.ref
            found = items.find("acct_x", one.ref, lock=True)
            assert found is not None and found.says(one)
        assert items.find("acct_x", ("p", "r9"), lock=True) is None


def test_tags_follow_their_item(billing: Billing) -> None:
    with billing.instance.active(), write_transaction():
        old = item(1, tags_text='["a","b"]')
        items.store([old])
        new = old._replace(tags_text='["b","c"]')
        items.change([(old, new)])
        assert tags() == [("b", "2026-03-09"), ("c", "2026-03-09")]
        later = new._replace(day="2026-03-10", dated=START + timedelta(days=1))
        items.change([(new, later)])
        assert tags() == [("b", "2026-03-10"), ("c", "2026-03-10")]
        items.delete(later)
        assert tags() == fetch_all("SELECT id FROM billing_item") == []


def test_two_items_never_have_one_reference(billing: Billing) -> None:
    def collide() -> None:
        with write_transaction():
            items.store([item(1), item(2)])
            two = items.by_refs("acct_x", [("p", "r2")])["p", "r2"]
            items.change([(two, two._replace(provider_ref="r1"))])

    with billing.instance.active():
        assert refused(collide).code == "item_exists"
        assert fetch_all("SELECT id FROM billing_item") == []


def test_others_items_are_not_found(billing: Billing, actor: Actor) -> None:
    with billing.instance.active(), write_transaction():
        one = item(1)
        items.store([one])
        assert refused(items.get, str(actor.account_id), one.id).status == 404


def test_what_is_said_is_compared_and_nothing_else() -> None:
    one = item(1)
    assert one.says(one._replace(dated=START, updated="later", id="item_y"))
    assert not one.says(one._replace(nanos=1))
    assert not one.says(one._replace(dated=START + timedelta(microseconds=1)))
