"""Native: hold, capture, release, extend, and each of them once."""

from __future__ import annotations

from typing import Any

import pytest

from billing_plugin import Billing
from billing_plugin.dialects.native.holds import CAPTURE, HOLD
from tests.dialects.faces import assert_refused, data, fits
from tests.dialects.routes import NATIVE
from tests.factories import Caller, Clock

PATH = f"{NATIVE}/holds"


def held(call: Caller, **body: Any) -> Any:
    return fits(HOLD, data(call("POST", PATH, json=body or {"amount": "10"}), 201))


def balance(call: Caller) -> tuple[str, str]:
    seen = data(call("GET", f"{NATIVE}/balance"))
    return seen["posted"]["amount"], seen["held"]["amount"]


def test_an_amount_is_held(call: Caller) -> None:
    made = held(call, amountCents=1000, provider="p", model="m", metadata={"run": 7})
    assert made["amount"]["amount"] == "10.00"
    assert (made["status"], made["captured"], made["resolvedAt"]) == ("open", None, None)
    assert (made["provider"], made["model"], made["metadata"]) == ("p", "m", {"run": 7})
    assert made["keyId"].startswith("key_")
    assert made["expiresAt"] == "2026-03-09T14:42:00.000Z"
    assert data(call("GET", f"{PATH}/{made['id']}")) == made
    assert balance(call) == ("100.00", "10.00")


def test_the_tokens_of_a_model_are_held_at_their_price(call: Caller) -> None:
    made = held(call, model="gpt-4o", provider="openai", inputTokens=1000, outputTokens=500)
    assert made["amount"]["amount"] == "0.0075"
    body = {"inputTokens": 400, "outputTokens": 100}
    done = fits(CAPTURE, data(call("POST", f"{PATH}/{made['id']}/capture", json=body)))
    assert done["record"]["model"] == "gpt-4o"
    assert done["record"]["quantities"] == {"input_tokens": 400, "output_tokens": 100}
    assert done["record"]["cost"]["amount"] == "0.002"
    assert balance(call) == ("99.998", "0.00")


@pytest.mark.parametrize("reread", [False, True])
def test_numbers_in_metadata_stay_numbers(billing: Billing, call: Caller, reread: bool) -> None:
    """In every answer, whether this process made the hold or (as after a restart) reads it."""
    sent = {"user": 7, "score": 0.5, "more": [1e300, {"a": -2.25, "b": None, "c": True}]}
    one = f"{PATH}/{held(call, amount='10', metadata=sent)['id']}"
    if reread:
        billing.instance.kept.clear()
    capture = {"json": {"amount": "4"}, "headers": {"Idempotency-Key": "once"}}
    done = data(call("POST", f"{one}/capture", **capture))
    again = call("POST", f"{one}/capture", **capture)
    assert again.headers["Idempotent-Replayed"] == "true"
    record = data(call("GET", f"{NATIVE}/usage/{done['record']['id']}"))
    told = (done["hold"], done["record"], data(again)["record"], data(call("GET", one)), record)
    assert [one["metadata"] for one in told] == [sent] * 5


@pytest.mark.parametrize(
    "body", [{}, {"inputTokens": 5}, {"provider": "p"}, {"expiresInS": 60, "metadata": {"a": 1}}]
)
def test_a_hold_says_for_what(call: Caller, body: dict[str, Any]) -> None:
    assert_refused(call("POST", PATH, json=body), "native", 400, "VALIDATION_ERROR")


@pytest.mark.parametrize(
    ("body", "taken"),
    [
        (None, "10.00"),
        ({}, "10.00"),
        ({"amount": "4"}, "4.00"),
        ({"amountCents": 0}, "0.00"),
        ({"amount": "4", "inputTokens": 7, "metadata": {"run": 8}}, "4.00"),
    ],
)
def test_a_capture_takes_what_it_says_and_gives_back_the_rest(
    call: Caller, body: dict[str, Any] | None, taken: str
) -> None:
    made = held(call, amount="10", metadata={"run": 7, "team": "a"})
    options = {"headers": {"X-Request-Id": "call-9"}} | ({"json": body} if body else {})
    done = fits(CAPTURE, data(call("POST", f"{PATH}/{made['id']}/capture", **options)))
    assert (done["hold"]["status"], done["hold"]["captured"]["amount"]) == ("captured", taken)
    assert done["record"]["id"] == done["hold"]["recordId"]
    assert done["record"]["holdId"] == made["id"]
    assert done["record"]["metadata"]["team"] == "a"
    assert done["record"]["metadata"]["run"] == (8 if body and "metadata" in body else 7)
    assert balance(call)[1] == "0.00"
    entry = data(call("GET", f"{NATIVE}/ledger/{done['record']['entryId']}"))
    assert entry["requestId"] == "call-9"


@pytest.mark.parametrize("body", [{"model": "m"}, {"provider": "p"}, {"metadata": {"a": 1}}])
def test_a_capture_that_names_no_use(call: Caller, body: dict[str, Any]) -> None:
    path = f"{PATH}/{held(call)['id']}/capture"
    assert_refused(call("POST", path, json=body), "native", 400, "VALIDATION_ERROR")


@pytest.mark.parametrize(
    ("policy", "status", "code"),
    [
        ("refuse", 409, "CAPTURE_EXCEEDS_HOLD"),
        ("if_available", 402, "INSUFFICIENT_FUNDS"),
        ("overdraft", 200, None),
    ],
)
def test_the_policy_decides_about_more(
    call: Caller, policy: str, status: int, code: str | None
) -> None:
    path = f"{PATH}/{held(call)['id']}/capture"
    answer = call("POST", path, json={"amount": "120", "policy": policy})
    if code:
        assert_refused(answer, "native", status, code)
    else:
        assert data(answer)["hold"]["captured"]["amount"] == "120.00"
        assert balance(call) == ("-20.00", "0.00")


def test_a_captured_hold_stays_so(call: Caller) -> None:
    one = f"{PATH}/{held(call)['id']}"
    first = call("POST", f"{one}/capture", json={"amount": "4"})
    again = call("POST", f"{one}/capture", json={"amount": "4"})
    assert data(again) == data(first)
    assert again.headers["Idempotent-Replayed"] == "true"
    assert "Idempotent-Replayed" not in first.headers
    for way, body in (("capture", {"amount": "5"}), ("release", {}), ("extend", {"expiresInS": 5})):
        refused = call("POST", f"{one}/{way}", json=body)
        assert_refused(refused, "native", 409, "HOLD_ALREADY_RESOLVED")
    assert balance(call) == ("96.00", "0.00")


@pytest.mark.parametrize("way", ["capture", "release", "extend"])
def test_a_key_says_which_call_it_was(call: Caller, way: str) -> None:
    """Without it, to extend twice would move the deadline twice."""
    one, other = held(call)["id"], held(call)["id"]
    headers = {"Idempotency-Key": "call-1"}
    body = {"expiresInS": 60} if way == "extend" else {}
    first = call("POST", f"{PATH}/{one}/{way}", json=body, headers=headers)
    again = call("POST", f"{PATH}/{one}/{way}", json=body, headers=headers)
    assert data(again) == data(first)
    assert again.headers["Idempotent-Replayed"] == "true"
    refused = call("POST", f"{PATH}/{other}/{way}", json=body, headers=headers)
    assert_refused(refused, "native", 409, "IDEMPOTENCY_CONFLICT")
    assert data(call("GET", f"{PATH}/{other}"))["status"] == "open"


def test_a_release_gives_everything_back(call: Caller) -> None:
    one = f"{PATH}/{held(call)['id']}"
    first = call("POST", f"{one}/release")
    assert fits(HOLD, data(first))["status"] == "released"
    again = call("POST", f"{one}/release", json={})
    assert again.headers["Idempotent-Replayed"] == "true"
    assert balance(call) == ("100.00", "0.00")
    refused = call("POST", f"{one}/capture")
    assert_refused(refused, "native", 409, "HOLD_ALREADY_RESOLVED")


def test_a_deadline_is_moved_and_kept(call: Caller, clock: Clock) -> None:
    one = f"{PATH}/{held(call, amount='10', expiresInS=60)['id']}"
    clock.forward(seconds=30)
    moved = fits(HOLD, data(call("POST", f"{one}/extend", json={"expiresInS": 90})))
    assert moved["expiresAt"] == "2026-03-09T14:34:00.000Z"
    clock.forward(seconds=90)
    assert data(call("GET", one))["status"] == "expired"
    assert balance(call) == ("100.00", "0.00")
    for way, body in (("capture", {}), ("extend", {"expiresInS": 5})):
        refused = call("POST", f"{one}/{way}", json=body)
        assert_refused(refused, "native", 409, "HOLD_EXPIRED")


def test_holds_are_listed_by_status(call: Caller) -> None:
    ids = [held(call)["id"] for _ in range(3)]
    data(call("POST", f"{PATH}/{ids[0]}/capture"))
    data(call("POST", f"{PATH}/{ids[1]}/release"))
    found = {
        status: [one["id"] for one in data(call("GET", f"{PATH}?status={status}"))]
        for status in ("open", "captured", "released", "expired")
    }
    assert found == {"open": [ids[2]], "captured": [ids[0]], "released": [ids[1]], "expired": []}
    assert [one["id"] for one in data(call("GET", PATH))] == ids[::-1]


def test_more_than_there_is_cannot_be_held(call: Caller) -> None:
    held(call, amount="60")
    told = assert_refused(
        call("POST", PATH, json={"amount": "50"}), "native", 402, "INSUFFICIENT_FUNDS"
    )
    assert (told["available"], told["requested"]) == ("40.00", "50.00")
