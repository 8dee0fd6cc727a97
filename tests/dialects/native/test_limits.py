"""Native: spending limits are set, seen, kept and removed."""

from __future__ import annotations

import pytest

from billing_plugin.dialects.native.limits import LIMIT, REMOVED
from tests.dialects.faces import NATIVE, assert_refused, data, fits
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
