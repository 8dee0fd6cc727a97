"""Stripe: payment intents by the official client. Source: Stripe API, version of that client.

The idempotency key of a charge is its reference, which also stands in the intent's metadata. So a
charge is found by its own id for ever, while Stripe forgets idempotency keys after a day.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import stripe

from billing_plugin.config import Settings
from billing_plugin.errors import ConfigurationError, InvalidRequest, ProviderUnreadable
from billing_plugin.ids import time_of
from billing_plugin.money import Money
from billing_plugin.processors import signatures
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
from billing_plugin.processors.stripe_customers import StripeCustomers, trouble

DEFAULT = "default"  # no method of this name: the payer states one
NO_METHOD = "no_payment_method"  # and nobody is there who could
SIGNATURE = "Stripe-Signature"
RETRIES = 2
_AROUND = timedelta(minutes=10)  # of when a reference was made, by clocks that differ
_STATUSES = {
    "succeeded": SUCCEEDED, "processing": PROCESSING, "requires_capture": PROCESSING,
    "requires_action": CONFIRM, "requires_confirmation": CONFIRM,
    "requires_payment_method": CONFIRM, "canceled": FAILED,
}  # fmt: skip
_DISPUTES = {"won": WON, "lost": LOST}
_INQUIRY = "warning_"  # how the status of one begins, for which no money is taken


class StripeProcessor(StripeCustomers):
    """Charges cards and whatever else Stripe takes. Settings: `processor_key` (sk_… or rk_…),
    `processor_webhook_secrets` (whsec_…), `processor_url` for another address."""

    name = "stripe"

    def __init__(self, settings: Settings) -> None:
        if not settings.processor_key:
            raise ConfigurationError("Stripe needs BILLING_PROCESSOR_KEY.")
        self._is_live = "_live_" in settings.processor_key
        self._client = stripe.StripeClient(
            settings.processor_key,
            max_network_retries=RETRIES,
            http_client=stripe.RequestsClient(timeout=settings.provider_timeout_s),
            base_addresses={"api": settings.processor_url} if settings.processor_url else None,
        )

    def charge(self, charge: Charge) -> Payment:
        """Creates a payment intent and confirms it, where there is a method to confirm it with; the
        payer states one where there is none, and it has failed where nobody is there to.
        Source: POST /v1/payment_intents."""
        if charge.payment_method == DEFAULT and not charge.attended:
            return Payment(FAILED, reference=charge.reference, failure=NO_METHOD)
        wanted: Any = _wanted(charge)
        try:
            options: Any = {"idempotency_key": charge.reference}
            return self._payment(self._client.v1.payment_intents.create(wanted, options))
        except (stripe.CardError, stripe.InvalidRequestError) as error:
            return _declined(error, charge)
        except stripe.StripeError as error:
            raise trouble(error) from error

    def find(self, charge: Charge) -> Payment | None:
        """The intent of that id, or the one that names the reference. Source: GET
        /v1/payment_intents."""
        intents = self._client.v1.payment_intents
        try:
            if charge.payment_id:
                return self._payment(intents.retrieve(charge.payment_id))
            for intent in self._around(charge):
                if _reference(intent) == charge.reference:
                    return self._payment(intent)
        except stripe.StripeError as error:
            raise trouble(error) from error
        return None

    def read_message(
        self, body: bytes, headers: Mapping[str, str], *, secrets: Sequence[str], at: datetime
    ) -> Message:
        """See Processor. An event of test mode is none of a live key's, nor the other way round
        (`wrong_mode`). Source: Stripe, webhooks."""
        signatures.verify(body, headers.get(SIGNATURE, ""), secrets=secrets, at=at)
        event = signatures.document(body)
        if event.get("livemode", self._is_live) is not self._is_live:
            raise InvalidRequest("This event is of the other mode.", code="wrong_mode")
        data = event.get("data")
        about = data.get("object") if isinstance(data, dict) else None
        about = about if isinstance(about, dict) else {}
        is_intent = about.get("object") == "payment_intent"
        payment_id = about.get("id" if is_intent else "payment_intent")
        metadata = about.get("metadata") if is_intent else None
        reference = metadata.get("reference") if isinstance(metadata, dict) else None
        fields = (event.get("id"), event.get("type"), payment_id, reference)
        return Message(*(field if isinstance(field, str) else "" for field in fields))

    def _around(self, charge: Charge) -> Iterator[Any]:
        made = time_of(charge.reference)
        within: Any = {}
        if made is not None:
            begins, ends = made - _AROUND, made + timedelta(hours=1) + _AROUND
            within = {"created": {"gte": int(begins.timestamp()), "lte": int(ends.timestamp())}}
        wanted: Any = {"limit": 100, **within}
        found = self._client.v1.payment_intents.list(wanted)
        yield from found.auto_paging_iter()

    def _payment(self, intent: Any) -> Payment:
        status = _STATUSES.get(intent.status)
        if status is None:
            raise ProviderUnreadable("Stripe told of a payment in a way that is not known here.")
        failure = _failure(intent)
        if intent.status == "requires_payment_method" and failure:
            status = FAILED
        if status != SUCCEEDED:
            secret = (intent.client_secret or "") if status == CONFIRM else ""
            said = failure or ("canceled" if intent.status == "canceled" else "")
            return Payment(
                status, intent.id, reference=_reference(intent), client_secret=secret,
                failure=said if status == FAILED else "", customer_id=_customer(intent),
            )  # fmt: skip
        taken = _money(_received(intent), intent.currency)
        return Payment(
            SUCCEEDED, intent.id, taken, _reference(intent),
            refunds=tuple(self._refunds(intent)), disputes=tuple(self._disputes(intent)),
            customer_id=_customer(intent),
        )  # fmt: skip

    def _refunds(self, intent: Any) -> Iterator[Refund]:
        found = self._client.v1.refunds.list({"payment_intent": intent.id, "limit": 100})
        for refund in reversed(list(found.auto_paging_iter())):
            if refund.status != "requires_action":
                amount = _money(refund.amount, refund.currency)
                yield Refund(refund.id, amount, refund.status in ("failed", "canceled"))

    def _disputes(self, intent: Any) -> Iterator[Dispute]:
        latest = getattr(intent, "latest_charge", None)
        charge = self._client.v1.charges.retrieve(latest) if isinstance(latest, str) else latest
        if not getattr(charge, "disputed", False):
            return
        found = self._client.v1.disputes.list({"payment_intent": intent.id, "limit": 100})
        for dispute in reversed(list(found.auto_paging_iter())):
            if not dispute.status.startswith(_INQUIRY):
                amount = _money(dispute.amount, dispute.currency)
                yield Dispute(dispute.id, amount, _DISPUTES.get(dispute.status, OPEN))


def _wanted(charge: Charge) -> dict[str, Any]:
    said: dict[str, Any] = {
        "amount": charge.amount.cents,
        "currency": charge.amount.currency.lower(),
        "metadata": {"reference": charge.reference},
        **({"customer": charge.customer_id} if charge.customer_id else {}),
    }
    if charge.payment_method == DEFAULT:
        return said
    said |= {
        "payment_method": charge.payment_method,
        "confirm": True,
        # else Stripe demands to know where to send a browser back to
        "automatic_payment_methods": {"enabled": True, "allow_redirects": "never"},
    }
    return said if charge.attended else {**said, "off_session": True}


def _declined(error: stripe.StripeError, charge: Charge) -> Payment:
    """What Stripe refused to charge: it says so, and has not."""
    intent = getattr(error.error, "payment_intent", None)
    code = getattr(error.error, "decline_code", None) or error.code or "declined"
    payment_id = "" if intent is None else str(intent.id)
    return Payment(FAILED, payment_id, reference=charge.reference, failure=str(code))


def _failure(intent: Any) -> str:
    error = getattr(intent, "last_payment_error", None)
    if not error:
        return ""
    found = getattr(error, "decline_code", None) or getattr(error, "code", None)
    return str(found or "declined")


def _received(intent: Any) -> int:
    """What was taken; old versions of the API only say what was to be."""
    return int(getattr(intent, "amount_received", intent.amount))


def _reference(intent: Any) -> str:
    metadata = getattr(intent, "metadata", None)
    return str(getattr(metadata, "reference", "") or "") if metadata else ""


def _customer(intent: Any) -> str:
    customer = getattr(intent, "customer", None)
    return str(getattr(customer, "id", customer) or "")


def _money(minor: int, currency: str) -> Money:
    return Money.from_cents(minor, currency.upper())
