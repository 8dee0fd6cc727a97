"""Making an account known to the processor: one customer for each, told who is billed.

Nothing here is an operation: payment methods, billing profiles and top-ups begin with it. The
processor is never asked inside a transaction.
"""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import Any

from billing_plugin.context import BY_ITSELF, current, refuse_in_transaction, write_transaction
from billing_plugin.errors import NotSupported, ProviderError
from billing_plugin.models import billing_profiles, customers
from billing_plugin.models.billing_profiles import BillingProfile
from billing_plugin.models.customers import Customer
from billing_plugin.operations.till import open_book
from billing_plugin.processors.processor import Profile

# how long until a processor that did not answer is told again by itself; then no more
WAITS = [timedelta(minutes=minutes) for minutes in (1, 5, 15, 60, 240, 720, 1440)]
log = logging.getLogger("billing_plugin")


def processor_at_work() -> Any:
    """The processor. Raises NotSupported where none is set up."""
    processor = current().processor
    if processor is None:
        raise NotSupported("No payment processor is set up.")
    return processor


def known_customer(account_id: str) -> Customer | None:
    """Who the account is at the processor, or None where it was never made known to it. Raises
    NotSupported."""
    return customers.find(account_id, processor_at_work().name)


def customer_of(account_id: str) -> Customer:
    """Who the account is at the processor; makes it known where it is not, once. Raises NotFound,
    NotSupported, ProviderError."""
    found = known_customer(account_id)
    if found is not None:
        return found
    refuse_in_transaction()
    processor = processor_at_work()
    customer_id = processor.open_customer(account_id)
    with write_transaction():
        at = open_book(BY_ITSELF, account_id).at
        customers.add(account_id, processor.name, customer_id=customer_id, at=at)
    made = known_customer(account_id)
    assert made is not None  # noqa: S101 (it has just been stored)
    return made


def tell_profile(account_id: str) -> bool:
    """Tells the processor who is billed, where it has a customer and knows an older profile; again
    where it was told a newer one meanwhile, which this one may have undone. False where it does
    not answer, or does not take it: then it is told later. Raises NotSupported."""
    refuse_in_transaction()
    is_overtaken = False
    while True:
        customer, profile = known_customer(account_id), billing_profiles.get(account_id)
        if customer is None or profile is None:
            return True
        if customer.told_revision >= profile.revision and not is_overtaken:
            return True
        is_told = _told(customer, profile)
        with write_transaction():
            at = open_book(BY_ITSELF, account_id).at
            if not is_told:
                wait = WAITS[customer.tries : customer.tries + 1]
                tell_at = at + wait[0] if wait else None
                customers.put_off(account_id, tell_at, tries=customer.tries + 1)
                return False
            is_overtaken = not customers.mark_told(customer, profile.revision)


def _told(customer: Customer, profile: BillingProfile) -> bool:
    facts = {name: getattr(profile, name) for name in billing_profiles.FIELDS}
    try:
        processor_at_work().change_customer(customer.id, Profile(**facts))
    except ProviderError as error:
        log.warning("%s of %s: %s", customer.account_id, customer.processor, error.code)
        return False
    return True
