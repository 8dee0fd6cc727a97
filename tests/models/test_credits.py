"""Credits as rows: the order of their use, what is drawn, what is owed, what expires."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import peewee
import pytest

from billing_plugin import Actor, Billing
from billing_plugin.context import write_transaction
from billing_plugin.models import credits, ledger
from billing_plugin.models.credits import PAID, PROMOTION, SUPPORT, CreditGrant, Terms
from billing_plugin.models.ledger import Book, Movement
from billing_plugin.periods import END
from tests.books import run_sql
from tests.factories import START, Clock, account_with

DAY = timedelta(days=1)
APRIL = datetime(2026, 4, 1, tzinfo=UTC)


@pytest.fixture
def poor(billing: Billing) -> Actor:
    return account_with(billing)


@contextmanager
def open_book(billing: Billing, actor: Actor) -> Iterator[Book]:
    """The settled book; closed afterwards."""
    with billing.instance.active(), write_transaction():
        book = ledger.open_book(str(actor.account_id))
        credits.settle(book)
        yield book
        book.close()


def rests(book: Book) -> list[int]:
    return [grant.remaining_nanos for grant in credits.left(book.account_id)]


def give(book: Book, nanos: int, *terms: object) -> str:
    kind = "topup" if not terms or terms[0] == PAID else str(terms[0])
    movement = Movement(kind, nanos, reference_id=f"top_{book.sequence}")
    return credits.add(book, movement, Terms(*terms))  # type: ignore[arg-type]


def debit(book: Book, nanos: int) -> None:
    book.enter(Movement("usage", -nanos))


def test_a_credit_goes_round(billing: Billing, poor: Actor) -> None:
    with open_book(billing, poor) as book:
        entry_id = give(book, 7, PROMOTION, None, START + DAY)
        [grant] = credits.left(book.account_id)
    assert (grant.entry_id, grant.kind, grant.priority) == (entry_id, PROMOTION, 10)
    assert (grant.amount_nanos, grant.remaining_nanos, grant.sequence) == (7, 7, 1)
    assert (grant.expires_at, grant.created_at) == (START + DAY, START)


def test_the_order_is_priority_then_expiry_then_age(billing: Billing, poor: Actor) -> None:
    given = [
        (PAID,), (SUPPORT,), (PROMOTION,), (PROMOTION, None, START + 2 * DAY),
        (PROMOTION, None, START + DAY), (PAID, 0), (SUPPORT,),
    ]  # fmt: skip
    with open_book(billing, poor) as book:
        for number, terms in enumerate(given, 1):
            give(book, number, *terms)
        assert rests(book) == [6, 5, 4, 3, 2, 7, 1]


@pytest.mark.parametrize(
    ("drawn", "found"),
    [(0, [3, 5, 4]), (1, [2, 5, 4]), (3, [5, 4]), (9, [3]), (12, []), (99, [])],
)
def test_credits_are_drawn_in_their_order_as_far_as_they_go(
    billing: Billing, poor: Actor, drawn: int, found: list[int]
) -> None:
    with open_book(billing, poor) as book:
        for nanos, kind in ((4, PAID), (5, SUPPORT), (3, PROMOTION)):
            give(book, nanos, kind)
        credits.draw(credits.left(book.account_id), drawn)
        assert rests(book) == found


def test_debits_are_drawn_once(billing: Billing, poor: Actor) -> None:
    with open_book(billing, poor) as book:
        give(book, 10)
        debit(book, 3)
        book.close()
        for _ in range(2):
            credits.settle(book)
            assert rests(book) == [7]
        debit(book, 1)
    with open_book(billing, poor) as book:
        assert rests(book) == [6]
        assert book.drawn_sequence == book.sequence


def test_what_is_owed_is_paid_from_new_credit_first(billing: Billing, poor: Actor) -> None:
    with open_book(billing, poor) as book:
        book.postpaid_nanos, book.floor_nanos = 100, -100
        give(book, 5)
        debit(book, 12)
    with open_book(billing, poor) as book:
        assert credits.owed(book) == 7
        give(book, 4)
        assert (credits.owed(book), rests(book)) == (3, [])
        give(book, 10)
        assert (credits.owed(book), rests(book)) == (0, [7])


def test_a_credit_is_taken_back_from_its_own_money_first(billing: Billing, poor: Actor) -> None:
    with open_book(billing, poor) as book:
        give(book, 5, PROMOTION)
        entry_id = give(book, 7, SUPPORT)
        credits.take_back(book, entry_id, 9)
        assert rests(book) == [3]
        credits.take_back(book, "led_unknown", 1)
        assert rests(book) == [2]


def test_what_has_expired_is_entered_and_what_is_held_stays(
    billing: Billing, poor: Actor, clock: Clock
) -> None:
    with open_book(billing, poor) as book:
        entry_id = give(book, 10, PROMOTION, None, START + DAY)
        give(book, 5, PAID)
        book.hold(9)
        assert book.due_at == START + DAY
    clock.forward(days=1)
    with open_book(billing, poor) as book:
        credits.expire(book)
        assert (book.posted_nanos, rests(book)) == (9, [4, 5])
        book.hold(-9)
        credits.expire(book)
        assert (book.posted_nanos, rests(book)) == (5, [5])
        credits.expire(book)
        credits.plan(book)
        assert book.due_at == END
    with billing.instance.active():
        last, first = ledger.newest(str(poor.account_id), limit=2)
    assert [(one.kind, one.amount_nanos, one.reference_id) for one in (first, last)] == [
        ("expiry", -6, entry_id), ("expiry", -4, entry_id),
    ]  # fmt: skip
    assert first.effective_at == START + DAY


def test_what_was_used_beyond_the_credit_becomes_receivable_at_the_cycles_end(
    billing: Billing, poor: Actor, clock: Clock
) -> None:
    with open_book(billing, poor) as book:
        book.postpaid_nanos, book.floor_nanos, book.cycle_ends_at = 100, -100, APRIL
        give(book, 5)
        debit(book, 12)
        credits.end_cycle(book)
        assert book.sequence == 2  # not yet
        credits.plan(book)
        assert book.due_at == APRIL
    clock.at = APRIL + DAY
    with open_book(billing, poor) as book:
        credits.end_cycle(book)
        credits.plan(book)
        assert (book.posted_nanos, credits.owed(book)) == (0, 0)
        assert book.due_at == datetime(2026, 5, 1, tzinfo=UTC)
        book.postpaid_nanos = 0
    clock.forward(days=40)
    with open_book(billing, poor) as book:
        credits.end_cycle(book)
        credits.plan(book)
        assert (book.cycle_ends_at, book.due_at) == (None, END)
        credits.end_cycle(book)
    with billing.instance.active():
        [entry] = ledger.newest(str(poor.account_id), limit=1)
    assert (entry.kind, entry.amount_nanos, entry.effective_at) == ("postpaid", 7, APRIL)


def test_an_entry_grants_credit_once(billing: Billing, poor: Actor) -> None:
    with open_book(billing, poor) as book:
        give(book, 5)
        give(book, 6)
    with pytest.raises(peewee.IntegrityError):
        run_sql(billing, "UPDATE billing_credit_grant SET entry_id = 'led_1'")
    with billing.instance.active():
        assert CreditGrant.select().count() == 2
