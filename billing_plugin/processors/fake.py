"""The shipped fake processor: no card, no network. The payment method chooses what happens.

It keeps nothing of what it charges: what it did follows from the reference, which holds the time
at which it was made, and from the method alone. So it survives a restart, and tells every process
the same. Which payment methods were added and removed it keeps, in its process (`fake_customers`).

| method | becomes |
|---|---|
| `fake_declined`, `fake_insufficient_funds`, `fake_expired_card` | declined |
| `fake_lost_answer` | charged, but the answer is lost |
| `fake_never_arrived` | neither charged nor answered |
| `fake_slow` | processing for some seconds, then charged |
| `fake_slow_declined` | processing for some seconds, then declined |
| `fake_3ds` | the payer must confirm, and has after some seconds |
| `fake_3ds_abandoned` | the payer must confirm, and never does |
| `fake_refunded`, `fake_refund_failed` | charged; half of it is refunded after some seconds |
| `fake_disputed`, `fake_dispute_won`, `fake_dispute_lost` | charged; disputed after some seconds |
| `fake_wrong_amount` | charges a cent too much, which nobody may believe |
| anything else | charged |
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from billing_plugin.config import Settings
from billing_plugin.context import utc_now
from billing_plugin.errors import ProviderUnavailable
from billing_plugin.ids import time_of
from billing_plugin.money import Money
from billing_plugin.processors import signatures
from billing_plugin.processors.fake_customers import FakeCustomers, owner_of, token_of
from billing_plugin.processors.processor import (
    CONFIRM,
    FAILED,
    LOST,
    OPEN,
    PROCESSING,
    SUCCEEDED,
    WON,
    Charge,
    Dispute,
    Message,
    Payment,
    Refund,
)

DECLINES = {
    "fake_declined": "card_declined",
    "fake_insufficient_funds": "insufficient_funds",
    "fake_expired_card": "expired_card",
}
LOST_ANSWER, NEVER_ARRIVED = "fake_lost_answer", "fake_never_arrived"
SLOW, SLOW_DECLINED = "fake_slow", "fake_slow_declined"
CONFIRMED, ABANDONED = "fake_3ds", "fake_3ds_abandoned"
REFUNDS = {"fake_refunded": False, "fake_refund_failed": True}
DISPUTES = {"fake_disputed": OPEN, "fake_dispute_won": WON, "fake_dispute_lost": LOST}
WRONG_AMOUNT = "fake_wrong_amount"
WAITS_S = 3
SIGNATURE = "Fake-Signature"


class FakeProcessor(FakeCustomers):
    """Charges nothing, says it did."""

    name = "fake"

    def __init__(self, settings: Settings | None = None) -> None:
        super().__init__()
        del settings  # it needs none

    def charge(self, charge: Charge) -> Payment:
        """Does what the payment method says. Raises ProviderUnavailable for a lost answer."""
        if token_of(charge.payment_method) in (LOST_ANSWER, NEVER_ARRIVED):
            raise ProviderUnavailable("The processor did not answer in time.")
        return _payment(charge)

    def find(self, charge: Charge) -> Payment | None:
        """What became of that reference by now. Source: this module's own rule."""
        return None if token_of(charge.payment_method) == NEVER_ARRIVED else _payment(charge)

    def read_message(
        self, body: bytes, headers: Mapping[str, str], *, secrets: Sequence[str], at: datetime
    ) -> Message:
        """See Processor: JSON with `id`, `type`, `payment_id`, `reference`, signed in the header
        Fake-Signature (`signatures.sign`)."""
        signatures.verify(body, headers.get(SIGNATURE, ""), secrets=secrets, at=at)
        said = signatures.document(body)
        fields = [said.get(name, "") for name in ("id", "type", "payment_id", "reference")]
        return Message(*map(str, fields))


def _payment(charge: Charge) -> Payment:
    if owner_of(charge.payment_method) not in (None, charge.customer_id):
        return Payment(FAILED, reference=charge.reference, failure="resource_missing")
    told = _charged(replace(charge, payment_method=token_of(charge.payment_method)))
    return replace(told, customer_id=charge.customer_id or "")


def _charged(charge: Charge) -> Payment:
    method, waits = charge.payment_method, _waits(charge)
    failure = DECLINES.get(method)
    if method in (CONFIRMED, ABANDONED) and not charge.attended:
        failure = "authentication_required"
    if method == SLOW_DECLINED and not waits:
        failure = "card_declined"
    if failure:
        return Payment(FAILED, reference=charge.reference, failure=failure)
    payment_id = _id("pi", charge)
    if method == ABANDONED or (method == CONFIRMED and waits):
        secret = f"{payment_id}_secret_{_digits('secret', charge)[:16]}"
        return Payment(CONFIRM, payment_id, reference=charge.reference, client_secret=secret)
    if method in (SLOW, SLOW_DECLINED) and waits:
        return Payment(PROCESSING, payment_id, reference=charge.reference)
    cents = charge.amount.cents + (method == WRONG_AMOUNT)
    return Payment(
        SUCCEEDED, payment_id, Money.from_cents(cents, charge.amount.currency), charge.reference,
        refunds=() if waits else _refunds(charge), disputes=() if waits else _disputes(charge),
    )  # fmt: skip


def _refunds(charge: Charge) -> tuple[Refund, ...]:
    if charge.payment_method not in REFUNDS:
        return ()
    half = Money.from_cents(charge.amount.cents // 2, charge.amount.currency)
    return (Refund(_id("re", charge), half, failed=REFUNDS[charge.payment_method]),)


def _disputes(charge: Charge) -> tuple[Dispute, ...]:
    if charge.payment_method not in DISPUTES:
        return ()
    return (Dispute(_id("dp", charge), charge.amount, DISPUTES[charge.payment_method]),)


def _waits(charge: Charge) -> bool:
    made = time_of(charge.reference)
    return made is not None and (utc_now() - made).total_seconds() < WAITS_S


def _id(kind: str, charge: Charge) -> str:
    return f"{kind}_fake_{_digits('', charge)[:24]}"


def _digits(salt: str, charge: Charge) -> str:
    return hashlib.sha256(f"{salt}{charge.reference}".encode()).hexdigest()
