"""Accounts as rows."""

from __future__ import annotations

from datetime import timedelta

import peewee
import pytest

from billing_plugin import Billing
from billing_plugin.errors import NotFound
from billing_plugin.models import accounts
from tests.books import run_sql
from tests.factories import START, account_with


def test_a_row_goes_round(billing: Billing) -> None:
    with billing.instance.active():
        made = accounts.create("A", "KWD", START)
        found = accounts.get(made.id)
    assert (found.id, found.name, found.currency) == (made.id, "A", "KWD")
    assert (found.posted_nanos, found.held_nanos, found.sequence) == (0, 0, 0)
    assert found.available.text == "0.000"
    assert found.manual_sync_at is None


def test_an_unknown_account_is_not_found(billing: Billing) -> None:
    with billing.instance.active(), pytest.raises(NotFound):
        accounts.get("acct_" + "0" * 32)


def test_held_money_is_not_available(billing: Billing) -> None:
    account_id = str(account_with(billing, "5").account_id)
    run_sql(billing, "UPDATE billing_account SET held_nanos = 2000000000 WHERE id = ?", account_id)
    with billing.instance.active():
        found = accounts.get(account_id)
    assert (found.posted.text, found.held.text, found.available.text) == ("5.00", "2.00", "3.00")


@pytest.mark.parametrize(
    "change",
    [
        *("posted_nanos = -1", "held_nanos = -1", "held_nanos = 5000000001"),
        "posted_nanos = 9223372036854775808",  # SQLite would make a float of it
    ],
)
def test_the_table_itself_refuses_what_must_not_be(billing: Billing, change: str) -> None:
    account_with(billing, "5")
    with pytest.raises((peewee.IntegrityError, peewee.DataError)):
        run_sql(billing, f"UPDATE billing_account SET {change}")


def test_one_turn_to_sync_by_hand_is_taken_once(billing: Billing) -> None:
    account_id = str(account_with(billing).account_id)
    minute = timedelta(minutes=1)
    with billing.instance.active():
        assert accounts.claim_manual_sync(account_id, START, not_after=START - minute) is None
        last = accounts.claim_manual_sync(
            account_id, START + minute / 2, not_after=START - minute / 2
        )
        assert last == START
        assert accounts.claim_manual_sync(account_id, START + minute, not_after=START) is None


def test_only_accounts_with_active_integrations_are_listed(billing: Billing) -> None:
    account_with(billing)
    with billing.instance.active():
        assert accounts.every_id_with_integrations() == []
