"""Native: the balance and the ledger."""

from __future__ import annotations

from billing_plugin import Actor, Billing, Money, operations
from billing_plugin.dialects.native.ledger import BALANCE, ENTRY, PAST_BALANCE
from billing_plugin.operations import Usage
from tests.dialects.faces import assert_refused, data, fits
from tests.dialects.routes import NATIVE
from tests.factories import Caller, Clock, account_with, app_with, token_of


def test_the_balance(call: Caller, actor: Actor) -> None:
    amount = {"amount": "100.00", "cents": 10000, "currency": "USD"}
    assert fits(BALANCE, data(call("GET", f"{NATIVE}/balance"))) == {
        "accountId": actor.account_id,
        "available": amount,
        "posted": amount,
        "held": {"amount": "0.00", "cents": 0, "currency": "USD"},
        "postpaid": {"amount": "0.00", "cents": 0, "currency": "USD"},
        "spendable": amount,
        "asOf": "2026-03-09T14:32:00.000Z",
    }


def test_a_balance_rounds_down_and_an_amount_half_even(call: Caller, actor: Actor) -> None:
    used = Usage(model="m", cost=Money.parse("0.006"))
    operations.record_usage(actor, str(actor.account_id), used)
    assert data(call("GET", f"{NATIVE}/balance"))["posted"]["cents"] == 9999
    [newest, _] = data(call("GET", f"{NATIVE}/ledger"))
    assert newest["amount"] == {"amount": "-0.006", "cents": -1, "currency": "USD"}
    assert newest["balanceAfter"] == {"amount": "99.994", "cents": 9999, "currency": "USD"}


def test_entries_newest_first(call: Caller, actor: Actor, clock: Clock) -> None:
    account = str(actor.account_id)
    topup = operations.top_up(actor, account, Money.parse("5"))
    clock.forward(minutes=1)
    used = Usage(model="m", provider="p", input_tokens=3, cost=Money.parse("1"))
    operations.record_usage(actor, account, used)
    entries = [fits(ENTRY, entry) for entry in data(call("GET", f"{NATIVE}/ledger"))]
    assert [entry["kind"] for entry in entries] == ["usage", "topup", "support"]
    assert [entry["sequence"] for entry in entries] == [3, 2, 1]
    assert [entry["referenceId"] for entry in entries] == [None, topup.id, None]
    assert entries[0]["effectiveAt"] == entries[0]["recordedAt"] == "2026-03-09T14:33:00.000Z"
    assert entries[0]["metadata"] == {"model": "m", "provider": "p", "tokens": 3}


def test_pages(call: Caller, actor: Actor) -> None:
    for _ in range(4):
        operations.top_up(actor, str(actor.account_id), Money.parse("1"))
    whole = data(call("GET", f"{NATIVE}/ledger"))
    parts = [data(call("GET", f"{NATIVE}/ledger?limit=2&offset={start}")) for start in (0, 2, 4)]
    assert [entry for part in parts for entry in part] == whole
    assert len(whole) == 5
    assert data(call("GET", f"{NATIVE}/ledger?offset={2**31}")) == []


def test_an_account_sees_its_own_entries_alone(billing: Billing, actor: Actor) -> None:
    other = account_with(billing, "7")
    call = Caller(app_with(billing), token_of(billing, other))
    [entry] = data(call("GET", f"{NATIVE}/ledger"))
    assert entry["amount"]["amount"] == "7.00"


def test_one_entry(call: Caller) -> None:
    [entry] = data(call("GET", f"{NATIVE}/ledger"))
    assert fits(ENTRY, data(call("GET", f"{NATIVE}/ledger/{entry['id']}"))) == entry


def test_the_balance_at_a_past_moment(call: Caller, actor: Actor, clock: Clock) -> None:
    clock.forward(minutes=1)
    operations.record_usage(actor, str(actor.account_id), Usage("m", cost=Money.parse("1")))
    told = {}
    for at in ("14:31:59.999Z", "14:32:00Z", "14:32:59Z", "14:33:00Z", "15:33:00%2B01:00"):
        seen = data(call("GET", f"{NATIVE}/balance/past?at=2026-03-09T{at}"))
        told[at] = (fits(PAST_BALANCE, seen)["posted"]["amount"], seen["sequence"])
    before, after = ("100.00", 1), ("99.00", 2)
    assert list(told.values()) == [("0.00", 0), before, before, after, after]
    refused = call("GET", f"{NATIVE}/balance/past?at=2026-03-09T14:33:01Z")
    assert_refused(refused, "native", 400, "FUTURE_TIME")
