"""Native: prices of the book are listed for whom they concern, set and ended by operators."""

from __future__ import annotations

from typing import Any

import pytest

from billing_plugin import Actor, Billing
from billing_plugin.dialects.native.prices import PRICE
from tests.dialects.faces import DESK, assert_refused, data, fits, staffed
from tests.dialects.routes import NATIVE
from tests.factories import Caller, Clock, account_with, app_with, token_of

PATH = f"{NATIVE}/prices"
MODEL = {"provider": "OpenAI", "model": "gpt-x"}
BODY = {**MODEL, "prices": {"input_tokens": "0.0000022", "requests": "0.01"}}
ALL = {**BODY, "everybody": True}
USE = {"model": "gpt-x", "provider": "openai", "inputTokens": 1_000_000}


@pytest.fixture
def desk(billing: Billing) -> Caller:
    staffed(billing)
    caller = Caller(app_with(billing), "")
    caller.headers = DESK
    return caller


def of(actor: Actor) -> dict[str, str]:
    return {"X-Billing-Account": str(actor.account_id)}


def ids(response: Any) -> list[str]:
    return [fits(PRICE, one)["id"] for one in data(response)]


def test_a_price_is_set_for_the_account_that_is_named(
    desk: Caller, call: Caller, actor: Actor
) -> None:
    made = fits(PRICE, data(desk("POST", PATH, json=BODY, headers=of(actor)), 201))
    assert (made["accountId"], made["currency"]) == (actor.account_id, "USD")
    assert (made["provider"], made["model"], made["source"]) == ("openai", "gpt-x", "price book")
    assert made["prices"] == BODY["prices"]
    assert made["validFrom"] == made["createdAt"] == "2026-03-09T14:32:00.000Z"
    assert made["validUntil"] is None
    used = data(call("POST", f"{NATIVE}/usage", json=USE), 201)
    assert used["cost"]["amount"] == "2.21"


def test_a_price_for_everybody_is_said_to_be_one(desk: Caller, actor: Actor) -> None:
    assert_refused(desk("POST", PATH, json=BODY), "native", 400, "VALIDATION_ERROR")
    for headers in ({}, of(actor)):
        made = data(desk("POST", PATH, json=ALL, headers=headers), 201)
        assert made["accountId"] is None
    nobody = {"X-Billing-Account": "acct_" + "0" * 32}
    assert_refused(desk("POST", PATH, json=BODY, headers=nobody), "native", 404, "NOT_FOUND")


def test_prices_are_seen_by_whom_they_concern(
    billing: Billing, desk: Caller, call: Caller, actor: Actor
) -> None:
    other = account_with(billing)
    ours = data(desk("POST", PATH, json=ALL), 201)["id"]
    mine = data(desk("POST", PATH, json=BODY, headers=of(actor)), 201)["id"]
    later = {**ALL, "validFrom": "2026-03-10T00:00:00Z", "validUntil": "2026-03-11T00:00:00Z"}
    coming = data(desk("POST", PATH, json=later), 201)["id"]
    assert ids(call("GET", PATH)) == ids(desk("GET", PATH, headers=of(actor)))
    assert ids(call("GET", PATH)) == [coming, mine, ours]
    theirs = Caller(app_with(billing), token_of(billing, other))
    assert ids(theirs("GET", PATH)) == ids(desk("GET", PATH)) == [coming, ours]
    assert_refused(theirs("GET", PATH, headers=of(actor)), "native", 404, "NOT_FOUND")
    for at, found in (("09T14:31:59Z", []), ("09T14:32:00Z", [mine, ours])):
        assert ids(call("GET", f"{PATH}?at=2026-03-{at}")) == found
    assert ids(call("GET", f"{PATH}?at=2026-03-10T01:00:00%2B01:00")) == [coming, mine, ours]
    assert ids(call("GET", f"{PATH}?at=2026-03-11T00:00:00Z")) == [mine, ours]


def test_a_price_is_ended_and_what_it_overruled_holds_again(
    billing: Billing, desk: Caller, call: Caller, actor: Actor, clock: Clock
) -> None:
    cheap = data(desk("POST", PATH, json={**ALL, "prices": {"input_tokens": "0.000001"}}), 201)
    dear = data(desk("POST", PATH, json=BODY, headers=of(actor)), 201)
    end = f"{PATH}/{dear['id']}/end"
    for headers in (of(account_with(billing)), {"X-Billing-Account": "acct_0"}):
        assert_refused(desk("POST", end, json={}, headers=headers), "native", 404, "NOT_FOUND")
    past = {"at": "2026-03-09T14:31:00Z"}
    assert_refused(desk("POST", end, json=past), "native", 400, "PAST_PRICE")
    ended = data(desk("POST", end, json={"at": "2026-03-09T15:00:00Z"}, headers=of(actor)))
    assert fits(PRICE, ended) == {**dear, "validUntil": "2026-03-09T15:00:00.000Z"}
    clock.forward(hours=1)
    assert_refused(desk("POST", end, json={}), "native", 409, "CONFLICT")
    assert data(call("POST", f"{NATIVE}/usage", json=USE), 201)["cost"]["amount"] == "1.00"
    ended = data(desk("POST", f"{PATH}/{cheap['id']}/end", json={}))
    assert ended["validUntil"] == "2026-03-09T15:32:00.000Z"


def test_a_key_sets_and_ends_none(call: Caller, desk: Caller) -> None:
    made = data(desk("POST", PATH, json=ALL), 201)
    for path, body in ((PATH, BODY), (PATH, ALL), (f"{PATH}/{made['id']}/end", {})):
        told = assert_refused(call("POST", path, json=body), "native", 403, "FORBIDDEN")
        assert told["scope"] == "prices:write"
