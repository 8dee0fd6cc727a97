"""What an account has, in a few numbers."""

from __future__ import annotations

from datetime import UTC, datetime

from billing_plugin import Actor, Billing, operations
from billing_plugin.money import Exact
from billing_plugin.operations import ItemDraft
from tests.deeds import refused
from tests.factories import account_with


def test_an_empty_account_has_nothing(billing: Billing, actor: Actor, database_url: str) -> None:
    status = operations.check_status(actor, str(actor.account_id))
    assert (status.currency, status.items, status.totals) == ("USD", 0, [])
    assert (status.categories, status.sync_jobs) == (0, 0)
    assert status.storage == ("file" if database_url.startswith("sqlite") else "postgresql")


def test_what_there_is_is_counted(billing: Billing, actor: Actor) -> None:
    for owner in (actor, account_with(billing)):
        mine = str(owner.account_id)
        operations.create_category(owner, mine, "Cloud")
        for at, currency in ((1971, "USD"), (2026, "EUR"), (2990, "USD")):
            date = datetime(at, 1, 1, tzinfo=UTC)
            draft = ItemDraft("n", Exact(5), currency=currency, date=date)
            item = operations.create_item(owner, mine, draft).item
        operations.request_sync(owner, mine)
    operations.delete_item(owner, mine, item.id)
    status = operations.check_status(actor, str(actor.account_id))
    assert (status.items, status.categories, status.sync_jobs) == (3, 1, 1)
    assert [(one.currency, one.amount, one.count) for one in status.totals] == [
        ("EUR", Exact(5), 1), ("USD", Exact(10), 2),
    ]  # fmt: skip
    assert operations.check_status(owner, mine).items == 2


def test_another_account_has_no_status(billing: Billing, actor: Actor) -> None:
    other = str(account_with(billing).account_id)
    assert refused(operations.check_status, actor, other).code == "not_found"
