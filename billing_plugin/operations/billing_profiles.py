"""Billing profiles: to whom an account's bills go. Stored here first, then told to the processor.

A processor that does not answer is told later, by the worker for two days, and whenever the profile
is set or a payment method begun. What is stored holds meanwhile.
"""

from __future__ import annotations

from collections.abc import Mapping

from billing_plugin.context import Actor, current, now, write_transaction
from billing_plugin.models import accounts, audit, billing_profiles, customers
from billing_plugin.models.billing_profiles import BillingProfile
from billing_plugin.operations.catalogue import operation
from billing_plugin.operations.customers import WAITS, tell_profile
from billing_plugin.operations.profile_checks import checked
from billing_plugin.operations.till import open_book

FIELDS = billing_profiles.FIELDS
DUE_AT_ONCE = 100


@operation(scope="profile:read", effect="reads")
def get_billing_profile(actor: Actor, account_id: str) -> BillingProfile:
    """To whom the account's bills go; where nobody has said, every field is "" and `updated_at`
    None. Raises NotFound."""
    del actor
    accounts.get(account_id)
    return billing_profiles.get(account_id) or BillingProfile(id=account_id)


@operation(scope="profile:write", effect="writes")
def set_billing_profile(
    actor: Actor, account_id: str, profile: Mapping[str, str]
) -> BillingProfile:
    """Stores name, address, e-mail and tax id (FIELDS), all of them: what
    is not said is taken away. The processor is told, now or later. Raises NotFound,
    InvalidRequest that names the field."""
    values = checked(profile)
    with write_transaction():
        book = open_book(actor, account_id)
        before = billing_profiles.get(account_id) or BillingProfile(id=account_id)
        changed = [name for name in FIELDS if getattr(before, name) != values[name]]
        if changed or before.updated_at is None:
            billing_profiles.store(account_id, values, book.at)
            customers.put_off(account_id, book.at + WAITS[0])
            # which fields, not what they say: nothing is ever taken out of the trail
            audit.write(
                book.signature, "billing_profile.set", account_id, account_id=account_id,
                at=book.at, after={"changed": changed},
            )  # fmt: skip
    if current().processor is not None:
        tell_profile(account_id)
    return billing_profiles.get(account_id) or before


@operation(scope="jobs:run", effect="asks")
def tell_billing_profiles(actor: Actor) -> int:
    """Tells the processor of profiles that it could not be told before; how many it took."""
    del actor
    processor = current().processor
    due = customers.due(processor.name, now(), DUE_AT_ONCE) if processor else []
    return sum(tell_profile(account_id) for account_id in due)
