"""Native: who changed what, in which request; money from the ledger, the rest from the trail."""

from __future__ import annotations

from billing_plugin.dialects.native.audit import CHANGE
from tests.dialects.faces import data, fits
from tests.dialects.routes import NATIVE
from tests.factories import Caller

PATH = f"{NATIVE}/changes"


def test_changes_of_limits_name_key_and_request(call: Caller) -> None:
    asked = {"headers": {"X-Request-Id": "req-1"}}
    made = data(call("POST", f"{NATIVE}/limits", json={"amountCents": 500}, **asked), 201)
    one = f"{NATIVE}/limits/{made['id']}"
    data(call("PATCH", one, json={"amountCents": 400}, headers={"X-Request-Id": "req-2"}))
    data(call("DELETE", one, headers={"X-Request-Id": "req-3"}))
    removed, changed, created = [fits(CHANGE, one) for one in data(call("GET", f"{PATH}?limit=3"))]
    told = [(one["action"], one["requestId"]) for one in (created, changed, removed)]
    assert told == [("limit.set", "req-1"), ("limit.update", "req-2"), ("limit.remove", "req-3")]
    assert created["before"] is None
    assert (changed["before"]["amount"], changed["after"]["amount"]) == ("5.00", "4.00")
    assert {one["subjectId"] for one in (created, changed, removed)} == {made["id"]}
    assert created["keyId"].startswith("key_")


def test_changes_of_money(call: Caller) -> None:
    use, asked = {"model": "m", "cost": "1"}, {"X-Request-Id": "req-4"}
    data(call("POST", f"{NATIVE}/usage", json=use, headers=asked), 201)
    newest, first = [fits(CHANGE, one) for one in data(call("GET", f"{PATH}?money=true"))]
    assert (newest["action"], newest["requestId"]) == ("balance.usage", "req-4")
    assert (newest["before"], newest["after"]) == ({"posted": "100.00"}, {"posted": "99.00"})
    assert (first["actor"], first["action"]) == ("operator", "balance.support")
    assert not [one for one in data(call("GET", PATH)) if one["action"].startswith("balance")]
