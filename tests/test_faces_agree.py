"""The same account tells the same facts, and refuses for the same reasons, through every face."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from billing_plugin import Actor, Billing, Money, operations
from billing_plugin.operations import Usage
from billing_plugin.providers.fake import FakeProvider
from tests.dialects.faces import CONDUIT, NATIVE, SPIDERIQ, data
from tests.factories import Caller, Clock, account_with, app_with, billing_on, token_of

BOUGHT, COSTS = "20.00", ["0.00000061", "0.125", "3.4949999", "0.005", "12"]
KINDS = {"support": "SUPPORT_CREDIT", "topup": "CREDIT_PURCHASE", "usage": "USAGE_DEBIT"}
CENT = Decimal("0.01")


@pytest.fixture
def actor(billing: Billing, clock: Clock) -> Actor:
    """An account with a past: a gift, a purchase, uses of odd fractions of a cent."""
    owner = account_with(billing, "5")
    account = str(owner.account_id)
    clock.forward(minutes=1)
    operations.top_up(owner, account, Money.parse(BOUGHT))
    for cost in COSTS:
        clock.forward(seconds=7)
        used = Usage(model="m", input_tokens=3, output_tokens=4, cost=Money.parse(cost))
        operations.record_usage(owner, account, used)
    return owner


def native(call: Caller, path: str) -> Any:
    return data(call("GET", NATIVE + path))


def conduit(call: Caller, path: str) -> Any:
    return call("GET", CONDUIT + path).json


def test_the_balance(call: Caller, actor: Actor) -> None:
    exact = Decimal("25") - sum(Decimal(cost) for cost in COSTS)
    available = native(call, "/balance")["available"]
    told = conduit(call, "/balance")
    assert Decimal(available["amount"]) == exact
    assert told["balanceInCents"] == available["cents"] == int(exact / CENT)
    assert Decimal(str(told["balanceInDollars"])) == available["cents"] * CENT
    inside = operations.check_balance(actor, str(actor.account_id))
    assert inside.available.amount == exact


def test_the_ledger_entry_by_entry(call: Caller) -> None:
    ours = native(call, "/ledger")
    theirs = conduit(call, "/ledger?limit=100")["entries"]
    assert len(ours) == len(theirs) == 2 + len(COSTS)
    for mine, other in zip(ours, theirs, strict=True):
        assert other["id"] == mine["id"]
        assert other["type"] == KINDS[mine["kind"]]
        assert other["amountInCents"] == mine["amount"]["cents"]
        assert other["balanceAfterInCents"] == mine["balanceAfter"]["cents"]
        assert other["createdAt"] == mine["effectiveAt"]


def test_the_newest_entry_leaves_the_balance(call: Caller) -> None:
    posted = native(call, "/balance")["posted"]
    assert native(call, "/ledger?limit=1")[0]["balanceAfter"] == posted
    newest = conduit(call, "/ledger?limit=1")["entries"][0]
    assert newest["balanceAfterInCents"] == posted["cents"]


def test_what_was_spent_is_what_the_ledger_lost(call: Caller) -> None:
    entries = [entry for entry in native(call, "/ledger") if entry["kind"] == "usage"]
    lost = sum(Decimal(entry["amount"]["amount"]) for entry in entries)
    spend = native(call, "/spend")
    assert Decimal(spend["total"]["amount"]) == -lost == sum(Decimal(cost) for cost in COSTS)
    assert spend["count"] == len(entries)


def test_a_payment_goes_by_the_same_name(call: Caller) -> None:
    [bought] = [entry for entry in native(call, "/ledger") if entry["kind"] == "topup"]
    told = conduit(call, "/ledger")["entries"]
    [seen] = [entry for entry in told if entry["type"] == "CREDIT_PURCHASE"]
    topup = native(call, f"/topups/{bought['referenceId']}")
    assert seen["metadata"] == {"stripePaymentId": topup["paymentId"]}


def test_what_one_face_changes_the_others_see(call: Caller) -> None:
    before = conduit(call, "/balance")["balanceInCents"]
    data(call("POST", f"{NATIVE}/topups", json={"amountCents": 1234}), 201)
    assert conduit(call, "/balance")["balanceInCents"] == before + 1234
    newest = conduit(call, "/ledger?limit=1")["entries"][0]
    assert (newest["type"], newest["amountInCents"]) == ("CREDIT_PURCHASE", 1234)


def test_a_sync_is_one_sync(database_url: str, clock: Clock) -> None:
    """Asked through one face, it is in the list of the other, with the same counts."""
    billing = billing_on(database_url, clock=clock, providers={"mistral": FakeProvider()})
    owner = account_with(billing)
    for settings in ({"balance": "1.50"}, {"fail": "auth"}, {"balance": "2.00"}):
        operations.connect(
            owner, owner.account_id, "mistral", credentials={"api_key": "k"}, settings=settings
        )
    call = Caller(app_with(billing), token_of(billing, owner))
    report = call("POST", f"{SPIDERIQ}/sync-billing").json
    [job] = native(call, "/sync/jobs")
    assert (job["synced"], job["failed"], job["status"]) == (2, 1, "completed")
    assert (report["synced"], report["failed"]) == (2, 1)
    found = operations.list_integrations(owner, owner.account_id)
    assert [row["id"] for row in report["results"]] == [one.number for one in found]
    kept = [
        operations.list_snapshots(owner, owner.account_id, integration.id) for integration in found
    ]
    figures = [str(one.balance.amount) for snapshots in kept for one in snapshots if one.balance]
    assert report["total_balance"] == float(sum(Decimal(figure) for figure in figures)) == 3.5


REFUSALS = {
    "no key": ("", 401),
    "a key without the scope": ("limits:write", 403),
}


@pytest.mark.parametrize(("scope", "status"), REFUSALS.values(), ids=REFUSALS)
def test_refused_alike(
    billing: Billing, actor: Actor, call: Caller, scope: str, status: int
) -> None:
    token = token_of(billing, actor, scope) if scope else ""
    refused = Caller(app_with(billing), token)
    asked = {
        NATIVE: refused("GET", f"{NATIVE}/balance"),
        CONDUIT: refused("GET", f"{CONDUIT}/balance"),
        SPIDERIQ: refused("POST", f"{SPIDERIQ}/sync-billing"),
    }
    assert {answer.status_code for answer in asked.values()} == {status}
    messages = {answer.json["error"]["message"].split(" scope ")[0] for answer in asked.values()}
    assert len(messages) == 1
