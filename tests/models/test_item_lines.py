"""Lines of a list: members of an object, whatever of them is asked for."""

from __future__ import annotations

import json

import pytest

from billing_plugin import Billing
from billing_plugin.context import write_transaction
from billing_plugin.models import item_lines, items
from billing_plugin.models.base import stored_time
from billing_plugin.models.item_pages import Place, Wanted
from billing_plugin.operations.items import blank
from tests.factories import START

NAMES = {"called": "name", "by": "provider", "in": "environment", "about": "scope", "and": "meta"}
CASES = {
    "nothing besides": ({}, {"called": ""}),
    "something": ({"name": 'a"', "provider": "p"}, {"called": 'a"', "by": "p"}),
    "hardly said": ({"environment": "e"}, {"called": "", "in": "e"}),
    "facts": ({"scope_text": '{"id":"1"}'}, {"called": "", "about": {"id": "1"}}),
    "no facts": ({"scope_text": "{}", "meta_text": "{}"}, {"called": "", "about": {}}),
}


@pytest.mark.parametrize("case", CASES)
def test_what_is_not_said_is_not_written(billing: Billing, case: str) -> None:
    said, told = CASES[case]
    item = blank("acct_x", "USD", source="sync", at=START)._replace(**said)
    with billing.instance.active(), write_transaction():
        items.store([item])
        [line] = item_lines.page("acct_x", Wanted(), NAMES)
    assert json.loads(f"{{{line.members[1:]}}}") == told
    assert (line.id, line.date, line.currency) == (item.id, START, "USD")
    assert line.usage is None


def test_a_page_goes_on_where_the_last_one_ended(billing: Billing) -> None:
    made = [blank("acct_x", "USD", source="sync", at=START) for _ in range(3)]
    used = made[0]._replace(usage_text='{"amount":2}', dated=stored_time(START))
    with billing.instance.active(), write_transaction():
        items.store([used, *made[1:]])
        found = item_lines.page("acct_x", Wanted(), NAMES, before=Place(START, made[2].id))
        assert [line.id for line in found] == [made[1].id, made[0].id]
        assert found[1].usage == {"amount": 2}
        assert item_lines.page("acct_y", Wanted(), NAMES) == []
