"""Native: spending limits are set, seen, kept and removed."""

from __future__ import annotations

import pytest

from billing_plugin.dialects.native.limits import LIMIT, NOTICE, REMOVED
from tests.dialects.faces import assert_refused, data, fits
from tests.dialects.routes import NATIVE
from tests.factories import Caller

PATH = f"{NATIVE}/limits"
NOTHING = {"amount": "0.00", "cents": 0, "currency": "USD"}


def test_setting_and_seeing_a_limit(call: Caller) -> None:
    made = fits(LIMIT, data(call("POST", PATH, json={"amountCents": 20000}), 201))
    amount = {"amount": "200.00", "cents": 20000, "currency": "USD"}
    assert made == {
        "id": made["id"],
        "name": "",
        "amount": amount,
        "ceiling": amount,
        "raiseUntil": None,
        "window": "monthly",
        "zone": "UTC",
        "technique": "fixed",
        "action": "hard",
        "filters": {},
        "partitions": [],
        "spent": NOTHING,
        "held": NOTHING,
        "remaining": amount,
        "overspent": NOTHING,
        "windowStart": "2026-03-01T00:00:00.000Z",
        "resetsAt": "2026-04-01T00:00:00.000Z",
        "buckets": [],
        "revision": 1,
    }
    assert data(call("GET", f"{PATH}/{made['id']}")) == made
    assert data(call("GET", PATH)) == [made]


def test_an_exact_amount(call: Caller) -> None:
    made = data(call("POST", PATH, json={"amount": "0.000000001", "window": "total"}), 201)
    assert made["amount"] == {"amount": "0.000000001", "cents": 0, "currency": "USD"}


@pytest.mark.parametrize(
    ("window", "zone", "start"),
    [
        ("daily", "America/New_York", "2026-03-09T04:00:00.000Z"),
        ("weekly", "UTC", "2026-03-09T00:00:00.000Z"),
        ("monthly", "Asia/Kolkata", "2026-02-28T18:30:00.000Z"),
        ("total", "UTC", "1970-01-01T00:00:00.000Z"),
    ],
)
def test_windows_are_calendar_windows_of_the_zone(
    call: Caller, window: str, zone: str, start: str
) -> None:
    body = {"amountCents": 100, "window": window, "zone": zone}
    assert data(call("POST", PATH, json=body), 201)["windowStart"] == start


def test_setting_it_again_changes_the_amount_and_keeps_what_was_counted(call: Caller) -> None:
    first = data(call("POST", PATH, json={"amountCents": 500}), 201)
    data(call("POST", f"{NATIVE}/usage", json={"model": "m", "cost": "3.00"}), 201)
    again = data(call("POST", PATH, json={"amountCents": 200}), 201)
    assert again["id"] == first["id"]
    assert (again["spent"]["amount"], again["remaining"]["amount"]) == ("3.00", "0.00")


def test_removing_it(call: Caller) -> None:
    made = data(call("POST", PATH, json={"amountCents": 0}), 201)
    use = {"model": "m", "cost": "0.01"}
    assert_refused(call("POST", f"{NATIVE}/usage", json=use), "native", 402, "LIMIT_EXCEEDED")
    removed = fits(REMOVED, data(call("DELETE", f"{PATH}/{made['id']}")))
    assert removed == {"deleted": True, "id": made["id"]}
    assert data(call("GET", PATH)) == []
    for method in ("GET", "DELETE"):
        assert_refused(call(method, f"{PATH}/{made['id']}"), "native", 404, "NOT_FOUND")
    data(call("POST", f"{NATIVE}/usage", json=use), 201)


def test_a_limit_of_everything(call: Caller) -> None:
    body = {
        "amount": "5",
        "window": 3600,
        "technique": "sliding",
        "action": "soft",
        "filters": {"provider": ["openai", "anthropic", "openai"], "metadata.team": ["a"]},
        "partitions": ["model"],
        "name": "team a",
    }
    made = fits(LIMIT, data(call("POST", PATH, json=body), 201))
    shown = {name: made[name] for name in body if name not in ("amount", "filters")}
    assert shown == {name: body[name] for name in shown}
    assert made["filters"] == {"provider": ["anthropic", "openai"], "metadata.team": ["a"]}
    assert made["remaining"] is None
    assert data(call("GET", f"{PATH}/{made['id']}")) == made


def test_buckets_count_each_by_itself_and_notices_say_what_a_shadow_saw(call: Caller) -> None:
    body = {"amount": "1", "action": "shadow", "partitions": ["model"]}
    made = data(call("POST", PATH, json=body), 201)
    for model, cost in (("a", "0.5"), ("b", "1"), ("b", "0.25")):
        data(call("POST", f"{NATIVE}/usage", json={"model": model, "cost": cost}), 201)
    seen = fits(LIMIT, data(call("GET", f"{PATH}/{made['id']}")))
    told = {one["values"][0]: one["spent"]["amount"] for one in seen["buckets"]}
    assert told == {"a": "0.50", "b": "1.25"}
    [notice] = data(call("GET", f"{PATH}/{made['id']}/notices"))
    fits(NOTICE, notice)
    assert (notice["kind"], notice["times"]) == ("would_refuse", 1)
    assert notice["windowStart"] == "2026-03-01T00:00:00.000Z"


def test_a_limit_is_changed_and_its_counters_stay(call: Caller) -> None:
    made = data(call("POST", PATH, json={"amountCents": 500}), 201)
    one = f"{PATH}/{made['id']}"
    data(call("POST", f"{NATIVE}/usage", json={"model": "m", "cost": "3"}), 201)
    changed = fits(LIMIT, data(call("PATCH", one, json={"amountCents": 200, "window": "daily"})))
    assert (changed["window"], changed["amount"]["cents"]) == ("daily", 200)
    assert (changed["spent"]["cents"], changed["overspent"]["cents"]) == (300, 100)
    assert changed["id"] == made["id"]
    renamed = data(call("PATCH", one, json={"name": "x"}))
    assert (renamed["name"], renamed["amount"]["cents"]) == ("x", 200)
    assert renamed["revision"] > changed["revision"] > made["revision"]


def test_a_change_names_something_and_clashes_with_nothing(call: Caller) -> None:
    made = data(call("POST", PATH, json={"amountCents": 500}), 201)
    other = data(call("POST", PATH, json={"amountCents": 500, "window": "daily"}), 201)
    assert other["id"] != made["id"]
    for body in ({}, {"window": "daily"}):
        refused = call("PATCH", f"{PATH}/{made['id']}", json=body)
        assert_refused(refused, "native", 400, "VALIDATION_ERROR")


def test_a_limit_is_set_once_for_a_key(call: Caller) -> None:
    headers = {"Idempotency-Key": "once"}
    first = call("POST", PATH, json={"amountCents": 500}, headers=headers)
    data(call("PATCH", f"{PATH}/{first.json['data']['id']}", json={"amountCents": 300}))
    again = call("POST", PATH, json={"amountCents": 500}, headers=headers)
    assert again.headers["Idempotent-Replayed"] == "true"
    assert data(again, 201)["amount"]["cents"] == 300  # nothing is set back
    other = call("POST", PATH, json={"amountCents": 501}, headers=headers)
    assert_refused(other, "native", 409, "IDEMPOTENCY_CONFLICT")
