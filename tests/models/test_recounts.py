"""Every sum is counted again: what differs is named, and made right."""

from __future__ import annotations

import pytest

from billing_plugin import Actor, Billing, operations
from billing_plugin.context import write_transaction
from billing_plugin.models import recounts
from billing_plugin.money import Exact
from billing_plugin.operations import ItemDraft
from tests.books import complaints, everything, run_sql


@pytest.fixture
def busy(billing: Billing, actor: Actor) -> Actor:
    """An account with items of every kind, some of them not folded."""
    mine = str(actor.account_id)
    operations.create_category(actor, mine, "c")
    drafts = [
        ItemDraft("n", Exact(n), provider="p", provider_ref=str(n), tags=["x", "y"][: n % 3])
        for n in range(9)
    ]
    operations.store_items(actor, mine, drafts, source="sync")
    for draft in drafts:
        operations.create_item(actor, mine, draft._replace(provider_ref=None, category="c"))
    return actor


SPOILT = {
    "UPDATE billing_spend_day SET nanos = nanos + 1": "billing_spend_day of 2026-03-09 USD",
    "UPDATE billing_spend_month SET attos = attos + 1": "billing_spend_month of 2026-03 USD",
    "UPDATE billing_spend_date SET items = items + 1": "is off by 0 0 1",
    "UPDATE billing_spend_provider_day SET items = 8": "of p 2026-03-09 USD sync is off by",
    "UPDATE billing_spend_tag_day SET items = 9": "billing_spend_tag_day of 2026-03-09 USD",
    "DELETE FROM billing_spend_tag WHERE tag = 'x'": "billing_spend_tag of 2026-03 USD sync p x",
    "UPDATE billing_spend_tag SET tag = 'z' WHERE tag = ''": "billing_spend_tag",
    "UPDATE billing_item SET nanos = 99": "billing_spend_date",
    "UPDATE billing_item SET tags = '[]'": "is kept wrongly",
    "DELETE FROM billing_item_tag": "is kept wrongly",
    "UPDATE billing_item SET category_id = 'cat_x'": "cat_x is not there",
    "UPDATE billing_item SET account_id = 'acct_x'": "its account is not there",
}


@pytest.mark.parametrize("sql", SPOILT)
def test_what_differs_is_named(billing: Billing, busy: Actor, sql: str) -> None:
    assert complaints(billing) == []
    run_sql(billing, sql)
    found = complaints(billing)
    assert any(SPOILT[sql] in one for one in found), found


def test_sums_are_made_anew_as_they_were(billing: Billing, busy: Actor) -> None:
    mine = str(busy.account_id)

    def rebuilt() -> dict[str, list[str]]:
        with billing.instance.active(), write_transaction():
            recounts.rebuild(mine)
        assert complaints(billing) == []
        return everything(billing)

    before = operations.break_down(busy, mine, by="tag").currencies
    whole = rebuilt()
    for table in ("day", "month", "date", "tag"):
        run_sql(billing, f"UPDATE billing_spend_{table} SET nanos = 7, items = 3")
    assert rebuilt() == whole
    assert whole["spend_delta"] == []
    assert operations.break_down(busy, mine, by="tag").currencies == before


@pytest.mark.parametrize("sql", [sql for sql in SPOILT if "_id = " not in sql])
def test_all_that_differs_is_mended(billing: Billing, busy: Actor, sql: str) -> None:
    """As the items are now: what they say is the truth."""
    run_sql(billing, sql)
    assert operations.rebuild_reports(billing.operator(), account=str(busy.account_id)) == 1
    assert complaints(billing) == []
