"""Native: payment methods, and which one is charged where none is named."""

from __future__ import annotations

from typing import Any

from flask import Response

from billing_plugin import operations
from billing_plugin.dialects.dialect import account_id, actor
from billing_plugin.dialects.native.face import idempotency_key, native, ok
from billing_plugin.dialects.openapi import FLAG, TEXT, TIME, WHOLE, many, nullable, shape, word
from billing_plugin.operations.payment_methods import FORMS, PaymentMethod

TAGS = ["Payment methods"]
METHOD = shape(
    "PaymentMethod",
    "A card, a bank account, a link, or what else the processor takes, by what people know it by.",
    id=TEXT,
    form=word(*FORMS),
    brand=nullable(TEXT),
    last4=nullable(TEXT),
    expMonth=nullable(WHOLE),
    expYear=nullable(WHOLE),
    bankName=nullable(TEXT),
    email=nullable(TEXT),
    isDefault=FLAG,
    addedAt=nullable(TIME),
)
SETUP = shape(
    "PaymentMethodSetup",
    "A method that is being added: by the `clientSecret`, which is told here alone, the payer"
    " states it to the processor; then it is listed.",
    id=TEXT,
    processor=TEXT,
    setupId=TEXT,
    clientSecret=TEXT,
    createdAt=TIME,
)
REMOVED_METHOD = shape(
    "RemovedPaymentMethod",
    "What is gone. `wasDefault`: there is no default now, and none is chosen in its place.",
    deleted=FLAG,
    id=TEXT,
    wasDefault=FLAG,
)


@native.view(answers={200: many(METHOD)}, refusals=(501, 502), tags=TAGS)
def list_payment_methods() -> Response:
    """List payment methods

    The newest first, as the processor knows them now.
    """
    return ok([_shape(one) for one in operations.list_payment_methods(actor(), account_id())])


@native.view(answers={201: SETUP}, refusals=(501, 502), tags=TAGS)
def begin_payment_method() -> Response:
    """Begin to add a payment method

    The payer states it to the processor with the `clientSecret`.
    """
    setup = operations.begin_payment_method(
        actor(), account_id(), idempotency_key=idempotency_key()
    )
    told = {
        "id": setup.id,
        "processor": setup.processor,
        "setupId": setup.setup_id,
        "clientSecret": setup.client_secret,
        "createdAt": setup.created_at,
    }
    return ok(told, 201, replayed=setup.replayed)


@native.view(answers={200: METHOD}, refusals=(501, 502), tags=TAGS)
def set_default_payment_method(method_id: str) -> Response:
    """Make a payment method the default

    It is charged by top-ups that name none.
    """
    return ok(_shape(operations.set_default_payment_method(actor(), account_id(), method_id)))


@native.view(answers={200: REMOVED_METHOD}, refusals=(501, 502), tags=TAGS)
def remove_payment_method(method_id: str) -> Response:
    """Remove a payment method

    Where it was the default, no other takes its place: choose one.
    """
    gone = operations.remove_payment_method(actor(), account_id(), method_id)
    return ok({"deleted": True, "id": gone.id, "wasDefault": gone.was_default})


def _shape(found: PaymentMethod) -> dict[str, Any]:
    method = found.method
    return {
        "id": method.id,
        "form": method.form,
        "brand": method.brand or None,
        "last4": method.last4 or None,
        "expMonth": method.exp_month,
        "expYear": method.exp_year,
        "bankName": method.bank_name or None,
        "email": method.email or None,
        "isDefault": found.is_default,
        "addedAt": method.added_at,
    }
