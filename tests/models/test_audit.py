"""Audit rows: written with the change, listed newest first."""

from __future__ import annotations

from billing_plugin import Actor, Billing
from billing_plugin.context import Signature, write_transaction
from billing_plugin.models import audit
from tests.factories import START, account_with

BY = Signature("key", "key_1", "req_1")


def test_a_row_goes_round(billing: Billing, actor: Actor) -> None:
    mine = str(actor.account_id)
    with billing.instance.active(), write_transaction():
        audit.write(BY, "a.b", "x", account_id=mine, at=START, before={"n": [1]}, after=None)
        [row, *_] = audit.page(mine)
    assert (row.actor, row.key_id, row.request_id) == BY
    assert (row.action, row.subject_id, row.account_id, row.at) == ("a.b", "x", mine, START)
    assert (row.before, row.after) == ({"n": [1]}, None)


def test_rows_are_listed_by_account_newest_first(billing: Billing) -> None:
    mine, other = (str(account_with(billing).account_id) for _ in range(2))
    with billing.instance.active(), write_transaction():
        for number in range(4):
            audit.write(BY, f"act {number}", "x", account_id=mine, at=START)
        first = audit.page(mine, limit=2)
        rest = audit.page(mine, before=first[-1].id)
        strangers = audit.page(other)
    assert [row.action for row in first] == ["act 3", "act 2"]
    assert [row.action for row in rest] == ["act 1", "act 0", "account.create"]
    assert [row.action for row in strangers] == ["account.create"]
