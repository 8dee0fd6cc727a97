"""The doctor: content with healthy books, and names what was tampered with."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import peewee
import pytest

from billing_plugin import Actor, Billing, Money, errors, operations
from billing_plugin.context import is_sqlite
from billing_plugin.models import counters
from billing_plugin.money import Exact
from billing_plugin.operations import ItemDraft, Usage
from tests.books import complaints, run_sql
from tests.deeds import spend
from tests.factories import START, account_with


@pytest.fixture
def busy(billing: Billing, actor: Actor) -> Actor:
    """An account with two limits and some usage, beside another one."""
    account_with(billing, "7")
    for window in ("daily", "monthly"):
        operations.set_limit(actor, str(actor.account_id), Money.parse("50"), window=window)
    for number in range(1, 5):
        used = Usage(
            "m", cost=Money.from_cents(number), effective_at=START - timedelta(days=number)
        )
        operations.record_usage(actor, str(actor.account_id), used)
    return actor


def tamper(billing: Billing, sql: str, *values: object) -> None:
    """Changes what the database forbids to change, as an intruder with its password could."""
    with billing.instance.active():
        sqlite = is_sqlite()
    on = "" if sqlite else " ON billing_ledger_entry"
    names = ("no_update", "no_delete") if sqlite else ("immutable",)
    for name in names:
        run_sql(billing, f"DROP TRIGGER billing_ledger_entry_{name}{on}")
    run_sql(billing, sql, *values)


def test_healthy_books_have_nothing_to_say(billing: Billing, busy: Actor) -> None:
    assert complaints(billing) == []


def test_a_changed_balance_is_named(billing: Billing, busy: Actor) -> None:
    run_sql(
        billing,
        "UPDATE billing_account SET posted_nanos = posted_nanos + 1 WHERE id = ?",
        busy.account_id,
    )
    found = complaints(billing)
    assert len(found) == 2
    assert all(str(busy.account_id) in sentence for sentence in found)


def test_an_account_below_its_floor_is_named(billing: Billing, busy: Actor) -> None:
    raise_floor = "UPDATE billing_account SET floor_nanos = posted_nanos + 1 WHERE id = ?"
    with pytest.raises(peewee.IntegrityError):
        run_sql(billing, raise_floor, busy.account_id)
    with billing.instance.active():
        unchecked = "PRAGMA ignore_check_constraints = 1"
        if not is_sqlite():
            unchecked = "ALTER TABLE billing_account DROP CONSTRAINT billing_account_check"
        run_sql(billing, unchecked)
        run_sql(billing, raise_floor, busy.account_id)
    assert complaints(billing) == [f"{busy.account_id}: available is below the floor"]


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE billing_ledger_entry SET amount_nanos = amount_nanos - 1 WHERE sequence = 3",
        "UPDATE billing_ledger_entry SET balance_after_nanos = 5 WHERE sequence = 2",
        "DELETE FROM billing_ledger_entry WHERE sequence = 3",
        "UPDATE billing_ledger_entry SET currency = 'EUR' WHERE sequence = 3",
        "UPDATE billing_ledger_entry SET sequence = 99 WHERE sequence = 5",
        "UPDATE billing_ledger_entry SET kind = 'rerating', id = 'led_x' WHERE sequence = 4",
        "UPDATE billing_usage_record SET cost_nanos = cost_nanos + 1",
        "UPDATE billing_usage_record SET currency = 'EUR'",
        "DELETE FROM billing_usage_record",
    ],
)
def test_a_changed_row_is_named_with_its_account(billing: Billing, busy: Actor, sql: str) -> None:
    tamper(billing, sql)
    found = complaints(billing)
    assert found
    assert any(str(busy.account_id) in sentence for sentence in found)
    assert any("led_" in sentence or "use_" in sentence for sentence in found)


def test_two_changes_that_keep_every_sum_are_named(billing: Billing, busy: Actor) -> None:
    """One cent moved from one entry to the next: the account's sum is right, the chain is not."""
    tamper(
        billing,
        "UPDATE billing_ledger_entry SET amount_nanos = amount_nanos + (2 * sequence - 5) * 10000"
        " WHERE sequence IN (2, 3) AND account_id = ?",
        busy.account_id,
    )
    found = complaints(billing)
    assert not any("add up" in sentence for sentence in found)
    assert any("does not follow" in sentence for sentence in found)


def test_a_changed_counter_is_named(billing: Billing, busy: Actor) -> None:
    [daily, _] = operations.list_limits(busy, str(busy.account_id))
    run_sql(
        billing,
        "UPDATE billing_limit_counter SET spent_nanos = 1 WHERE limit_id = ?",
        daily.limit.id,
    )
    found = complaints(billing)
    assert len(found) == 4
    assert all(sentence.startswith(daily.limit.id) for sentence in found)


def test_what_is_written_between_two_questions_is_no_drift(
    billing: Billing, busy: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The doctor sees the books as of one moment, and writers do not wait for it."""
    question, charged = counters.stored_windows, []

    def asked(limit_id: str) -> list[Any]:
        found = question(limit_id)
        with ThreadPoolExecutor(1) as elsewhere:
            charged.append(elsewhere.submit(spend, busy, "0.01").result())
        return found

    monkeypatch.setattr(counters, "stored_windows", asked)
    assert complaints(billing) == []
    assert len(charged) == 2  # once for each limit
    monkeypatch.undo()
    assert complaints(billing) == []


def test_only_operators_ask(actor: Actor) -> None:
    with pytest.raises(errors.Forbidden):
        operations.check_ledger(actor)


def test_sums_of_items_are_made_anew(billing: Billing, actor: Actor) -> None:
    draft = ItemDraft("n", Exact(1), tags=["x"])
    operations.create_item(actor, str(actor.account_id), draft)
    run_sql(billing, "UPDATE billing_item SET nanos = 5")
    operator = billing.operator()
    assert operations.check_ledger(operator) == []
    assert len(operations.check_reports(operator)) == 6  # one cell of each kind
    assert operations.rebuild_reports(operator) == 1
    assert operations.check_reports(operator) == []
    [total] = operations.summarize(actor, str(actor.account_id)).totals
    assert total.amount == Exact(5)


def test_only_operators_make_sums_anew(actor: Actor) -> None:
    for ask in (operations.check_reports, operations.rebuild_reports):
        with pytest.raises(errors.Forbidden):
            ask(actor)


def test_sums_of_no_account_are_refused(billing: Billing) -> None:
    with pytest.raises(errors.NotFound):
        operations.rebuild_reports(billing.operator(), account="acct_x")
