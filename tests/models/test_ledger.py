"""The ledger as rows: immutable, chained, sealed, guarded below the code that decides."""

from __future__ import annotations

from datetime import timedelta

import peewee
import pytest

from billing_plugin import Actor, Billing, Money
from billing_plugin.context import Signature, write_transaction
from billing_plugin.errors import InsufficientFunds, InternalError, InvalidRequest, NotFound
from billing_plugin.models import doctor, ledger
from billing_plugin.models.base import execute, fetch_all
from billing_plugin.models.ledger import COUNTER_ACCOUNTS, Movement
from billing_plugin.models.seals import seal_of
from billing_plugin.periods import END
from tests.books import complaints, counts, everything, run_sql
from tests.factories import START, Clock, account_with, billing_on


def movement(units: str, kind: str = "adjustment", reference: str | None = None) -> Movement:
    return Movement(kind, Money.parse(units).nanos, START, reference, metadata={"n": 1})


def enter(billing: Billing, actor: Actor, *movements: Movement) -> list[str]:
    with billing.instance.active(), write_transaction():
        book = ledger.open_book(str(actor.account_id))
        entries = [book.enter(one) for one in movements]
        book.close()
    return entries


def test_a_book_enters_several_movements_as_one_change(billing: Billing, actor: Actor) -> None:
    account_id = str(actor.account_id)
    with billing.instance.active():
        with write_transaction():
            book = ledger.open_book(account_id)
            book.signature = Signature("key", "key_1", "req_1")
            entries = [book.enter(movement(units)) for units in ("5", "-3", "-102")]
            assert book.available == Money.zero()
            book.close()
            book.close()  # nothing is left to store
        found = [ledger.get(account_id, entry) for entry in entries]
        newest = ledger.newest(account_id, limit=2, offset=1)
        older = ledger.newest(account_id, limit=9, before=found[1].sequence)
    assert [entry.balance_after.text for entry in found] == ["105.00", "102.00", "0.00"]
    assert [entry.sequence for entry in found] == [2, 3, 4]
    assert {(entry.key_id, entry.request_id, entry.counter_account) for entry in found} == {
        ("key_1", "req_1", "adjustment")
    }
    assert [entry.id for entry in newest] == [entries[1], entries[0]]
    assert [entry.sequence for entry in older] == [2, 1]


def test_a_movement_may_bear_a_signature_of_its_own(billing: Billing, actor: Actor) -> None:
    other = Signature("key", "key_2", "req_2")
    [first, second] = enter(
        billing, actor, Movement("support", 1, signature=other), Movement("support", 1)
    )
    with billing.instance.active():
        found = [ledger.get(str(actor.account_id), entry) for entry in (first, second)]
    assert [(one.actor, one.key_id, one.request_id) for one in found] == [
        other,
        ("system", None, None),
    ]


def test_what_names_no_time_is_effective_when_it_is_recorded(
    billing: Billing, actor: Actor, clock: Clock
) -> None:
    clock.forward(hours=1)
    [late, now] = enter(billing, actor, movement("1"), Movement("support", 1))
    with billing.instance.active():
        found = [ledger.get(str(actor.account_id), entry) for entry in (late, now)]
    hour = timedelta(hours=1)
    assert [(one.effective_at, one.recorded_at) for one in found] == [
        (START, START + hour),
        (START + hour, START + hour),
    ]


def test_every_kind_has_another_side(billing: Billing, actor: Actor) -> None:
    with billing.instance.active(), write_transaction():
        book = ledger.open_book(str(actor.account_id))
        for number, kind in enumerate(COUNTER_ACCOUNTS):
            book.enter(movement("1", kind, f"r{number}"))
        book.close()
        with pytest.raises(KeyError):
            book.enter(movement("1", "gift"))


def test_a_refusal_says_what_is_there(billing: Billing, actor: Actor) -> None:
    with billing.instance.active(), write_transaction():
        book = ledger.open_book(str(actor.account_id))
        assert book.refusal(100 * 10**9) is None
        refusal = book.refusal(100 * 10**9 + 1)
        assert isinstance(refusal, InsufficientFunds)
        assert refusal.extra == {
            "available": "100.00", "requested": "100.000000001", "currency": "USD",
        }  # fmt: skip
        book.posted_nanos = -(2**62)
        assert book.refusal(0) is None
        assert book.refusal(2**63 - 1) is not None
        with pytest.raises(InvalidRequest):
            book.require_currency(Money(1, "EUR"))


def test_a_refusal_names_the_postpaid_allowance(billing: Billing, actor: Actor) -> None:
    with billing.instance.active(), write_transaction():
        book = ledger.open_book(str(actor.account_id))
        book.postpaid_nanos = 5 * 10**9
        assert book.refusal(105 * 10**9) is None
        refusal = book.refusal(105 * 10**9 + 1)
    assert refusal is not None
    assert (refusal.extra["available"], refusal.extra["postpaid"]) == ("100.00", "5.00")


def test_what_is_held_is_not_available(billing: Billing, actor: Actor) -> None:
    with billing.instance.active(), write_transaction():
        book = ledger.open_book(str(actor.account_id))
        book.hold(30 * 10**9)
        assert book.available == Money.parse("70")
        assert not book.covers(70 * 10**9 + 1)
        book.hold(-30 * 10**9)
        assert book.covers(100 * 10**9)
        book.close()


def test_what_has_happened_may_pass_the_floor_and_the_floor_comes_back(
    billing: Billing, actor: Actor
) -> None:
    def floor() -> int:
        with billing.instance.active():
            return int(fetch_all("SELECT floor_nanos FROM billing_account")[0][0])

    with billing.instance.active(), pytest.raises(peewee.IntegrityError), write_transaction():
        book = ledger.open_book(str(actor.account_id))
        book.enter(movement("-103"))
        book.close()
    with billing.instance.active(), write_transaction():
        book = ledger.open_book(str(actor.account_id))
        book.enter(movement("-103"))
        book.overdraw()
        book.close()
    assert floor() == -3 * 10**9
    enter(billing, actor, movement("2"))
    assert floor() == -(10**9)
    enter(billing, actor, movement("5"))
    assert floor() == 0


def test_a_balance_never_leaves_64_bits(billing: Billing, actor: Actor) -> None:
    before = everything(billing)
    with pytest.raises(InvalidRequest):
        enter(billing, actor, Movement("support", 2**63 - 1))
    assert everything(billing) == before


def test_the_closing_guard_refuses_a_decision_that_is_no_longer_true(
    billing: Billing, actor: Actor
) -> None:
    """It cannot happen under the lock; if it ever did, nothing would be written."""
    before = everything(billing)
    with billing.instance.active(), pytest.raises(InternalError), write_transaction():
        book = ledger.open_book(str(actor.account_id))
        book.enter(movement("-1"))
        execute("UPDATE billing_account SET sequence = 7 WHERE id = ?", (actor.account_id,))
        book.close()
    assert everything(billing) == before


@pytest.mark.parametrize("table", ["billing_ledger_entry", "billing_audit"])
@pytest.mark.parametrize("sql", ["UPDATE {} SET actor = 'x'", "DELETE FROM {}"])
def test_the_database_refuses_to_change_what_happened(
    billing: Billing, actor: Actor, sql: str, table: str
) -> None:
    before = everything(billing)
    with pytest.raises(peewee.DatabaseError, match="what was written here is never"):
        run_sql(billing, sql.format(table))
    assert everything(billing) == before


def test_one_topup_is_credited_once_whatever_the_code_does(billing: Billing, actor: Actor) -> None:
    before = counts(billing)
    with pytest.raises(peewee.IntegrityError):
        enter(billing, actor, *[movement("5", "topup", "top_1")] * 2)
    assert counts(billing) == before


def test_an_entry_is_reversed_once_whatever_the_code_does(billing: Billing, actor: Actor) -> None:
    [entry] = enter(billing, actor, movement("5"))
    undone = Movement("reversal", -1, reverses_id=entry)
    with billing.instance.active():
        assert ledger.reversal_of(entry) is None
    [reversal] = enter(billing, actor, undone)
    with billing.instance.active():
        found = ledger.reversal_of(entry)
    assert found is not None
    assert found.id == reversal
    with pytest.raises(peewee.IntegrityError):
        enter(billing, actor, undone)


def test_a_sequence_is_given_once(billing: Billing, actor: Actor) -> None:
    others = ledger.COLUMNS.removeprefix("id, ")
    copy = f"INSERT INTO billing_ledger_entry SELECT 'led_x', {others} FROM billing_ledger_entry"
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
    assert complaints(billing) == []


def test_the_balance_of_a_past_moment_is_what_was_recorded_until_then(
    billing: Billing, actor: Actor, clock: Clock
) -> None:
    account_id = str(actor.account_id)
    for units in ("1", "-2", "4"):
        clock.forward(hours=1)
        enter(billing, actor, movement(units))  # all effective at START
    hour, instant = timedelta(hours=1), timedelta(microseconds=1)
    with billing.instance.active():
        found = [
            ledger.balance_at(account_id, at)
            for at in (START - instant, START, START + hour - instant, START + hour, clock.at, END)
        ]
    units = 10**9
    assert found == [
        (0, 0), (100 * units, 1), (100 * units, 1), (101 * units, 2), (103 * units, 4),
        (103 * units, 4),
    ]  # fmt: skip


def test_the_database_counts_the_time_where_no_clock_was_given(database_url: str) -> None:
    billing = billing_on(database_url)
    actor = account_with(billing, "1")
    with billing.instance.active(), write_transaction():
        before = billing.instance.clock()
        book = ledger.open_book(str(actor.account_id))
    assert abs(book.at - before) < timedelta(seconds=30)


@pytest.mark.parametrize("size", [1, 2, 3, 1000])
def test_rows_are_read_as_they_were_sealed_whatever_the_page(
    billing: Billing, actor: Actor, size: int
) -> None:
    enter(billing, actor, movement("1"), movement("-2", "usage"), Movement("support", 3))
    with billing.instance.active():
        rows = list(ledger.rows_of(str(actor.account_id), size=size))
        assert doctor.broken_seal(str(actor.account_id)) is None
    assert [row[7] for row in rows] == [1, 2, 3, 4]
    seal = ""
    for row in rows:
        assert row[16] == seal_of(seal, row[:16])
        seal = row[16]
