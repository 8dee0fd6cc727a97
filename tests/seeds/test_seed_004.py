"""Seed 004 replayed: balance and transaction history, exactly as its samples show them."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from billing_plugin import Billing, Money, operations
from billing_plugin.operations import Usage
from billing_plugin.processors.processor import Charge, Payment
from tests.factories import Caller, Clock, account_with, app_with, billing_on, token_of
from tests.seeds.samples import BALANCE, LEDGER, exact, with_ids

OPENED = datetime(2026, 3, 1, 9, 0, tzinfo=UTC)
BOUGHT = datetime(2026, 3, 8, 10, 15, tzinfo=UTC)
USED = datetime(2026, 3, 9, 14, 32, tzinfo=UTC)
OPENING = {
    "type": "SUPPORT_CREDIT",
    "amountInCents": 2262,
    "balanceAfterInCents": 2262,
    "metadata": {},
    "createdAt": "2026-03-01T09:00:00.000Z",
}


class PaymentOfTheSeed:
    """A processor whose payment id is the seed's."""

    name = "seed"

    def charge(self, charge: Charge) -> Payment:
        return Payment("succeeded", "pi_abc123", charge.amount)

    def find(self, charge: Charge) -> Payment | None:
        return None


@pytest.fixture
def conduit(database_url: str) -> Caller:
    """A client of an account with the seed's history, and the opening credit that it implies."""
    clock = Clock(OPENED)
    billing = billing_on(database_url, clock=clock, processor=PaymentOfTheSeed())
    actor = account_with(billing, "22.62")
    clock.at = BOUGHT
    operations.top_up(actor, actor.account_id, Money.from_cents(2000))
    clock.at = USED
    used = Usage(model="gpt-4", input_tokens=1000, output_tokens=523, cost=Money.parse("0.12"))
    operations.record_usage(actor, actor.account_id, used)
    return Caller(app_with(billing), token_of(billing, actor))


def test_balance(conduit: Caller) -> None:
    response = conduit("GET", "/api/billing/balance")
    assert response.status_code == 200
    assert exact(response.json) == exact(BALANCE)


def test_ledger_of_the_two_entries(conduit: Caller) -> None:
    answer = conduit("GET", "/api/billing/ledger?limit=2&offset=0").json
    expected = LEDGER | {"entries": with_ids(LEDGER["entries"], answer["entries"]), "limit": 2}
    assert exact(answer) == exact(expected)


def test_ledger_as_it_is_asked_in_the_seed(conduit: Caller) -> None:
    answer = conduit("GET", "/api/billing/ledger?limit=5&offset=0").json
    entries = with_ids([*LEDGER["entries"], OPENING], answer["entries"])
    assert exact(answer) == exact(LEDGER | {"entries": entries, "count": 3})


def test_pages_are_cut_from_the_same_list(conduit: Caller) -> None:
    whole = conduit("GET", "/api/billing/ledger").json
    assert (whole["limit"], whole["offset"], whole["count"]) == (10, 0, 3)
    for offset in range(4):
        page = conduit("GET", f"/api/billing/ledger?limit=1&offset={offset}").json
        assert page["entries"] == whole["entries"][offset : offset + 1]
        assert page["count"] == len(page["entries"])


@pytest.mark.parametrize("limit", ["0", "101", "-1", "five", "1.5", "", "1_0", "1e1"])
def test_limit_out_of_range(conduit: Caller, limit: str) -> None:
    response = conduit("GET", f"/api/billing/ledger?limit={limit}")
    assert response.status_code == 400
    assert response.json["error"]["code"] == "VALIDATION_ERROR"
    assert list(response.json["error"]["details"]) == ["limit"]


@pytest.mark.parametrize("offset", ["-1", "1.5", "x", str(2**63), "9" * 30])
def test_offset_out_of_range(conduit: Caller, offset: str) -> None:
    response = conduit("GET", f"/api/billing/ledger?offset={offset}")
    assert response.status_code == 400
    assert list(response.json["error"]["details"]) == ["offset"]


@pytest.mark.parametrize("limit", [1, 100])
def test_limit_in_range(conduit: Caller, limit: int) -> None:
    assert conduit("GET", f"/api/billing/ledger?limit={limit}").json["limit"] == limit


def test_authentication_is_required(billing: Billing) -> None:
    client = app_with(billing).test_client()
    for path in ("/api/billing/balance", "/api/billing/ledger"):
        response = client.get(path)
        assert response.status_code == 401
        assert response.json["error"]["code"] == "API_KEY_INVALID"
        assert response.headers["WWW-Authenticate"].startswith("Bearer")
        assert response.headers["X-Request-Id"] == response.json["error"]["requestId"]
