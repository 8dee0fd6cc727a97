"""Native: to whom an account's bills go."""

from __future__ import annotations

from typing import Any

import pytest

from billing_plugin.dialects.native.billing_profiles import PROFILE
from tests.dialects.faces import assert_refused, data, fits
from tests.dialects.routes import NATIVE
from tests.factories import Caller

PATH = f"{NATIVE}/billing-profile"
ADDRESS = dict.fromkeys(("line1", "line2", "city", "postalCode", "region", "country"))
EMPTY = {**dict.fromkeys(("name", "email", "taxIdType", "taxId", "updatedAt")), "address": ADDRESS}
ACME: dict[str, Any] = {
    "name": "Acme",
    "email": "bills@acme.example",
    "address": {
        "line1": "1 Main St",
        "line2": "2nd floor",
        "city": "Berlin",
        "postalCode": "10115",
        "region": "BE",
        "country": "DE",
    },
    "taxIdType": "eu_vat",
    "taxId": "DE136695976",
}
AT = {"updatedAt": "2026-03-09T14:32:00.000Z"}


def put(call: Caller, body: dict[str, Any]) -> Any:
    return fits(PROFILE, data(call("PUT", PATH, json=body)))


def seen(call: Caller) -> Any:
    return fits(PROFILE, data(call("GET", PATH)))


def test_nobody_has_said(call: Caller) -> None:
    assert seen(call) == EMPTY


def test_a_profile_is_set_whole(call: Caller) -> None:
    assert put(call, ACME) == seen(call) == ACME | AT
    assert put(call, {"name": "Bcme"}) == seen(call) == EMPTY | AT | {"name": "Bcme"}
    part = {"address": {"country": "FR", "city": None}, "taxId": None}
    assert put(call, part)["address"] == ADDRESS | {"country": "FR"}
    assert put(call, {"address": None}) == EMPTY | AT


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        ({"email": "nobody"}, "This is no e-mail address."),
        ({"taxId": "DE136695977"}, "The tax id is no eu_vat."),
        ({"address": {"country": "XX"}}, "The country is a code of ISO 3166"),
        ({"name": "a\u202eb"}, "name is one line"),
        ({"taxIdType": None}, "The type of a tax id is one of"),
    ],
    ids=["email", "tax id", "country", "name", "type"],
)
def test_what_is_wrong_is_refused_whole(call: Caller, wrong: dict[str, Any], why: str) -> None:
    put(call, ACME)
    refused = call("PUT", PATH, json={**ACME, "name": "After", **wrong})
    assert why in assert_refused(refused, "native", 400, "VALIDATION_ERROR")["message"]
    assert seen(call) == ACME | AT
