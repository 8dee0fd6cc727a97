"""Balances, movements, and credits entered by hand."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest

from billing_plugin import Actor, Billing, Money, errors, operations
from billing_plugin.errors import BillingError
from billing_plugin.operations import Usage
from tests.books import complaints, counts, everything
from tests.factories import START, Clock, account_with


def adjust(billing: Billing, actor: Actor, units: str, **said: Any) -> Any:
    return operations.adjust(billing.operator(), str(actor.account_id), Money.parse(units), **said)


def test_a_credit_is_entered(billing: Billing, actor: Actor) -> None:
    entry = adjust(billing, actor, "2.5", reason="sorry", kind="adjustment")
    assert (entry.kind, entry.counter_account) == ("adjustment", "adjustment")
    assert (entry.amount.text, entry.balance_after.text) == ("2.50", "102.50")
    assert (entry.metadata, entry.sequence) == ({"reason": "sorry"}, 2)
    balance = operations.check_balance(actor, str(actor.account_id))
    assert (balance.posted, balance.available) == (Money.parse("102.5"), Money.parse("102.5"))
    assert (balance.held.text, balance.as_of) == ("0.00", START)
    assert complaints(billing) == []


def test_a_debit_by_hand_fits_or_is_refused(billing: Billing, actor: Actor) -> None:
    adjust(billing, actor, "-99")
    before = everything(billing)
    with pytest.raises(errors.InsufficientFunds):
        adjust(billing, actor, "-1.000000001")
    assert everything(billing) == before
    adjust(billing, actor, "-1")
    assert complaints(billing) == []


def test_the_same_key_enters_once(billing: Billing, actor: Actor) -> None:
    first = adjust(billing, actor, "1", idempotency_key="k")
    before = everything(billing)
    assert adjust(billing, actor, "1", idempotency_key="k").id == first.id
    for other in (
        {"units": "2"},
        {"units": "1", "reason": "x"},
        {"units": "1", "kind": "adjustment"},
    ):
        with pytest.raises(errors.IdempotencyConflict):
            adjust(billing, actor, **other, idempotency_key="k")
    assert everything(billing) == before


@pytest.mark.parametrize(
    ("amount", "said", "code"),
    [
        (Money(0), {}, "invalid_request"),
        (Money(1), {"kind": "usage"}, "invalid_request"),
        (Money(1), {"kind": "topup"}, "invalid_request"),
        (Money(1, "EUR"), {}, "currency_mismatch"),
        (Money(-1, "EUR"), {}, "currency_mismatch"),
        (Money(2**63 - 1), {}, "amount_out_of_range"),
        (Money(1 - 2**63), {}, "insufficient_funds"),
        (Money(1), {"idempotency_key": ""}, "invalid_request"),
        (Money(1), {"reason": "\ud800"}, "invalid_request"),
    ],
)
def test_adjustments_that_make_no_sense_leave_no_trace(
    billing: Billing, actor: Actor, amount: Money, said: dict[str, str], code: str
) -> None:
    before = everything(billing)
    with pytest.raises(BillingError) as refusal:
        operations.adjust(billing.operator(), str(actor.account_id), amount, **said)
    assert refusal.value.code == code
    assert everything(billing) == before


def test_only_operators_adjust(actor: Actor) -> None:
    with pytest.raises(errors.Forbidden):
        operations.adjust(actor, str(actor.account_id), Money(1))


def test_movements_are_listed_newest_first_and_paged(billing: Billing, actor: Actor) -> None:
    for number in range(1, 8):
        operations.record_usage(
            actor, str(actor.account_id), Usage("m", cost=Money.from_cents(number))
        )
    pages = [
        operations.list_entries(actor, str(actor.account_id), limit=3, offset=offset)
        for offset in (0, 3, 6, 9)
    ]
    amounts = [entry.amount.cents for page in pages for entry in page]
    assert amounts == [-7, -6, -5, -4, -3, -2, -1, 10_000]
    assert [len(page) for page in pages] == [3, 3, 2, 0]
    assert pages[0][0].balance_after.text == "99.72"


@pytest.mark.parametrize(("limit", "offset"), [(0, 0), (101, 0), (-1, 0), (1, -1), (1, 2**63)])
def test_pages_have_bounds(actor: Actor, limit: int, offset: int) -> None:
    with pytest.raises(errors.InvalidRequest):
        operations.list_entries(actor, str(actor.account_id), limit=limit, offset=offset)


def test_accounts_of_others_are_not_found(billing: Billing, actor: Actor) -> None:
    other = account_with(billing, "5")
    for ask in (operations.check_balance, operations.list_entries):
        with pytest.raises(errors.NotFound):
            ask(actor, str(other.account_id))
        with pytest.raises(errors.NotFound):
            ask(billing.operator(), "acct_" + "0" * 32)
    with pytest.raises(errors.NotFound):
        operations.adjust(billing.operator(), "acct_" + "0" * 32, Money(1))
    assert counts(billing)["ledger_entry"] == 2


def test_entries_name_the_key_and_the_request(billing: Billing) -> None:
    account = operations.create_account(billing.operator(), "A")
    made = operations.create_key(billing.operator(), account.id)
    holder = operations.authenticate(billing.instance, made.token)
    operations.record_usage(holder, account.id, Usage("m", cost=Money.zero()))
    [entry] = operations.list_entries(holder, account.id)
    assert entry.key_id == made.key.id


def test_the_balance_of_a_past_moment(billing: Billing, actor: Actor, clock: Clock) -> None:
    mine, hour = str(actor.account_id), timedelta(hours=1)
    for units in ("5", "-30"):
        clock.forward(hours=1)
        adjust(billing, actor, units)
    seen = [
        (found.posted.text, found.sequence, found.as_of)
        for at in (START - hour, START, START + hour, START + 1.5 * hour, clock.at)
        for found in [operations.check_past_balance(actor, mine, at)]
    ]
    assert [one[:2] for one in seen] == [
        ("0.00", 0), ("100.00", 1), ("105.00", 2), ("105.00", 2), ("75.00", 3),
    ]  # fmt: skip
    for at, code in ((clock.at + hour, "future_time"), (datetime(2026, 3, 9), "naive_time")):
        with pytest.raises(errors.InvalidRequest) as refusal:
            operations.check_past_balance(actor, mine, at)
        assert refusal.value.code == code
    with pytest.raises(errors.NotFound):
        operations.check_past_balance(billing.operator(), "acct_x", START)


def test_one_entry_is_found_by_its_account(billing: Billing, actor: Actor) -> None:
    [entry] = operations.list_entries(actor, str(actor.account_id))
    assert operations.get_entry(actor, str(actor.account_id), entry.id).sequence == 1
    other = account_with(billing, "1")
    with pytest.raises(errors.NotFound):
        operations.get_entry(other, str(other.account_id), entry.id)
