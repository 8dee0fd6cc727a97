"""The Conduit face: its error envelope (UO1 of the contract)."""

from __future__ import annotations

import re

from billing_plugin import Actor, Billing
from billing_plugin.dialects.conduit.face import Conduit
from tests.dialects.faces import assert_refused, fits
from tests.dialects.routes import CONDUIT
from tests.factories import Caller, app_with, token_of


def test_an_error_is_one_object_with_time_and_request_id(call: Caller) -> None:
    refused = call("GET", f"{CONDUIT}/ledger?limit=0")
    told = assert_refused(refused, "conduit", 400, "VALIDATION_ERROR")
    fits(Conduit.ERROR, refused.json)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", told["timestamp"])
    assert told["requestId"].startswith("req_")
    assert list(told["details"]) == ["limit"]


def test_details_are_there_only_where_a_field_is_wrong(call: Caller) -> None:
    refused = call("GET", f"{CONDUIT}/nothing")
    assert "details" not in assert_refused(refused, "conduit", 404, "NOT_FOUND")
    fits(Conduit.ERROR, refused.json)


def test_a_wrong_key_has_conduits_own_code(billing: Billing, actor: Actor) -> None:
    app = app_with(billing)
    for token in ("", "nobody", token_of(billing, actor) + "x"):
        refused = Caller(app, token)("GET", f"{CONDUIT}/balance")
        assert_refused(refused, "conduit", 401, "API_KEY_INVALID")


def test_what_is_not_known_is_without_effect(call: Caller) -> None:
    assert call("GET", f"{CONDUIT}/ledger?newer=thing&limit=1").json["limit"] == 1
