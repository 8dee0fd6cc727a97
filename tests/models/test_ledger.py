"""The ledger as rows: immutable, chained, guarded below the code that decides."""

from __future__ import annotations

import peewee
import pytest

from billing_plugin import Actor, Billing, Money
from billing_plugin.context import write_transaction
from billing_plugin.errors import InsufficientFunds, InternalError, InvalidRequest, NotFound
from billing_plugin.models import ledger
from billing_plugin.models.base import execute
from billing_plugin.models.ledger import COUNTER_ACCOUNTS, Movement
from tests.books import complaints, counts, everything, run_sql
from tests.factories import START


def movement(units: str, kind: str = "adjustment", reference: str | None = None) -> Movement:
    return Movement(kind, Money.parse(units), START, reference, {"n": 1})


def test_a_book_enters_several_movements_as_one_change(billing: Billing, actor: Actor) -> None:
    account_id = str(actor.account_id)
    with billing.instance.active():
        with write_transaction():
            book = ledger.open_book(account_id)
            book.key_id, book.request_id = "key_1", "req_1"
            entries = [book.enter(movement(units), START) for units in ("5", "-3", "-102")]
            assert book.available == Money.zero()
            book.close()
            book.close()  # nothing is left to store
        found = [ledger.get(account_id, entry) for entry in entries]
        newest = ledger.newest(account_id, limit=2, offset=1)
    assert [entry.balance_after.text for entry in found] == ["105.00", "102.00", "0.00"]
    assert [entry.sequence for entry in found] == [2, 3, 4]
    assert {(entry.key_id, entry.request_id, entry.counter_account) for entry in found} == {
        ("key_1", "req_1", "adjustment")
    }
    assert [entry.id for entry in newest] == [entries[1], entries[0]]
    assert complaints(billing) == []


def test_every_kind_has_another_side(billing: Billing, actor: Actor) -> None:
    with billing.instance.active(), write_transaction():
        book = ledger.open_book(str(actor.account_id))
        for number, kind in enumerate(COUNTER_ACCOUNTS):
            book.enter(movement("1", kind, f"r{number}"), START)
        book.close()
        with pytest.raises(KeyError):
            book.enter(movement("1", "gift"), START)


def test_a_refusal_says_what_is_there(billing: Billing, actor: Actor) -> None:
    with billing.instance.active(), write_transaction():
        book = ledger.open_book(str(actor.account_id))
        assert book.refusal(Money.parse("100")) is None
        refusal = book.refusal(Money.parse("100.000000001"))
        assert isinstance(refusal, InsufficientFunds)
        assert refusal.extra["available"] == "100.00"
        book.posted_nanos = -(2**62)
        assert book.refusal(Money.zero()) is None
        assert book.refusal(Money(2**63 - 1)) is not None
        for act in (book.refusal, book.require_currency):
            with pytest.raises(InvalidRequest):
                act(Money(1, "EUR"))


def test_a_balance_never_leaves_64_bits(billing: Billing, actor: Actor) -> None:
    before = everything(billing)
    with billing.instance.active(), pytest.raises(InvalidRequest), write_transaction():
        ledger.open_book(str(actor.account_id)).enter(
            Movement("support", Money(2**63 - 1), START), START
        )
    assert everything(billing) == before


def test_the_closing_guard_refuses_a_decision_that_is_no_longer_true(
    billing: Billing, actor: Actor
) -> None:
    """It cannot happen under the lock; if it ever did, nothing would be written."""
    before = everything(billing)
    for change in ("sequence = sequence + 1", "held_nanos = posted_nanos"):
        with billing.instance.active(), pytest.raises(InternalError), write_transaction():
            book = ledger.open_book(str(actor.account_id))
            book.enter(movement("-1"), START)
            execute(f"UPDATE billing_account SET {change} WHERE id = ?", (actor.account_id,))
            book.close()
        assert everything(billing) == before


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE billing_ledger_entry SET amount_nanos = 1",
        "UPDATE billing_ledger_entry SET metadata = '{}'",
        "DELETE FROM billing_ledger_entry",
    ],
)
def test_the_database_refuses_to_change_an_entry(billing: Billing, actor: Actor, sql: str) -> None:
    before = everything(billing)
    with pytest.raises(peewee.DatabaseError, match="a ledger entry is never"):
        run_sql(billing, sql)
    assert everything(billing) == before


def test_one_topup_is_credited_once_whatever_the_code_does(billing: Billing, actor: Actor) -> None:
    before = counts(billing)
    with billing.instance.active(), pytest.raises(peewee.IntegrityError), write_transaction():
        book = ledger.open_book(str(actor.account_id))
        for _ in range(2):
            book.enter(movement("5", "topup", "top_1"), START)
        book.close()
    assert counts(billing) == before


def test_a_sequence_is_given_once(billing: Billing, actor: Actor) -> None:
    copy = (
        "INSERT INTO billing_ledger_entry SELECT 'led_x', account_id, counter_account, kind,"
        " amount_nanos, currency, balance_after_nanos, sequence, reference_id, key_id, request_id,"
        " metadata, effective_at, recorded_at FROM billing_ledger_entry"
    )
    with pytest.raises(peewee.IntegrityError):
        run_sql(billing, copy)


def test_unknown_things_are_not_found(billing: Billing, actor: Actor) -> None:
    with billing.instance.active():
        with pytest.raises(NotFound), write_transaction():
            ledger.open_book("acct_" + "0" * 32)
        with pytest.raises(NotFound):
            ledger.get(str(actor.account_id), "led_" + "0" * 32)
        [entry] = ledger.newest(str(actor.account_id), limit=1)
        with pytest.raises(NotFound):
            ledger.get("acct_" + "0" * 32, entry.id)
        assert ledger.broken_accounts() == ledger.broken_entries() == []
