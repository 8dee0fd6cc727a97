"""Payment methods: what an account pays with. The processor is the truth about them; ours is which
one is charged where none is named.

Numbers of cards and accounts never come here: the payer states a method to the processor, with a
secret that is passed on and never stored.
"""

from __future__ import annotations

from dataclasses import dataclass

from billing_plugin.context import Actor, refuse_in_transaction, write_transaction
from billing_plugin.errors import NotFound
from billing_plugin.models import accounts, audit, customers, method_setups
from billing_plugin.models.customers import Customer
from billing_plugin.models.method_setups import MethodSetup
from billing_plugin.operations.catalogue import operation
from billing_plugin.operations.customers import (
    customer_of,
    known_customer,
    processor_at_work,
    tell_profile,
)
from billing_plugin.operations.once import Once, marked, once
from billing_plugin.operations.till import open_book
from billing_plugin.operations.velocity import check_setups
from billing_plugin.processors import processor
from billing_plugin.processors.processor import Method

FORMS = processor.FORMS
MAX_ID = 200  # characters of a processor's id


@dataclass(frozen=True, slots=True)
class PaymentMethod:
    """One method of the account, and whether it is charged where none is named."""

    method: Method
    is_default: bool


@dataclass(frozen=True, slots=True)
class RemovedMethod:
    """A method that is gone. `was_default`: the account has no default now, and none is chosen in
    its place: a top-up that names no method is not charged by itself any more."""

    id: str
    was_default: bool


@operation(scope="payment_methods:read", effect="reads")
def list_payment_methods(actor: Actor, account_id: str) -> list[PaymentMethod]:
    """The account's payment methods, newest first, as the processor knows them now. Raises
    NotFound, NotSupported without a processor, ProviderError."""
    del actor
    accounts.get(account_id)
    customer = known_customer(account_id)
    if customer is None:
        return []
    refuse_in_transaction()
    found = processor_at_work().list_methods(customer.id)
    return [_shown(method, customer) for method in found]


@operation(scope="payment_methods:write", effect="asks")
def begin_payment_method(
    actor: Actor, account_id: str, *, idempotency_key: str | None = None
) -> MethodSetup:
    """Begins to add a payment method: the payer states it to the processor, with the answer's
    `client_secret`, which is not stored. The same key tells the same secret for a day. Raises
    NotFound, NotSupported, RateLimited, IdempotencyConflict, ProviderError."""
    customer = customer_of(account_id)
    tell_profile(account_id)
    said = Once("begin_payment_method", idempotency_key, {})
    with write_transaction():
        book = open_book(actor, account_id)

        def begin() -> str:
            check_setups(account_id, key_id=actor.key_id, at=book.at)
            made = method_setups.create(
                account_id, customer.processor, key_id=actor.key_id, at=book.at
            )
            return str(made.id)

        reference, replayed = once(account_id, said, begin, at=book.at)
    setup = marked(method_setups.get(reference), replayed=replayed)
    refuse_in_transaction()
    begun = processor_at_work().begin_method(customer.id, setup.id)
    setup.setup_id, setup.client_secret = begun.id, begun.client_secret
    return setup


@operation(scope="payment_methods:write", effect="writes")
def set_default_payment_method(actor: Actor, account_id: str, method_id: str) -> PaymentMethod:
    """Has a method of the account's charged where none is named, by top-ups and by what the
    processor charges itself. Raises NotFound, also for a method of others; NotSupported,
    ProviderError."""
    customer, method = _owned(account_id, method_id)
    if method is None:
        raise _unknown()
    processor_at_work().prefer_method(customer.id, method.id)
    _change_default(actor, customer, method.id)
    return PaymentMethod(method, is_default=True)


@operation(scope="payment_methods:write", effect="writes")
def remove_payment_method(actor: Actor, account_id: str, method_id: str) -> RemovedMethod:
    """Takes a payment method away for good. Where it was the default, the account has none then
    (see RemovedMethod), and auto top-up has nothing to charge. Raises NotFound, also for a method
    of others; NotSupported, ProviderError."""
    customer, method = _owned(account_id, method_id)
    if method is not None:
        processor_at_work().remove_method(method.id)
    elif customer.default_method != method_id:  # else it was removed at the processor
        raise _unknown()
    was_default = _change_default(actor, customer, None, only_from=method_id)
    return RemovedMethod(method_id, was_default)


def require_chargeable(account_id: str, method_id: str) -> None:
    """Raises NotFound for a payment method that the processor does not know, or knows as somebody
    else's. One that is nobody's was given by hand, and may be charged. Raises ProviderError."""
    customer, method = known_customer(account_id), _found(method_id)
    mine = ("", customer.id) if customer else ("",)
    if method is None or method.customer_id not in mine:
        raise _unknown()


def _owned(account_id: str, method_id: str) -> tuple[Customer, Method | None]:
    """The account's customer, and its method of that id; None where it has none. Raises NotFound
    where it has no methods at all."""
    accounts.get(account_id)
    customer = known_customer(account_id)
    if customer is None:
        raise _unknown()
    found = _found(method_id)
    return customer, found if found and found.customer_id == customer.id else None


def _found(method_id: str) -> Method | None:
    """The method of that id, whosesoever it is; what can be none is not asked about."""
    refuse_in_transaction()
    asked = processor_at_work()
    found: Method | None = None
    if 0 < len(method_id) <= MAX_ID:
        found = asked.find_method(method_id)
    return found


def _change_default(
    actor: Actor, customer: Customer, method_id: str | None, *, only_from: str | None = None
) -> bool:
    """Stores the default, who chose it, and returns whether it was another; `only_from`: unless
    the default is another one than this."""
    with write_transaction():
        book = open_book(actor, customer.account_id)
        known = customers.find(customer.account_id, customer.processor)
        was = known.default_method if known else None
        if was == method_id or only_from not in (None, was):
            return False
        customers.set_default(customer, method_id)
        audit.write(
            book.signature, "payment_method.default", customer.id,
            account_id=customer.account_id, at=book.at, before={"method": was},
            after={"method": method_id},
        )  # fmt: skip
    return True


def _shown(method: Method, customer: Customer) -> PaymentMethod:
    return PaymentMethod(method, is_default=method.id == customer.default_method)


def _unknown() -> NotFound:
    return NotFound("There is no such payment method.")
