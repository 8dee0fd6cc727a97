"""Native: rating a period again, dry first, and booked once."""

from __future__ import annotations

from billing_plugin import Actor, Billing
from billing_plugin.dialects.native.rerating import RERATING
from tests.dialects.faces import DESK, assert_refused, data, fits, staffed
from tests.dialects.routes import NATIVE, USE
from tests.factories import Caller

PATH = f"{NATIVE}/usage/rerating"
DAYS = {"from": "2026-03-01", "to": "2026-03-09"}


def test_a_period_is_read_and_nothing_booked_unless_asked(
    billing: Billing, call: Caller, actor: Actor
) -> None:
    staffed(billing)
    data(call("POST", f"{NATIVE}/usage", json=USE), 201)
    data(call("POST", f"{NATIVE}/usage", json={"model": "m", "cost": "1"}), 201)
    before = data(call("GET", f"{NATIVE}/ledger"))
    desk = {**DESK, "X-Billing-Account": str(actor.account_id)}
    for more, is_dry in (({}, True), ({"dryRun": False}, False)):
        found = fits(RERATING, data(call("POST", PATH, json={**DAYS, **more}, headers=desk)))
        assert found["dryRun"] is is_dry
        assert (found["read"], found["skipped"], found["changed"]) == (2, 1, 0)
        assert found["change"]["amount"] == "0.00"
        assert found["periodEnd"] == "2026-03-10T00:00:00.000Z"
    assert data(call("GET", f"{NATIVE}/ledger")) == before


def test_a_key_says_which_run_it_was(billing: Billing, call: Caller, actor: Actor) -> None:
    staffed(billing)
    key = {"Idempotency-Key": "march"}
    desk = {**DESK, "X-Billing-Account": str(actor.account_id), **key}
    first = call("POST", PATH, json=DAYS, headers=desk)
    data(call("POST", f"{NATIVE}/usage", json=USE), 201)
    again = call("POST", PATH, json=DAYS, headers=desk)
    assert data(again) == data(first)
    assert again.headers["Idempotent-Replayed"] == "true"
    refused = call("POST", PATH, json={**DAYS, "dryRun": False}, headers=desk)
    assert_refused(refused, "native", 409, "IDEMPOTENCY_CONFLICT")


def test_it_is_for_operators(call: Caller) -> None:
    assert_refused(call("POST", PATH, json=DAYS), "native", 403, "FORBIDDEN")
