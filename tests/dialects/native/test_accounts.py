"""Native: the account itself, and all of them for operators."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from billing_plugin import Actor, Billing, operations
from billing_plugin.dialects.native.accounts import ACCOUNT
from tests.dialects.faces import DESK, assert_refused, data, fits, staffed
from tests.dialects.native.test_tables import rows_of
from tests.dialects.routes import NATIVE
from tests.factories import Caller, account_with, app_with

ONE, ALL = f"{NATIVE}/account", f"{NATIVE}/accounts"


def test_a_key_sees_its_own_account(call: Caller, actor: Actor) -> None:
    seen = fits(ACCOUNT, data(call("GET", ONE)))
    assert seen["id"] == actor.account_id
    assert seen["available"] == {"amount": "100.00", "cents": 10000, "currency": "USD"}
    assert seen["postpaid"]["amount"] == "0.00"
    assert seen["currency"] == "USD"


def test_an_operator_opens_an_account_once(billing: Billing) -> None:
    staffed(billing)
    client = app_with(billing).test_client()
    body = {"name": " Ann ", "currency": "EUR"}
    headers = {**DESK, "Idempotency-Key": "ann"}
    first = client.post(ALL, json=body, headers=headers)
    made = fits(ACCOUNT, data(first, 201))
    assert (made["name"], made["currency"]) == ("Ann", "EUR")
    again = client.post(ALL, json=body, headers=headers)
    assert data(again, 201) == made
    assert again.headers["Idempotent-Replayed"] == "true"
    assert "Idempotent-Replayed" not in first.headers
    refused = client.post(ALL, json={"name": "Bob"}, headers=headers)
    assert_refused(refused, "native", 409, "IDEMPOTENCY_CONFLICT")
    assert [one["id"] for one in data(client.get(ALL, headers=DESK))] == [made["id"]]


def test_an_operator_has_all_accounts_in_a_file(billing: Billing) -> None:
    operations.create_account(billing.operator(), "=Ann()")
    mine = account_with(billing, "7.000000001")
    staffed(billing)
    client = app_with(billing).test_client()
    rows = rows_of(client.get(f"{ALL}?format=csv", headers=DESK))
    assert [one["id"] for one in rows] == [one["id"] for one in data(client.get(ALL, headers=DESK))]
    assert {"'=Ann()"} < {one["name"] for one in rows}
    [row] = [one for one in rows if one["id"] == mine.account_id]
    assert (row["available.amount"], row["available.cents"]) == ("7.000000001", "700")


def test_an_operator_names_the_account_it_asks_about(billing: Billing, actor: Actor) -> None:
    staffed(billing)
    client = app_with(billing).test_client()
    named = {**DESK, "X-Billing-Account": str(actor.account_id)}
    assert data(client.get(ONE, headers=named))["id"] == actor.account_id
    assert_refused(client.get(ONE, headers=DESK), "native", 400, "VALIDATION_ERROR")
    nobody = {**DESK, "X-Billing-Account": "acct_0"}
    assert_refused(client.get(ONE, headers=nobody), "native", 404, "NOT_FOUND")


def test_a_key_cannot_name_another_account(billing: Billing, call: Caller, actor: Actor) -> None:
    other = str(account_with(billing, "7").account_id)
    for name in (other, "acct_0"):
        refused = call("GET", ONE, headers={"X-Billing-Account": name})
        assert_refused(refused, "native", 404, "NOT_FOUND")
    own = {"X-Billing-Account": str(actor.account_id)}
    assert data(call("GET", ONE, headers=own))["id"] == actor.account_id


def test_no_account_opens_or_lists_others(billing: Billing, call: Caller, actor: Actor) -> None:
    for path in (ALL, f"{ALL}?format=csv"):
        assert_refused(call("GET", path), "native", 403, "FORBIDDEN")
    assert_refused(call("POST", ALL, json={"name": "x"}), "native", 403, "FORBIDDEN")
    given = billing.actor(str(actor.account_id), scopes=frozenset({"accounts:write"}))
    billing.authenticate = lambda request: given
    assert_refused(call("GET", ALL), "native", 403, "FORBIDDEN")


def test_a_member_of_the_host_is_no_operator(billing: Billing, call: Caller, actor: Actor) -> None:
    """`billing.actor(account)` holds all scopes inside the host; over HTTP those of a key."""
    billing.authenticate = lambda request: billing.actor(str(actor.account_id))
    for path in ("adjustments", "credits"):
        refused = call("POST", f"{NATIVE}/{path}", json={"amount": "1000"})
        assert_refused(refused, "native", 403, "FORBIDDEN")
    assert_refused(call("GET", ALL), "native", 403, "FORBIDDEN")
    assert data(call("POST", f"{NATIVE}/usage", json={"model": "m", "cost": "1"}), 201)


def test_an_agent_of_the_host_decides_nothing(billing: Billing, call: Caller, actor: Actor) -> None:
    account = str(actor.account_id)
    for scopes in (None, operations.account_scopes()):
        agent = billing.actor(account, scopes=scopes, agent="bot")
        billing.authenticate = lambda request, agent=agent: agent  # type: ignore[misc]
        refused = call("POST", f"{NATIVE}/raises/raise_0/approve", json={})
        assert_refused(refused, "native", 403, "FORBIDDEN")


def test_many_at_once_open_one_account(billing: Billing) -> None:
    """No account's lock guards this: the key itself must make them wait for each other."""

    def open_it(_: int) -> tuple[str, bool]:
        made = operations.create_account(billing.operator(), "Ann", idempotency_key="ann")
        return made.id, made.replayed

    with ThreadPoolExecutor(16) as crowd:
        told = list(crowd.map(open_it, range(50)))
    assert len({account_id for account_id, _ in told}) == 1
    assert sorted(replayed for _, replayed in told) == [False] + [True] * 49
    assert len(operations.list_accounts(billing.operator())) == 1
