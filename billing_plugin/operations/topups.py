"""Buying credit: the intent is stored, the processor is asked, the answer is settled once.

A lost answer is `unknown`, never failed: the same key, a poll, a message of the processor or the
reconciler finds out what became of it, whichever comes first.
"""

from __future__ import annotations

import logging
from contextlib import suppress
from datetime import timedelta
from typing import Any, NamedTuple

from billing_plugin.context import Actor, current, now, refuse_in_transaction, write_transaction
from billing_plugin.errors import (
    BillingError,
    InvalidRequest,
    NotSupported,
    PaymentDeclined,
    ProviderError,
)
from billing_plugin.models import accounts, topups
from billing_plugin.models.ledger import Book
from billing_plugin.models.topups import FAILED, UNKNOWN, TopUp
from billing_plugin.money import Money
from billing_plugin.operations.catalogue import check_page, operation
from billing_plugin.operations.customers import known_customer, processor_at_work
from billing_plugin.operations.once import Once, done_before, marked, once
from billing_plugin.operations.payment_methods import require_chargeable
from billing_plugin.operations.settling import put_off, settle
from billing_plugin.operations.till import open_book
from billing_plugin.operations.velocity import check_topups
from billing_plugin.processors.processor import Charge

DEFAULT_METHOD, STATUSES = "default", topups.STATUSES
UNANSWERED = timedelta(minutes=1)  # after which the reconciler looks at a new top-up
DUE_AT_ONCE = 100
log = logging.getLogger("billing_plugin")


@operation(scope="topups:write", effect="spends")
def top_up(
    actor: Actor,
    account_id: str,
    amount: Money,
    *,
    payment_method: str = DEFAULT_METHOD,
    attended: bool = True,
    idempotency_key: str | None = None,
) -> TopUp:
    """Charges the payment method and credits the account, exactly once per idempotency key.

    `default` is the account's default method; where it has none, the payer states one. The amount
    is whole cents, from topup_minimum_cents to topup_maximum_cents. A top-up that is `processing`
    may have a `client_secret`, by which whoever pays confirms it; where nobody is there who could
    (`attended`), it is declined. Raises PaymentDeclined, NotSupported without the processor,
    NotFound also for a payment method of others, RateLimited after too many, InvalidRequest,
    IdempotencyConflict, ProviderError.
    """
    check_amount(amount)
    wish = Wish(amount, payment_method, attended, actor.key_id)
    said = Once("top_up", idempotency_key, wish.content)
    if payment_method != DEFAULT_METHOD and not done_before(account_id, said):
        require_chargeable(account_id, payment_method)
    topup, is_new = _intended(actor, account_id, wish, said=said)
    if topup.is_open:
        topup = charged(actor, topup) if is_new else retried(actor, topup)
    if topup.status == FAILED:
        raise PaymentDeclined("The payment was declined.", extra={"topup_id": topup.id})
    return marked(topup, replayed=not is_new)


@operation(scope="topups:read", effect="reads")
def get_topup(actor: Actor, account_id: str, topup_id: str) -> TopUp:
    """One top-up of the account, as it is stored. Raises NotFound."""
    del actor
    return topups.get(account_id, topup_id)


@operation(scope="topups:write", effect="asks")
def check_topup(actor: Actor, account_id: str, topup_id: str) -> TopUp:
    """The same after asking the processor, where it is open still. Raises NotFound, NotSupported;
    where the processor does not answer, it is as it was."""
    topup = topups.get(account_id, topup_id)
    return ask(actor, topup) or topup if topup.is_open else topup


@operation(scope="topups:read", effect="reads")
def list_topups(
    actor: Actor, account_id: str, *, before: str | None = None, limit: int = 50
) -> list[TopUp]:
    """The account's top-ups, newest first; `before` is an id to go on from, `limit` 1 to 100.
    Raises NotFound, InvalidRequest."""
    del actor
    check_page(limit)
    accounts.get(account_id)
    return topups.page(account_id, before=before, limit=limit)


@operation(scope="jobs:run", effect="asks")
def reconcile_topups(actor: Actor) -> int:
    """Asks the processor about every top-up that is due: of which no answer is known, and of which
    a message may have been lost. Returns how many it could ask; one that fails is due again."""
    asked = 0
    for account_id, topup_id in topups.due(now(), DUE_AT_ONCE):
        with suppress(BillingError):
            topup = topups.get(account_id, topup_id)
            asked += ask(actor, topup) is not None
    return asked


def ask(actor: Actor, topup: TopUp) -> TopUp | None:
    """Settles a top-up by what the processor says of it now; None where it does not say. Raises
    NotSupported where that processor is not set up."""
    refuse_in_transaction()
    processor = _processor_of(topup)
    try:
        payment = processor.find(_charge(topup))
    except ProviderError as error:
        log.warning("%s of %s: %s", topup.id, topup.processor, error.code)
        put_off(topup)
        return None
    return settle(actor, topup, payment)


class Wish(NamedTuple):
    """What is to be bought, how, and for which key of the account."""

    amount: Money
    method: str
    attended: bool
    key_id: str | None = None
    automatic: bool = False

    @property
    def content(self) -> dict[str, str]:
        """What the same key must say again."""
        said = {"amount": str(self.amount), "method": self.method}
        return said if self.attended else {**said, "attended": "no"}


def intend(book: Book, wish: Wish, said: Once) -> tuple[TopUp, bool]:
    """The stored intent, and whether it is new; an old one may have been charged already. Needs
    the account's lock. Raises NotSupported, RateLimited, IdempotencyConflict."""

    def create() -> str:
        customer = known_customer(book.account_id)
        default = customer and customer.default_method
        method = default if wish.method == DEFAULT_METHOD else wish.method
        if not wish.automatic:  # which has caps of its own
            check_topups(book.account_id, key_id=wish.key_id, method=method, at=book.at)
        topup = topups.create(
            book.account_id, wish.amount, book.at, key_id=wish.key_id,
            processor=processor_at_work().name, customer_id=customer and customer.id,
            payment_method=method or DEFAULT_METHOD, attended=int(wish.attended),
            automatic=int(wish.automatic), ask_at=book.at + UNANSWERED,
        )  # fmt: skip
        return str(topup.id)

    topup_id, replayed = once(book.account_id, said, create, at=book.at)
    return topups.get(book.account_id, topup_id), not replayed


def charged(actor: Actor, topup: TopUp) -> TopUp:
    """Asks the processor to charge. No answer is no refusal: what became of it is unknown."""
    refuse_in_transaction()
    processor = _processor_of(topup)
    try:
        payment = processor.charge(_charge(topup))
    except ProviderError as error:
        log.warning("%s of %s: %s", topup.id, topup.processor, error.code)
        return settle(actor, topup, None)
    return settle(actor, topup, payment)


def retried(actor: Actor, topup: TopUp) -> TopUp:
    """Asks what became of an old intent, which is charged, by the same reference, only where it
    never arrived and has not been given up: processors forget references within a day."""
    found = ask(actor, topup)
    if found is None:
        return topups.get(topup.account_id, topup.id)
    return charged(actor, found) if found.status == UNKNOWN else found


def check_amount(amount: Money) -> None:
    """Raises InvalidRequest for what is no whole number of cents, too little or too much."""
    settings = current().settings
    least = Money.from_cents(settings.topup_minimum_cents, amount.currency)
    most = Money.from_cents(settings.topup_maximum_cents, amount.currency)
    if not least <= amount <= most:
        raise InvalidRequest(f"A top-up is {least} to {most}.", code="amount_out_of_range")
    if amount != Money.from_cents(amount.cents, amount.currency):
        raise InvalidRequest("A top-up is whole cents: nobody can charge less.")


def _processor_of(topup: TopUp) -> Any:
    processor = processor_at_work()
    if processor.name != topup.processor:
        raise NotSupported("This top-up was begun with another processor.")
    return processor


def _intended(actor: Actor, account_id: str, wish: Wish, *, said: Once) -> tuple[TopUp, bool]:
    with write_transaction():
        book = open_book(actor, account_id)
        book.require_currency(wish.amount)
        return intend(book, wish, said)


def _charge(topup: TopUp) -> Charge:
    return Charge(
        topup.id, topup.amount, topup.payment_method, attended=topup.attended == 1,
        payment_id=topup.payment_id, customer_id=topup.customer_id,
    )  # fmt: skip
