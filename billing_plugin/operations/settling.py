"""Entering what a processor says about a top-up, whatever made us ask it, and how often.

What it says is held against what is stored, under the account's lock: the payment becomes one
credit, each refund and each dispute one debit, and what comes back of those one credit more. So
answers, polls, messages and the reconciler may come together, twice, late or in any order.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from billing_plugin.context import BY_ITSELF, Actor, write_transaction
from billing_plugin.models import credits, events, topups
from billing_plugin.models.ledger import Book, Movement
from billing_plugin.models.topups import CREATED, FAILED, PROCESSING, REVIEW, SUCCEEDED, TopUp
from billing_plugin.money import Money
from billing_plugin.operations import invoicing
from billing_plugin.operations.auto_outcomes import conclude, taken_back
from billing_plugin.operations.invoicing import DISPUTED, RESTORED, RETURNED
from billing_plugin.operations.till import open_book
from billing_plugin.processors import processor
from billing_plugin.processors.processor import WON, Payment

NEVER_ARRIVED = "never_arrived"
ARRIVES_WITHIN = timedelta(hours=1)  # a request that is under way longer never arrives
# How long until the processor is asked again: of an open top-up for ever, of one that was paid for
# as long as a payer can dispute it (and nobody sent a message).
_SOON = [timedelta(minutes=minutes) for minutes in (1, 5, 15, 30)]
_LATER = [timedelta(days=days) for days in (1, 2, 4, 8, 16, 32, 64)]
_MENDED = 3  # of these, for one that failed
log = logging.getLogger("billing_plugin")


class Fact(NamedTuple):
    """Something that happened to the money of a payment: what it adds to the account."""

    id: str
    kind: str
    nanos: int


def settle(actor: Actor, topup: TopUp, payment: Payment | None) -> TopUp:
    """Enters what has become of a top-up; None: the processor knows nothing of it. Returns it as
    it is then."""
    with write_transaction():
        book = open_book(actor, topup.account_id)
        found = topups.get(topup.account_id, topup.id)
        if payment is None:
            _miss(found, book.at)
        elif is_another(found, payment):
            _review(found, payment, book.at)
        else:
            _follow(book, found, payment)
        settled = topups.get(topup.account_id, topup.id)
        conclude(book, found.status, settled)
        book.close()
    settled.client_secret = payment.client_secret if payment else ""
    return settled


def put_off(topup: TopUp) -> None:
    """Has the processor, which does not answer, asked again later."""
    with write_transaction():
        at = open_book(BY_ITSELF, topup.account_id).at
        found = topups.get(topup.account_id, topup.id)
        waits = _asked(found, at, _SOON) if found.is_open else {"ask_at": at + _SOON[-1]}
        topups.change(found, at, **waits)


def is_another(topup: TopUp, payment: Payment) -> bool:
    """Whether the payment is not what was asked for: another reference, payer, amount or
    currency."""
    if payment.reference not in ("", topup.id):
        return True
    if topup.customer_id and payment.customer_id not in ("", topup.customer_id):
        return True
    others = {refund.amount.currency for refund in payment.refunds}
    others |= {dispute.amount.currency for dispute in payment.disputes}
    is_paid = payment.status == processor.SUCCEEDED
    return (is_paid and payment.amount != topup.amount) or bool(others - {topup.currency})


def facts(payment: Payment) -> Iterator[Fact]:
    """What happened to the money after it was paid, in the order in which it must have."""
    for refund in payment.refunds:
        yield Fact(refund.id, RETURNED, -refund.amount.nanos)
        if refund.failed:
            yield Fact(f"{refund.id} failed", RESTORED, refund.amount.nanos)
    for dispute in payment.disputes:
        yield Fact(dispute.id, DISPUTED, -dispute.amount.nanos)
        if dispute.status == WON:
            yield Fact(f"{dispute.id} won", RESTORED, dispute.amount.nanos)


def _miss(topup: TopUp, at: datetime) -> None:
    if topup.status in (FAILED, SUCCEEDED):
        waits = _LATER if topup.status == SUCCEEDED else _LATER[:_MENDED]
        topups.change(topup, at, **_asked(topup, at, waits, ends=True))
    if not topup.is_open:
        return
    if at - topup.created_at < ARRIVES_WITHIN:
        topups.change(topup, at, status=topups.UNKNOWN, **_asked(topup, at, _SOON))
    else:
        topups.change(topup, at, status=FAILED, failure=NEVER_ARRIVED, ask_at=None)
        _tell("topup.failed", topup, failure=NEVER_ARRIVED, payment_id=topup.payment_id)


def _review(topup: TopUp, payment: Payment, at: datetime) -> None:
    if topup.status != SUCCEEDED:
        log.error("%s is not what was asked for: see it at %s", topup.id, topup.processor)
        topups.change(topup, at, status=REVIEW, payment_id=payment.payment_id, ask_at=None)


def _follow(book: Book, topup: TopUp, payment: Payment) -> None:
    if payment.status == processor.SUCCEEDED:
        _pay(book, topup, payment)
    elif topup.status == SUCCEEDED:
        return
    elif payment.status == processor.FAILED:  # which a payer may mend with another card
        payment_id = payment.payment_id or topup.payment_id
        if topup.status != FAILED:
            topup.asked = 0
            _tell("topup.failed", topup, failure=payment.failure, payment_id=payment_id)
        topups.change(
            topup, book.at, status=FAILED, failure=payment.failure, payment_id=payment_id,
            **_asked(topup, book.at, _LATER[:_MENDED], ends=True),
        )  # fmt: skip
    else:
        topups.change(
            topup, book.at, status=PROCESSING, payment_id=payment.payment_id, failure=None,
            **_asked(topup, book.at, _SOON),
        )  # fmt: skip


def _pay(book: Book, topup: TopUp, payment: Payment) -> None:
    told = {"paymentId": payment.payment_id, "processor": topup.processor}
    credits.settle(book)
    if topup.status == SUCCEEDED:
        bought_id = topups.entry_of(topup.id)
    else:
        topup.asked = 0
        bought = Movement("topup", topup.amount_nanos, None, topup.id, metadata=told)
        bought_id = credits.add(book, bought)
        _tell("topup.succeeded", topup, failure=None, payment_id=payment.payment_id)
        invoicing.bill(topup, book.at)
    for fact in facts(payment):
        fact_id = f"{topup.processor} {fact.id}"
        if not topups.entered(fact_id):
            said = Movement(fact.kind, fact.nanos, None, topup.id, metadata={**told, "id": fact.id})
            topups.remember(fact_id, topup.id, _enter(book, said, bought_id))
            if fact.kind in (RETURNED, DISPUTED):
                taken_back(book, is_disputed=fact.kind == DISPUTED)
            amount = Money(abs(fact.nanos), topup.currency)
            invoicing.follow(topup, fact.kind, fact_id=fact_id, amount=amount, at=book.at)
    topups.change(
        topup, book.at, status=SUCCEEDED, payment_id=payment.payment_id, failure=None,
        **_asked(topup, book.at, _LATER, ends=True),
    )  # fmt: skip
    book.close()


def _enter(book: Book, movement: Movement, bought_id: str) -> str:
    """A credit, or a debit that no balance refuses: the money has gone."""
    if movement.nanos > 0:
        return credits.add(book, movement)
    entry_id = book.enter(movement)
    credits.take_back(book, bought_id, -movement.nanos)
    book.overdraw()
    return entry_id


def _tell(name: str, topup: TopUp, *, failure: str | None, payment_id: str | None) -> None:
    told = {"topupId": topup.id, "amount": topup.amount, "processor": topup.processor}
    events.tell(name, topup.account_id, {**told, "paymentId": payment_id, "failure": failure})


def _asked(
    topup: TopUp, at: datetime, waits: list[timedelta], *, ends: bool = False
) -> dict[str, Any]:
    """When the processor is asked again, after it has been once more. What was settled before is
    asked about at its time, however many messages come until then."""
    if ends and topup.asked and topup.ask_at is not None and at < topup.ask_at:
        return {}
    place = topup.asked if topup.status != CREATED else 0
    over = ends and place >= len(waits)
    ask_at = None if over else at + waits[min(place, len(waits) - 1)]
    return {"asked": place + 1, "ask_at": ask_at}
