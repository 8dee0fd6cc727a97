"""The stored rule, what was bought by it, and who is due."""

from __future__ import annotations

from datetime import timedelta

import pytest

from billing_plugin import Actor, Billing, Money
from billing_plugin.context import write_transaction
from billing_plugin.models import auto_topups, topups
from billing_plugin.models.auto_topups import Bought
from billing_plugin.models.ledger import Book, Movement, open_book
from tests.books import run_sql
from tests.factories import START, account_with

TEN = Money.parse("10")
RULE = {
    "currency": "USD", "threshold_nanos": 5, "amount_nanos": 7, "payment_method": "card",
    "enabled": 1,
}  # fmt: skip


def opened(actor: Actor) -> Book:
    return open_book(str(actor.account_id))


def test_a_rule_is_stored_changed_and_taken_away(billing: Billing, actor: Actor) -> None:
    mine = str(actor.account_id)
    with billing.instance.active():
        assert auto_topups.find(mine) is None
        assert not auto_topups.change(mine, START, declines=1)
        auto_topups.put(mine, START, **RULE)
        auto_topups.put(mine, START + timedelta(1), **{**RULE, "daily_nanos": 9})
        found = auto_topups.find(mine)
        assert found
        assert (found.threshold, found.amount) == (Money(5), Money(7))
        assert (found.daily, found.monthly, found.declines) == (Money(9), None, 0)
        assert found.updated_at - found.created_at == timedelta(1)
        assert auto_topups.remove(mine)
        assert not auto_topups.remove(mine)


def test_what_was_bought_counts_whatever_became_of_it(billing: Billing, actor: Actor) -> None:
    mine = str(actor.account_id)
    with billing.instance.active():
        assert (auto_topups.last(mine), auto_topups.in_flight(mine)) == (None, None)
        for automatic, status, days in (
            (1, "failed", 0), (1, "succeeded", 1), (1, "review", 2), (0, "created", 3),
        ):  # fmt: skip
            made = topups.create(
                mine, TEN, START + timedelta(days), processor="fake", payment_method="card",
                automatic=automatic,
            )  # fmt: skip
            topups.change(made, START, status=status)
        assert auto_topups.bought(mine, START) == Bought(3, 3 * TEN.nanos)
        assert auto_topups.bought(mine, START + timedelta(1)) == Bought(2, 2 * TEN.nanos)
        assert auto_topups.bought(mine, START + timedelta(3)) == Bought(0, 0)
        assert auto_topups.in_flight(mine) is None


@pytest.mark.parametrize("status", topups.OPEN)
def test_one_is_in_flight_until_it_is_settled(billing: Billing, actor: Actor, status: str) -> None:
    mine = str(actor.account_id)
    with billing.instance.active():
        made = topups.create(mine, TEN, START, processor="fake", payment_method="card", automatic=1)
        topups.change(made, START, status=status)
        assert auto_topups.in_flight(mine) == auto_topups.last(mine) == made.id


def test_the_longest_due_comes_first(billing: Billing) -> None:
    ids = [str(account_with(billing).account_id) for _ in range(3)]
    for days, account_id in enumerate(ids):
        sql = "UPDATE billing_account SET topup_due_at = ? WHERE id = ?"
        run_sql(billing, sql, START - timedelta(days), account_id)
    with billing.instance.active():
        assert auto_topups.due(START - timedelta(1), 9) == [ids[2], ids[1]]
        assert auto_topups.due(START, 1) == [ids[2]]


def test_a_book_marks_once_and_wakes_after_the_commit(
    billing: Billing, actor: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    woken = list[tuple[str, str]]()
    monkeypatch.setattr(billing.instance, "enqueue", lambda *said: woken.append(said))
    with billing.instance.active():
        for debit in (0, 50, 1, 1):
            with write_transaction():
                book = opened(actor)
                if not debit:
                    book.topup_below = Money.parse("50").nanos
                book.enter(Movement("adjustment", -Money.parse(str(debit)).nanos))
                book.close()
                assert woken == ([] if debit in (0, 50) or not woken else woken[:1])
        with write_transaction():
            book = opened(actor)
            assert (book.topup_below, book.topup_due_at) == (None, book.at)
    assert woken == [(auto_topups.JOB, actor.account_id)]
