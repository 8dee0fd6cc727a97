"""Buying credit: one credit for one key, whatever breaks in between."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier, Lock
from typing import Any

import pytest

from billing_plugin import Actor, Billing, Money, errors, operations
from billing_plugin.context import write_transaction
from billing_plugin.processors.fake import FakeProcessor
from billing_plugin.processors.processor import Charge, Payment
from tests.factories import account_with, billing_on

TEN = Money.parse("10")


class Recording(FakeProcessor):
    """A processor that keeps what it was asked, and may break where it is told."""

    def __init__(self) -> None:
        self.charged: list[str] = []
        self.found: list[str] = []
        self.breaks: Exception | None = None
        self.forgets = False
        self._lock = Lock()

    def charge(self, charge: Charge) -> Payment:
        """Charges like the fake one, then breaks if it was told to."""
        with self._lock:
            self.charged.append(charge.reference)
        if self.breaks:
            raise self.breaks
        return super().charge(charge)

    def find(self, charge: Charge) -> Payment | None:
        """Finds what it charged."""
        self.found.append(charge.reference)
        known = charge.reference in self.charged and not self.forgets
        return super().find(charge) if known else None


@pytest.fixture
def processor(billing: Billing) -> Recording:
    found = Recording()
    billing.instance.processor = found
    return found


@pytest.fixture
def poor(billing: Billing) -> Actor:
    """An account with nothing."""
    return account_with(billing)


def buy(actor: Actor, key: str | None = "k1", amount: Money = TEN, method: str = "default") -> Any:
    return operations.top_up(
        actor, actor.account_id, amount, payment_method=method, idempotency_key=key
    )


def available(actor: Actor) -> Money:
    return operations.check_balance(actor, actor.account_id).available


@pytest.fixture(autouse=True)
def books_are_good(billing: Billing) -> Iterator[None]:
    yield
    assert operations.check_ledger(billing.operator()) == []


def test_a_top_up_is_charged_and_credited(poor: Actor) -> None:
    topup = buy(poor)
    assert (topup.status, topup.amount, available(poor)) == ("succeeded", TEN, TEN)
    [entry] = operations.list_entries(poor, poor.account_id)
    assert (entry.kind, entry.amount, entry.reference_id) == ("topup", TEN, topup.id)
    assert entry.metadata == {"paymentId": topup.payment_id, "processor": "fake"}
    assert operations.get_topup(poor, poor.account_id, topup.id).payment_id == topup.payment_id


def test_the_same_key_charges_once(poor: Actor, processor: Recording) -> None:
    first = buy(poor)
    assert [buy(poor).id for _ in range(3)] == [first.id] * 3
    assert (processor.charged, available(poor)) == ([first.id], TEN)


def test_without_a_key_each_call_charges(poor: Actor) -> None:
    assert buy(poor, key=None).id != buy(poor, key=None).id
    assert available(poor) == TEN + TEN


@pytest.mark.parametrize("other", [{"amount": Money.parse("11")}, {"method": "another"}])
def test_the_same_key_with_other_content_is_a_conflict(poor: Actor, other: dict[str, Any]) -> None:
    buy(poor)
    with pytest.raises(errors.IdempotencyConflict):
        buy(poor, **other)
    assert available(poor) == TEN


def test_two_accounts_may_use_the_same_key(billing: Billing, poor: Actor) -> None:
    buy(poor)
    buy(account_with(billing))
    assert available(poor) == TEN


def test_a_lost_answer_stays_unknown_until_the_same_key_asks(
    poor: Actor, processor: Recording
) -> None:
    processor.breaks = errors.ProviderUnavailable("no answer")
    topup = buy(poor)
    assert (topup.status, available(poor)) == ("unknown", Money.zero())
    processor.breaks = None
    resolved = buy(poor)
    assert (resolved.id, resolved.status) == (topup.id, "succeeded")
    assert (processor.charged, processor.found) == ([topup.id], [topup.id])
    buy(poor)
    assert available(poor) == TEN


def test_the_shipped_lost_answer_ends_in_one_credit(poor: Actor) -> None:
    assert buy(poor, method="fake_lost_answer").status == "unknown"
    assert [buy(poor, method="fake_lost_answer").status for _ in range(2)] == ["succeeded"] * 2
    assert available(poor) == TEN


def test_a_charge_that_never_arrived_is_made_at_the_second_try(
    poor: Actor, processor: Recording
) -> None:
    processor.breaks, processor.forgets = errors.ProviderUnavailable("no answer"), True
    topup = buy(poor)
    processor.breaks = None
    assert buy(poor).status == "succeeded"
    assert processor.charged == [topup.id] * 2  # the same reference, so it charges once
    assert available(poor) == TEN


def test_a_lost_answer_may_turn_out_declined(poor: Actor, processor: Recording) -> None:
    processor.breaks = errors.ProviderUnavailable("no answer")
    buy(poor, method="fake_declined")
    processor.breaks = None
    for _ in range(2):
        with pytest.raises(errors.PaymentDeclined):
            buy(poor, method="fake_declined")
    assert available(poor) == Money.zero()


def test_an_answer_that_stays_lost_stays_unknown(poor: Actor, processor: Recording) -> None:
    processor.breaks, processor.forgets = errors.ProviderUnavailable("no answer"), True
    assert [buy(poor).status for _ in range(3)] == ["unknown"] * 3
    assert available(poor) == Money.zero()


@pytest.mark.parametrize("method", ["fake_declined", "fake_insufficient_funds"])
def test_a_declined_payment_replays_as_declined(
    poor: Actor, processor: Recording, method: str
) -> None:
    seen = set()
    for _ in range(3):
        with pytest.raises(errors.PaymentDeclined) as caught:
            buy(poor, method=method)
        seen.add(caught.value.extra["topup_id"])
    assert (len(seen), len(processor.charged)) == (1, 1)
    [topup_id] = seen
    stored = operations.get_topup(poor, poor.account_id, topup_id)
    assert (stored.status, bool(stored.failure), available(poor)) == ("failed", True, Money.zero())


def test_a_crash_between_charge_and_settlement_ends_in_one_credit(
    poor: Actor, processor: Recording, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The process dies right after the processor has charged, before anything is stored of it."""
    with monkeypatch.context() as broken:
        broken.setattr("billing_plugin.operations.topups.settle", _die)
        with pytest.raises(_DiedError):
            buy(poor)
    assert available(poor) == Money.zero()
    topup = buy(poor)
    assert (topup.status, available(poor)) == ("succeeded", TEN)
    assert processor.charged == [topup.id]


def test_a_crash_before_the_charge_ends_in_one_credit(poor: Actor, processor: Recording) -> None:
    processor.breaks, processor.forgets = _DiedError(), True
    with pytest.raises(_DiedError):
        buy(poor)
    processor.breaks, processor.forgets = None, False
    processor.charged.clear()
    assert buy(poor).status == "succeeded"
    assert available(poor) == TEN


def test_a_settlement_that_fails_halfway_stores_nothing(
    poor: Actor, processor: Recording, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as broken:
        broken.setattr("billing_plugin.models.ledger.Book.close", _die)
        with pytest.raises(_DiedError):
            buy(poor)
    assert available(poor) == Money.zero()
    assert buy(poor).status == "succeeded"
    assert (available(poor), len(processor.charged)) == (TEN, 1)


def test_the_same_key_at_once_credits_once(poor: Actor, processor: Recording) -> None:
    together = Barrier(8)

    def one(_: int) -> Any:
        together.wait()
        return buy(poor)

    with ThreadPoolExecutor(8) as pool:
        bought = list(pool.map(one, range(8)))
    assert {topup.id for topup in bought} == {bought[0].id}
    assert available(poor) == TEN
    assert set(processor.charged) == {bought[0].id}
    assert len(operations.list_entries(poor, poor.account_id)) == 1


def test_different_keys_at_once_credit_each(poor: Actor) -> None:
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: buy(poor, key=f"k{number}"), range(16)))
    assert available(poor) == Money.parse("160")


@pytest.mark.parametrize("amount", ["0.99", "10000.01", "0", "-5", "9000000000"])
def test_amounts_outside_the_limits_are_refused(
    poor: Actor, processor: Recording, amount: str
) -> None:
    with pytest.raises(errors.InvalidRequest) as caught:
        buy(poor, amount=Money.parse(amount))
    assert caught.value.code == "amount_out_of_range"
    assert (processor.charged, available(poor)) == ([], Money.zero())


@pytest.mark.parametrize("amount", ["1", "10000"])
def test_amounts_at_the_limits_are_taken(poor: Actor, amount: str) -> None:
    buy(poor, amount=Money.parse(amount))
    assert available(poor) == Money.parse(amount)


@pytest.mark.parametrize("amount", ["10.001", "10.000000001"])
def test_parts_of_a_cent_cannot_be_charged(poor: Actor, processor: Recording, amount: str) -> None:
    with pytest.raises(errors.InvalidRequest):
        buy(poor, amount=Money.parse(amount))
    assert processor.charged == []


def test_another_currency_than_the_accounts_is_refused(poor: Actor, processor: Recording) -> None:
    with pytest.raises(errors.InvalidRequest) as caught:
        buy(poor, amount=Money.parse("10", "EUR"))
    assert caught.value.code == "currency_mismatch"
    assert processor.charged == []


def test_an_account_of_another_currency_is_credited_in_it(billing: Billing) -> None:
    account = operations.create_account(billing.operator(), "Tokyo", currency="JPY")
    actor = billing.actor(account.id, scopes=operations.account_scopes())
    buy(actor, amount=Money.parse("500", "JPY"))
    assert available(actor) == Money.parse("500", "JPY")


def test_without_a_processor_nothing_is_stored(billing: Billing, poor: Actor) -> None:
    billing.instance.processor = None
    with pytest.raises(errors.NotSupported):
        buy(poor)
    billing.instance.processor = FakeProcessor()
    assert buy(poor).status == "succeeded"


def test_an_open_top_up_is_never_taken_to_another_processor(
    billing: Billing, poor: Actor, processor: Recording
) -> None:
    processor.breaks = errors.ProviderUnavailable("no answer")
    buy(poor)
    other = Recording()
    other.name = "other"
    billing.instance.processor = other
    with pytest.raises(errors.NotSupported):
        buy(poor)
    assert (other.charged, other.found) == ([], [])


def test_nobody_is_charged_inside_a_transaction(
    billing: Billing, poor: Actor, processor: Recording
) -> None:
    with (
        billing.instance.active(),
        pytest.raises(errors.ConfigurationError),
        write_transaction(),
    ):
        buy(poor)
    assert (processor.charged, available(poor)) == ([], Money.zero())


def test_others_top_ups_are_unknown(billing: Billing, poor: Actor) -> None:
    topup = buy(poor)
    other = account_with(billing)
    with pytest.raises(errors.NotFound):
        operations.get_topup(other, other.account_id, topup.id)
    with pytest.raises(errors.NotFound):
        operations.top_up(other, poor.account_id, TEN)


def test_the_scope_is_needed(billing: Billing, poor: Actor) -> None:
    reader = billing.actor(poor.account_id, scopes=frozenset({"topups:read"}))
    with pytest.raises(errors.Forbidden):
        buy(reader)


def test_the_limits_are_settings(database_url: str) -> None:
    billing = billing_on(database_url, topup_minimum_cents=5_000, topup_maximum_cents=6_000)
    actor = account_with(billing)
    with pytest.raises(errors.InvalidRequest, match=r"50\.00 USD to 60\.00 USD"):
        buy(actor, amount=TEN)
    assert buy(actor, amount=Money.parse("55")).status == "succeeded"
    billing.instance.database.close_all()


class _DiedError(Exception):
    """Stands for the end of the process."""


def _die(*_args: object) -> Any:
    raise _DiedError


def test_an_empty_key_is_refused_and_not_taken_for_none(actor: Actor) -> None:
    with pytest.raises(errors.InvalidRequest, match="idempotency key"):
        operations.top_up(actor, str(actor.account_id), Money.parse("5"), idempotency_key="")
