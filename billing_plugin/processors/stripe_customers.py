"""Stripe: customers and their payment methods, by the official client. Source: Stripe API, version
of that client.

A customer is made under the account's id as idempotency key, which also stands in its metadata.
Stripe forgets keys after a day: then another empty customer may be made, which costs nobody.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

import stripe

from billing_plugin.errors import (
    ProviderAuthError,
    ProviderError,
    ProviderUnavailable,
    ProviderUnreadable,
)
from billing_plugin.processors.processor import BANK, CARD, LINK, OTHER, Method, Profile, Setup

FORMS = {"card": CARD, "us_bank_account": BANK, "sepa_debit": BANK, "link": LINK}
_ADDRESS = ("line1", "line2", "city", "postal_code", "country")
_UNKNOWN = 404


class StripeCustomers:
    """Who Stripe knows, and how they pay."""

    _client: stripe.StripeClient

    def open_customer(self, account_id: str) -> str:
        """See Processor. Source: POST /v1/customers."""
        options: Any = {"idempotency_key": f"customer {account_id}"}
        with _told():
            customers = self._client.v1.customers
            return customers.create({"metadata": {"account": account_id}}, options).id

    def change_customer(self, customer_id: str, profile: Profile) -> None:
        """See Processor. Source: POST /v1/customers/…, and its tax ids."""
        said: Any = {"name": profile.name, "email": profile.email, "address": _address(profile)}
        with _told():
            self._client.v1.customers.update(customer_id, said)
            self._change_tax_id(customer_id, profile.tax_id_type, profile.tax_id)

    def list_methods(self, customer_id: str) -> list[Method]:
        """See Processor. Source: GET /v1/payment_methods, of every type."""
        with _told():
            found = self._client.v1.payment_methods.list({"customer": customer_id, "limit": 100})
            methods = [_method(one) for one in found.auto_paging_iter()]
        return sorted(methods, key=lambda method: method.added_at or datetime.min, reverse=True)

    def find_method(self, method_id: str) -> Method | None:
        """See Processor. Source: GET /v1/payment_methods/…."""
        try:
            with _told():
                return _method(self._client.v1.payment_methods.retrieve(method_id))
        except _UnknownError:
            return None

    def begin_method(self, customer_id: str, reference: str) -> Setup:
        """See Processor: a setup intent. Source: POST /v1/setup_intents."""
        said: Any = {
            "customer": customer_id, "usage": "off_session", "metadata": {"reference": reference},
        }  # fmt: skip
        with _told():
            intent = self._client.v1.setup_intents.create(said, {"idempotency_key": reference})
        return Setup(intent.id, intent.client_secret or "")

    def prefer_method(self, customer_id: str, method_id: str) -> None:
        """See Processor: the default of the customer's invoices. Source: POST /v1/customers/…."""
        said: Any = {"invoice_settings": {"default_payment_method": method_id}}
        with _told():
            self._client.v1.customers.update(customer_id, said)

    def remove_method(self, method_id: str) -> None:
        """See Processor. Source: POST /v1/payment_methods/…/detach."""
        with _told():
            self._client.v1.payment_methods.detach(method_id)

    def _change_tax_id(self, customer_id: str, kind: str, number: str) -> None:
        tax_ids = self._client.v1.customers.tax_ids
        known = list(tax_ids.list(customer_id).auto_paging_iter())
        if number and (kind, number) not in [(one.type, one.value) for one in known]:
            said: Any = {"type": kind, "value": number}
            tax_ids.create(customer_id, said)
        for one in known:
            if (one.type, one.value) != (kind, number):
                tax_ids.delete(customer_id, one.id)


def trouble(error: stripe.StripeError) -> ProviderError:
    """What went wrong, in our words; Stripe's own are for the log."""
    details = f"{type(error).__name__} {error.http_status} {error.code}"
    if isinstance(error, (stripe.AuthenticationError, stripe.PermissionError)):
        return ProviderAuthError("Stripe does not take this key.", details=details)
    if isinstance(error, (stripe.InvalidRequestError, stripe.IdempotencyError)):
        kind = _UnknownError if error.http_status == _UNKNOWN else ProviderUnreadable
        return kind("Stripe does not understand this.", details=details)
    return ProviderUnavailable("Stripe does not answer.", details=details)


class _UnknownError(ProviderUnreadable):
    """Stripe has nothing of that id."""


@contextmanager
def _told() -> Iterator[None]:
    try:
        yield
    except stripe.StripeError as error:
        raise trouble(error) from error


def _address(profile: Profile) -> Any:
    """As Stripe has it; an empty text takes a part, or all of it, away."""
    facts = asdict(profile)
    parts = {name: facts[name] for name in _ADDRESS} | {"state": profile.region}
    return parts if any(parts.values()) else ""


def _method(said: Any) -> Method:
    form, about = FORMS.get(said.type, OTHER), getattr(said, said.type, None)
    name = "bank_name" if said.type == "us_bank_account" else "bank_code"
    customer = getattr(said, "customer", None)
    return Method(
        said.id, form,
        customer_id=str(getattr(customer, "id", customer) or ""),
        brand=_text(about, "brand"),
        last4=_text(about, "last4"),
        exp_month=getattr(about, "exp_month", None),
        exp_year=getattr(about, "exp_year", None),
        bank_name=_text(about, name) if form == BANK else "",
        email=_text(about, "email") if form == LINK else "",
        added_at=datetime.fromtimestamp(said.created, UTC),
    )  # fmt: skip


def _text(about: Any, name: str) -> str:
    return str(getattr(about, name, None) or "")
