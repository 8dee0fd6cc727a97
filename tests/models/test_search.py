"""The index of words follows the items, and tells where it does not."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest

from billing_plugin import Actor, Billing, operations
from billing_plugin.context import write_transaction
from billing_plugin.models import recounts, search
from billing_plugin.models.base import execute, fetch_all
from billing_plugin.models.words import terms_in
from billing_plugin.money import Exact
from billing_plugin.operations import ItemDraft
from tests.books import complaints, everything, run_sql

LONG = "é, b-" * 800


@pytest.fixture
def busy(billing: Billing, actor: Actor) -> Actor:
    """An account with items entered one by one and many at once."""
    mine = str(actor.account_id)
    drafts = [
        ItemDraft(f"n{n}", Exact(1), provider="p", provider_ref=f"r-{n}", tags=["x", LONG[:n]])
        for n in range(1, 30)
    ]
    operations.store_items(actor, mine, drafts, source="sync")
    operations.create_item(actor, mine, ItemDraft("Ünique", Exact(1), description=LONG))
    return actor


SPOILT = {
    "DELETE FROM billing_item_search": "is not found by what it says",
    "UPDATE billing_item SET name = 'other'": "is not found by what it says",
    "UPDATE billing_item SET tags = '[]'": "is not found by what it says",
    "UPDATE billing_item SET provider_ref = NULL": "is not found by what it says",
    "DELETE FROM billing_item": "which is not there",
}


@pytest.mark.parametrize("sql", SPOILT)
def test_what_differs_is_named_and_made_right(billing: Billing, busy: Actor, sql: str) -> None:
    assert complaints(billing) == []
    run_sql(billing, sql)
    with billing.instance.active():
        found = search.drifted()
        assert found
        assert all(SPOILT[sql] in one for one in found), found
        with write_transaction():
            search.rebuild(str(busy.account_id))
        assert search.drifted() == []


def test_made_anew_it_is_as_it_was(billing: Billing, busy: Actor) -> None:
    before = everything(billing)["item_search"]
    assert len(before) == 30
    with billing.instance.active(), write_transaction():
        recounts.rebuild(str(busy.account_id))
    assert everything(billing)["item_search"] == before


def test_many_are_read_page_by_page(
    billing: Billing, busy: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search, "_AT_ONCE", 7)
    before = everything(billing)["item_search"]
    with billing.instance.active(), write_transaction():
        search.rebuild(str(busy.account_id))
    assert everything(billing)["item_search"] == before
    run_sql(billing, "UPDATE billing_item SET name = 'other'")
    with billing.instance.active():
        assert len(search.drifted()) == 30


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_made_anew_it_is_not_read_as_if_it_were_small(billing: Billing, actor: Actor) -> None:
    # as FTS5 forgets pages that it has merged
    plan = "EXPLAIN QUERY PLAN DELETE FROM billing_item_search_data WHERE id >= 1 AND id <= 3"
    with billing.instance.active():
        execute("ANALYZE")
        assert "SCAN" in str(fetch_all(plan))
        with write_transaction():
            search.rebuild(str(actor.account_id))
        assert "SEARCH" in str(fetch_all(plan))


@pytest.mark.parametrize("spoken", [search.expression, search.patterns])
def test_a_question_is_made_of_words_alone(billing: Billing, spoken: Callable[..., Any]) -> None:
    asked = '"a\' OR b"* -c:NEAR(d^e) \\ % _ [f]? {g}* h;--'
    with billing.instance.active():
        said = spoken("acct_x", terms_in(asked), mark=search.ANYWHERE)
    text = said if isinstance(said, str) else "".join(said)
    marked = re.compile(r"[0-9a-f]{6}a(\w+)")
    assert marked.findall(text) == ["a", "or", "b", "c", "near", "d", "e", "f", "g", "h"]
    assert set(marked.sub("", text).replace("AND", "")) <= set("\"'()&<->:* ")
