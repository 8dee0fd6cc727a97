"""Native: recording usage, one or many."""

from __future__ import annotations

from typing import Any

import pytest

from billing_plugin.dialects.native.shapes import QUANTITIES
from billing_plugin.dialects.native.usage import BATCH, RECORD, USAGE
from billing_plugin.dialects.wire import camel
from tests.dialects.faces import assert_refused, data, fits
from tests.dialects.routes import NATIVE
from tests.factories import Caller

ONE, MANY = f"{NATIVE}/usage", f"{NATIVE}/usage/batch"
USE = {"model": "gpt-4o", "provider": "openai", "inputTokens": 1000, "outputTokens": 500}
PAID = {"model": "m", "cost": "1.25"}


def test_one_use_is_rated_by_the_price_list(call: Caller) -> None:
    made = fits(USAGE, data(call("POST", ONE, json=USE), 201))
    assert made["cost"] == {"amount": "0.0075", "cents": 1, "currency": "USD"}
    assert made["quantities"] == {"input_tokens": 1000, "output_tokens": 500}
    assert (made["provider"], made["model"], made["replayed"]) == ("openai", "gpt-4o", False)
    assert made["price"]["source"].startswith("genai-prices")


def test_a_stated_cost(call: Caller) -> None:
    sent = {
        **PAID,
        "metadata": {"run": 7, "share": 0.5, "tags": ["a"]},
        "effectiveAt": "2026-03-08T23:00:00-05:00",
    }
    made = fits(USAGE, data(call("POST", ONE, json=sent), 201))
    assert made == {
        "id": made["id"],
        "entryId": made["entryId"],
        "holdId": None,
        "correctsId": None,
        "keyId": made["keyId"],
        "agent": None,
        "provider": "unknown",
        "model": "m",
        "quantities": {},
        "cost": {"amount": "1.25", "cents": 125, "currency": "USD"},
        "price": {"source": "caller"},
        "flagged": False,
        "metadata": {"run": 7, "share": 0.5, "tags": ["a"]},
        "effectiveAt": "2026-03-09T04:00:00.000Z",
        "recordedAt": "2026-03-09T14:32:00.000Z",
        "replayed": False,
    }


@pytest.mark.parametrize("place", ["header", "body"])
def test_a_repeated_use_is_charged_once(call: Caller, place: str) -> None:
    sent: dict[str, Any] = {"json": PAID, "headers": {"Idempotency-Key": "once"}}
    if place == "body":
        sent = {"json": {**PAID, "idempotencyKey": "once"}}
    first = call("POST", ONE, **sent)
    again = call("POST", ONE, **sent)
    assert "Idempotent-Replayed" not in first.headers
    assert again.headers["Idempotent-Replayed"] == "true"
    assert data(again) == data(first, 201) | {"replayed": True}
    assert data(call("GET", f"{NATIVE}/balance"))["posted"]["amount"] == "98.75"


def test_a_key_of_the_header_and_of_the_body_are_the_same_key(call: Caller) -> None:
    data(call("POST", ONE, json=PAID, headers={"Idempotency-Key": "once"}), 201)
    assert call("POST", ONE, json={**PAID, "idempotencyKey": "once"}).status_code == 200
    other = {**PAID, "cost": "2.00", "idempotencyKey": "once"}
    assert_refused(call("POST", ONE, json=other), "native", 409, "IDEMPOTENCY_CONFLICT")


def test_many_uses_are_charged_or_refused_one_by_one(call: Caller) -> None:
    records = [
        PAID,
        {"model": "no-such-model-anywhere", "inputTokens": 1},
        {**PAID, "cost": "500.00"},
        {**PAID, "idempotencyKey": "twice"},
        {**PAID, "idempotencyKey": "twice"},
        {**PAID, "effectiveAt": "2026-03-10T00:00:00Z"},
    ]
    told = fits(BATCH, data(call("POST", MANY, json={"records": records})))
    assert (told["recorded"], told["replayed"], told["refused"]) == (2, 1, 3)
    words = ["recorded", "refused", "refused", "recorded", "replayed", "refused"]
    assert [result["status"] for result in told["results"]] == words
    codes = [result["error"]["code"] for result in told["results"] if result["error"]]
    assert codes == ["UNPRICED_MODEL", "INSUFFICIENT_FUNDS", "FUTURE_TIME"]
    assert told["results"][3]["record"]["id"] == told["results"][4]["record"]["id"]
    assert data(call("GET", f"{NATIVE}/balance"))["posted"]["amount"] == "97.50"


def test_a_batch_can_be_sent_again(call: Caller) -> None:
    records = [{**PAID, "idempotencyKey": f"use {number}"} for number in range(3)]
    first = data(call("POST", MANY, json={"records": records}))
    again = data(call("POST", MANY, json={"records": records}))
    assert (first["recorded"], again["replayed"]) == (3, 3)
    for before, after in zip(first["results"], again["results"], strict=True):
        assert after["record"] == before["record"] | {"replayed": True}
    assert data(call("GET", f"{NATIVE}/balance"))["posted"]["amount"] == "96.25"


def test_nothing_of_a_batch_with_a_conflict_is_kept(call: Caller) -> None:
    data(call("POST", ONE, json={**PAID, "idempotencyKey": "once"}), 201)
    records = [PAID, {**PAID, "cost": "2.00", "idempotencyKey": "once"}]
    refused = call("POST", MANY, json={"records": records})
    assert_refused(refused, "native", 409, "IDEMPOTENCY_CONFLICT")
    assert data(call("GET", f"{NATIVE}/balance"))["posted"]["amount"] == "98.75"


def test_every_kind_of_token(call: Caller) -> None:
    counts = {camel(name): number for number, name in enumerate(QUANTITIES, start=1)}
    made = fits(USAGE, data(call("POST", ONE, json={**PAID, **counts}), 201))
    assert made["quantities"] == {name: n for n, name in enumerate(QUANTITIES, start=1)}
    assert len(QUANTITIES) == 10


def test_uses_are_listed_by_day_and_seen_one_by_one(call: Caller) -> None:
    for at in ("2026-03-07T23:59:59Z", "2026-03-08T00:00:00Z", "2026-03-09T00:00:00Z"):
        data(call("POST", ONE, json={**PAID, "effectiveAt": at}), 201)
    found = data(call("GET", f"{ONE}?from=2026-03-08&to=2026-03-08"))
    assert [fits(RECORD, one)["effectiveAt"] for one in found] == ["2026-03-08T00:00:00.000Z"]
    assert data(call("GET", f"{ONE}/{found[0]['id']}")) == found[0]
    assert len(data(call("GET", ONE))) == 3


def test_a_key_in_the_header_is_that_of_a_whole_batch(call: Caller) -> None:
    records = [PAID, {**PAID, "idempotencyKey": "own"}, PAID]
    headers = {"Idempotency-Key": "k" * 255}
    first = call("POST", MANY, json={"records": records}, headers=headers)
    again = call("POST", MANY, json={"records": records}, headers=headers)
    assert (data(first)["recorded"], data(again)["replayed"]) == (3, 3)
    assert "Idempotent-Replayed" not in first.headers
    assert again.headers["Idempotent-Replayed"] == "true"
    other = [PAID, PAID, {**PAID, "cost": "2"}]
    refused = call("POST", MANY, json={"records": other}, headers=headers)
    assert_refused(refused, "native", 409, "IDEMPOTENCY_CONFLICT")
    assert data(call("POST", ONE, json={**PAID, "idempotencyKey": "own"}))["replayed"]
    assert data(call("GET", f"{NATIVE}/balance"))["posted"]["amount"] == "96.25"


def test_two_keys_for_one_use_are_refused(call: Caller) -> None:
    body = {**PAID, "idempotencyKey": "one"}
    refused = call("POST", ONE, json=body, headers={"Idempotency-Key": "other"})
    assert_refused(refused, "native", 400, "VALIDATION_ERROR")
    data(call("POST", ONE, json=body, headers={"Idempotency-Key": "one"}), 201)
