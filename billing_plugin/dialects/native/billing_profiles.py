"""Native: to whom an account's bills go."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flask import Response
from marshmallow import fields, validate

from billing_plugin import operations
from billing_plugin.dialects.dialect import account_id, actor
from billing_plugin.dialects.native.face import Strict, native, ok
from billing_plugin.dialects.native.shapes import pattern
from billing_plugin.dialects.openapi import TEXT, TIME, nullable, shape, word
from billing_plugin.dialects.wire import camel
from billing_plugin.operations.profile_checks import MOST, MOST_CHARACTERS, TAX_ID_TYPES

if TYPE_CHECKING:
    from billing_plugin.models.billing_profiles import BillingProfile

TAGS = ["Billing profile"]
ADDRESS = ("line1", "line2", "city", "postal_code", "region", "country")
OTHERS = ("name", "email", "tax_id_type", "tax_id")


def _text(name: str) -> fields.String:
    most = MOST_CHARACTERS.get(name, MOST)
    return fields.String(allow_none=True, validate=validate.Length(min=1, max=most))


class AddressBody(Strict):
    """Where the bills go."""

    line1 = _text("line1")
    line2 = _text("line2")
    city = _text("city")
    postalCode = _text("postal_code")
    region = _text("region")
    country = fields.String(allow_none=True, validate=pattern("[A-Z]{2}"))


class ProfileBody(Strict):
    """To whom the bills go, all of it: what is not stated is taken away."""

    name = _text("name")
    email = _text("email")
    address = fields.Nested(AddressBody, allow_none=True)
    taxIdType = fields.String(allow_none=True, validate=validate.OneOf(list(TAX_ID_TYPES)))
    taxId = _text("tax_id")


PROFILE = shape(
    "BillingProfile",
    "To whom the bills go; null is not stated. `country` is a code of ISO 3166.",
    name=nullable(TEXT),
    email=nullable(TEXT),
    address=shape(
        "Address",
        "Where they go.",
        line1=nullable(TEXT),
        line2=nullable(TEXT),
        city=nullable(TEXT),
        postalCode=nullable(TEXT),
        region=nullable(TEXT),
        country=nullable(TEXT),
    ),
    taxIdType=nullable(word(*TAX_ID_TYPES)),
    taxId=nullable(TEXT),
    updatedAt=nullable(TIME),
)


@native.view(answers={200: PROFILE}, tags=TAGS)
def get_billing_profile() -> Response:
    """See to whom the bills go"""
    return ok(_shape(operations.get_billing_profile(actor(), account_id())))


@native.view(answers={200: PROFILE}, tags=TAGS)
@native.arguments(ProfileBody())
def set_billing_profile(body: dict[str, Any]) -> Response:
    """Set to whom the bills go

    All of it: what is not stated is taken away. Tax ids are checked, with their check digits.
    """
    return ok(_shape(operations.set_billing_profile(actor(), account_id(), _said(body))))


def _said(body: dict[str, Any]) -> dict[str, str]:
    """The profile that a body states, by its own names."""
    address = body.get("address") or {}
    parts = {name: address.get(camel(name)) or "" for name in ADDRESS}
    return parts | {name: body.get(camel(name)) or "" for name in OTHERS}


def _shape(profile: BillingProfile) -> dict[str, Any]:
    address = {camel(name): getattr(profile, name) or None for name in ADDRESS}
    others = {camel(name): getattr(profile, name) or None for name in OTHERS}
    return {**others, "address": address, "updatedAt": profile.updated_at}
