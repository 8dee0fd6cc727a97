"""Buying credit: the intent is stored, the processor is asked, the answer is settled once."""

from __future__ import annotations

from typing import Any

from billing_plugin.context import Actor, current, refuse_in_transaction, write_transaction
from billing_plugin.errors import InvalidRequest, NotSupported, PaymentDeclined, ProviderError
from billing_plugin.models import topups
from billing_plugin.models.ledger import Movement
from billing_plugin.models.topups import FAILED, SUCCEEDED, UNKNOWN, TopUp
from billing_plugin.money import Money
from billing_plugin.operations.catalogue import operation
from billing_plugin.operations.ledger import enter_credit
from billing_plugin.operations.once import Once, marked, once
from billing_plugin.operations.till import open_book
from billing_plugin.processors.processor import Charge, Payment

DEFAULT_METHOD = "default"


@operation(scope="topups:write", effect="spends")
def top_up(
    actor: Actor,
    account_id: str,
    amount: Money,
    *,
    payment_method: str = DEFAULT_METHOD,
    idempotency_key: str | None = None,
) -> TopUp:
    """Charges the payment method and credits the account, exactly once per idempotency key.

    The amount is whole cents, from topup_minimum_cents to topup_maximum_cents. A lost answer
    leaves the top-up `unknown`, never failed: the same key asks the processor what became of it.
    Raises PaymentDeclined, NotSupported without the processor, InvalidRequest,
    IdempotencyConflict.
    """
    _check(amount)
    topup, is_new = _intended(
        actor, account_id, amount, payment_method=payment_method, key=idempotency_key
    )
    if topup.status in topups.OPEN:
        topup = _paid(actor, topup, is_new=is_new)
    if topup.status == FAILED:
        raise PaymentDeclined("The payment was declined.", extra={"topup_id": topup.id})
    return marked(topup, replayed=not is_new)


@operation(scope="topups:read", effect="reads")
def get_topup(actor: Actor, account_id: str, topup_id: str) -> TopUp:
    """One top-up of the account. Raises NotFound."""
    del actor
    return topups.get(account_id, topup_id)


def _check(amount: Money) -> None:
    settings = current().settings
    least = Money.from_cents(settings.topup_minimum_cents, amount.currency)
    most = Money.from_cents(settings.topup_maximum_cents, amount.currency)
    if not least <= amount <= most:
        raise InvalidRequest(f"A top-up is {least} to {most}.", code="amount_out_of_range")
    if amount != Money.from_cents(amount.cents, amount.currency):
        raise InvalidRequest("A top-up is whole cents: nobody can charge less.")


def _processor() -> Any:
    processor = current().processor
    if processor is None:
        raise NotSupported("No payment processor is set up.")
    return processor


def _intended(
    actor: Actor, account_id: str, amount: Money, *, payment_method: str, key: str | None
) -> tuple[TopUp, bool]:
    """The stored intent, and whether it is new; an old one may have been charged already."""
    said = Once("top_up", key, {"amount": str(amount), "method": payment_method})
    with write_transaction():
        book = open_book(actor, account_id)
        book.require_currency(amount)

        def intend() -> str:
            topup = topups.create(
                account_id, amount, book.at, key_id=actor.key_id,
                processor=_processor().name, payment_method=payment_method,
            )  # fmt: skip
            return str(topup.id)

        topup_id, replayed = once(account_id, said, intend, at=book.at)
        return topups.get(account_id, topup_id), not replayed


def _paid(actor: Actor, topup: TopUp, *, is_new: bool) -> TopUp:
    refuse_in_transaction()
    processor = _processor()
    if processor.name != topup.processor:
        raise NotSupported("This top-up was begun with another processor.")
    charge = Charge(topup.id, topup.amount, topup.payment_method)
    try:
        payment = None if is_new else processor.find(charge)
        payment = payment or processor.charge(charge)
    except ProviderError:
        payment = None
    return _settled(actor, topup, payment)


def _settled(actor: Actor, topup: TopUp, payment: Payment | None) -> TopUp:
    with write_transaction():
        book = open_book(actor, topup.account_id)
        if payment is None:
            topups.settle(topup, UNKNOWN, book.at)
        elif not payment.succeeded:
            topups.settle(topup, FAILED, book.at, failure=payment.failure)
        elif topups.settle(topup, SUCCEEDED, book.at, payment_id=payment.payment_id):
            facts = {"paymentId": payment.payment_id, "processor": topup.processor}
            bought = Movement("topup", topup.amount_nanos, None, topup.id, metadata=facts)
            enter_credit(book, bought)
        return topups.get(topup.account_id, topup.id)
