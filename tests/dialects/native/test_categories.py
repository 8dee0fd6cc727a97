"""Native: categories make a tree, are found by id or name, and stay while they are in use."""

from __future__ import annotations

from typing import Any

from billing_plugin import Billing
from billing_plugin.dialects.native.categories import CATEGORY
from billing_plugin.dialects.native.shapes import REMOVED
from tests.dialects.faces import assert_refused, data, fits
from tests.dialects.routes import NATIVE
from tests.factories import Caller, Clock, account_with, app_with, token_of

PATH = f"{NATIVE}/categories"
BODY = {
    "name": "Infrastructure", "description": "Cloud", "color": "#4A90D9", "stageAppId": "app",
    "authorEmail": "a@example.com",
}  # fmt: skip


def add(call: Caller, name: str, **said: Any) -> dict[str, Any]:
    made = data(call("POST", PATH, json={"name": name, **said}), 201)
    return dict(fits(CATEGORY, made))


def names(call: Caller) -> list[str]:
    return [fits(CATEGORY, one)["name"] for one in data(call("GET", PATH))]


def test_a_category_says_what_was_said_and_no_more(call: Caller) -> None:
    made = add(call, **BODY)
    assert made["createdAt"] == made["updatedAt"] == "2026-03-09T14:32:00.000Z"
    rest = {name: value for name, value in made.items() if name not in ("id", *BODY)}
    assert {name: made[name] for name in BODY} == BODY
    assert set(rest) == {"createdAt", "updatedAt"}
    assert set(add(call, "Plain")) == {"id", "name", "createdAt", "updatedAt"}
    assert names(call) == ["Infrastructure", "Plain"]


def test_it_is_found_by_its_id_and_by_its_name(call: Caller) -> None:
    made = add(call, "Cloud & AI, Ünits")
    for known in (made["id"], "Cloud%20%26%20AI,%20%C3%9Cnits", "cloud%20%26%20ai,%20%C3%BCnits"):
        assert data(call("GET", f"{PATH}/{known}")) == made
    assert_refused(call("GET", f"{PATH}/other"), "native", 404, "NOT_FOUND")


def test_two_of_one_name_are_a_conflict(call: Caller) -> None:
    add(call, "Cloud"), add(call, "AI")
    for method, path, name in (("POST", PATH, " CLOUD"), ("PUT", f"{PATH}/AI", "cloud")):
        response = call(method, path, json={"name": name})
        assert_refused(response, "native", 409, "CONFLICT")
    assert names(call) == ["AI", "Cloud"]


def test_what_is_not_named_stays_and_null_takes_away(call: Caller, clock: Clock) -> None:
    parent = add(call, "Parent")
    made = add(call, **BODY, parentId="parent")
    assert made["parentId"] == parent["id"]
    clock.forward(hours=1)
    one = f"{PATH}/{made['id']}"
    changed = fits(CATEGORY, data(call("PUT", one, json={"name": "Infra"})))
    assert changed == {**made, "name": "Infra", "updatedAt": "2026-03-09T15:32:00.000Z"}
    nothing = dict.fromkeys(("description", "color", "parentId", "stageAppId", "authorEmail"))
    changed = fits(CATEGORY, data(call("PUT", one, json=nothing)))
    assert set(changed) == {"id", "name", "createdAt", "updatedAt"}
    assert data(call("GET", one)) == changed


def test_none_is_below_itself(call: Caller) -> None:
    top = add(call, "top")
    add(call, "middle", parentId="top"), add(call, "low", parentId="middle")
    for parent in (top["id"], "middle", "low"):
        response = call("PUT", f"{PATH}/top", json={"parentId": parent})
        assert_refused(response, "native", 400, "CATEGORY_CYCLE")
    for method, path in (("POST", PATH), ("PUT", f"{PATH}/top")):
        response = call(method, path, json={"name": "new", "parentId": "nothing"})
        assert_refused(response, "native", 404, "NOT_FOUND")
    assert names(call) == ["low", "middle", "top"]


def test_one_in_use_is_not_deleted(call: Caller) -> None:
    top = add(call, "top")
    add(call, "low", parentId="top")
    item = data(
        call("POST", f"{NATIVE}/items", json={"name": "x", "amount": 1, "categoryId": "low"}), 201
    )
    for name in ("top", "low"):
        refused = call("DELETE", f"{PATH}/{name}")
        assert_refused(refused, "native", 409, "CATEGORY_IN_USE")
    data(call("PUT", f"{NATIVE}/items/{item['id']}", json={"categoryId": None}))
    data(call("DELETE", f"{PATH}/low"))
    gone = fits(REMOVED, data(call("DELETE", f"{PATH}/top")))
    assert gone == {"deleted": True, "id": top["id"]}
    assert names(call) == []


def test_a_key_adds_one_category(call: Caller) -> None:
    options: dict[str, Any] = {"json": BODY, "headers": {"Idempotency-Key": "k"}}
    first, again = call("POST", PATH, **options), call("POST", PATH, **options)
    assert (first.status_code, again.status_code) == (201, 201)
    assert (again.json, again.headers["Idempotent-Replayed"]) == (first.json, "true")
    options["json"] = {**BODY, "color": "#000000"}
    assert_refused(call("POST", PATH, **options), "native", 409, "IDEMPOTENCY_CONFLICT")


def test_they_are_of_one_account(billing: Billing, call: Caller) -> None:
    made = add(call, "Cloud")
    other = Caller(app_with(billing), token_of(billing, account_with(billing)))
    assert names(other) == []
    assert add(other, "Cloud")["id"] != made["id"]
    for method in ("GET", "PUT", "DELETE"):
        response = other(method, f"{PATH}/{made['id']}", json={})
        assert_refused(response, "native", 404, "NOT_FOUND")
