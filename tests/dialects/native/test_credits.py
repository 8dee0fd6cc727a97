"""Native: credit is given until a time, and shown in the order of its use."""

from __future__ import annotations

from billing_plugin import Actor, Billing, Money, operations
from billing_plugin.dialects.native.credits import CREDITS
from billing_plugin.dialects.native.ledger import ENTRY
from tests.dialects.faces import DESK, assert_refused, data, fits, staffed
from tests.dialects.routes import NATIVE
from tests.factories import Caller, Clock

PATH, POSTPAID = f"{NATIVE}/credits", f"{NATIVE}/account/postpaid"


def test_credit_is_used_in_its_order_and_expires(
    billing: Billing, call: Caller, actor: Actor, clock: Clock
) -> None:
    staffed(billing)
    desk = {**DESK, "X-Billing-Account": str(actor.account_id)}
    body = {"amount": "10", "expiresAt": "2026-03-10T00:00:00Z", "reason": "welcome"}
    given = fits(ENTRY, data(call("POST", PATH, json=body, headers=desk), 201))
    assert (given["kind"], given["amount"]["amount"]) == ("promotion", "10.00")
    data(call("POST", f"{NATIVE}/usage", json={"model": "m", "cost": "4"}), 201)
    seen = fits(CREDITS, data(call("GET", PATH)))
    told = [(one["kind"], one["remaining"]["amount"], one["priority"]) for one in seen["credits"]]
    assert told == [("promotion", "6.00", 10), ("support", "100.00", 20)]
    assert seen["credits"][0]["entryId"] == given["id"]
    assert seen["credits"][0]["expiresAt"] == "2026-03-10T00:00:00.000Z"
    clock.forward(days=1)
    assert data(call("GET", f"{NATIVE}/balance"))["posted"]["amount"] == "100.00"
    assert len(data(call("GET", PATH))["credits"]) == 1
    assert data(call("GET", f"{NATIVE}/ledger"))[0]["kind"] == "expiry"


def test_what_is_owed_beyond_all_credit(billing: Billing, call: Caller, actor: Actor) -> None:
    account = str(actor.account_id)
    operations.set_postpaid_limit(billing.operator(), account, Money.parse("50"))
    data(call("POST", f"{NATIVE}/usage", json={"model": "m", "cost": "120"}), 201)
    seen = fits(CREDITS, data(call("GET", PATH)))
    assert (seen["credits"], seen["owed"]["amount"]) == ([], "20.00")
    assert seen["postpaid"]["amount"] == "50.00"
    assert seen["cycleEndsAt"] == "2026-04-01T00:00:00.000Z"
    balance = data(call("GET", f"{NATIVE}/balance"))
    told = [balance[name]["amount"] for name in ("available", "postpaid", "spendable")]
    assert told == ["-20.00", "50.00", "30.00"]


def test_what_may_be_used_beyond_credit_is_set(
    billing: Billing, call: Caller, actor: Actor
) -> None:
    staffed(billing)
    desk = {**DESK, "X-Billing-Account": str(actor.account_id)}
    use = {"json": {"model": "m", "cost": "120"}}
    assert_refused(call("POST", f"{NATIVE}/usage", **use), "native", 402, "INSUFFICIENT_FUNDS")
    for body in ({"amount": "20"}, {"amountCents": 5000}):
        seen = fits(CREDITS, data(call("PUT", POSTPAID, json=body, headers=desk)))
    assert (seen["postpaid"]["amount"], seen["owed"]["amount"]) == ("50.00", "0.00")
    data(call("POST", f"{NATIVE}/usage", **use), 201)
    assert data(call("GET", f"{NATIVE}/account"))["postpaid"]["amount"] == "50.00"
    lowered = data(call("PUT", POSTPAID, json={"amountCents": 0}, headers=desk))
    assert (lowered["postpaid"]["amount"], lowered["owed"]["amount"]) == ("0.00", "20.00")
    changes = data(call("GET", f"{NATIVE}/changes"))
    told = [one["after"]["amount"] for one in changes if one["action"] == "postpaid_limit.set"]
    assert told == ["0.00", "50.00", "20.00"]


def test_a_key_gives_no_credit(call: Caller) -> None:
    for method, path in (("POST", PATH), ("PUT", POSTPAID)):
        refused = call(method, path, json={"amount": "10"})
        assert_refused(refused, "native", 403, "FORBIDDEN")
