"""Opening accounts."""

from __future__ import annotations

import pytest

from billing_plugin import Actor, Billing, errors, operations
from billing_plugin.operations.accounts import MAX_NAME_LENGTH
from tests.books import complaints, everything
from tests.factories import START, account_with, billing_on


def test_an_account_opens_empty(billing: Billing) -> None:
    made = operations.create_account(billing.operator(), "  Ünïcode & Söhne  ")
    found = operations.get_account(billing.operator(), made.id)
    assert (found.name, found.currency, found.created_at) == ("Ünïcode & Söhne", "USD", START)
    assert (found.posted.text, found.held.text, found.available.text) == ("0.00", "0.00", "0.00")
    assert complaints(billing) == []


def test_the_currency_is_its_own_or_the_instances(database_url: str) -> None:
    billing = billing_on(database_url, currency="EUR")
    assert operations.create_account(billing.operator(), "A").currency == "EUR"
    assert operations.create_account(billing.operator(), "B", currency="JPY").currency == "JPY"


@pytest.mark.parametrize("name", ["", " ", "x" * (MAX_NAME_LENGTH + 1), "a\0b", "\ud800"])
def test_names_that_are_none_are_refused(billing: Billing, name: str) -> None:
    with pytest.raises(errors.InvalidRequest):
        operations.create_account(billing.operator(), name)
    assert everything(billing)["account"] == []


@pytest.mark.parametrize("currency", ["usd", "DOLLAR", "U$D"])
def test_currencies_that_are_none_are_refused(billing: Billing, currency: str) -> None:
    with pytest.raises(errors.InvalidRequest):
        operations.create_account(billing.operator(), "A", currency=currency)


def test_others_accounts_are_not_found(billing: Billing, actor: Actor) -> None:
    other = account_with(billing)
    for account_id in (str(other.account_id), "acct_" + "0" * 32, "", "\0", "\ud800"):
        with pytest.raises(errors.NotFound):
            operations.get_account(actor, account_id)


def test_only_operators_open_accounts(actor: Actor) -> None:
    with pytest.raises(errors.Forbidden):
        operations.create_account(actor, "A")
