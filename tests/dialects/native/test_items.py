"""Native: cost items are entered, listed by every filter and page by page, changed and deleted."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import pytest

from billing_plugin import Billing
from billing_plugin.dialects.native.items import ITEM
from billing_plugin.dialects.native.shapes import REMOVED
from tests.dialects.faces import assert_refused, data, fits
from tests.dialects.routes import NATIVE
from tests.factories import Caller, Clock, account_with, app_with, token_of

PATH = f"{NATIVE}/items"
PLAIN = {
    "id", "name", "amount", "amountExact", "currency", "tags", "source", "recurring", "date",
    "createdAt", "updatedAt",
}  # fmt: skip
FULL = {
    "name": "Compute", "amount": 1050, "currency": "EUR", "tags": ["b", "a"],
    "date": "2026-03-01T00:00:00.000Z", "description": "March", "provider": "gcp",
    "providerRef": "inv-1", "adapter": "gcp-bigquery", "recurring": True, "period": "monthly",
    "serviceId": "s", "featureKey": "f", "stageAppId": "app", "environment": "prod",
    "scope": {"kind": "project", "id": "p", "name": "P"},
    "usage": {"amount": 1.5, "unit": "h", "skuId": "x", "skuDescription": "X"},
    "authorEmail": "a@example.com", "meta": {"text": "t", "number": 2, "share": 0.1, "flag": True},
}  # fmt: skip


def enter(call: Caller, name: str, amount: int = 1, **said: Any) -> dict[str, Any]:
    body = {"name": name, "amount": amount, **said}
    return dict(fits(ITEM, data(call("POST", PATH, json=body), 201)))


def names(call: Caller, query: str = "") -> str:
    return "".join(fits(ITEM, one)["name"] for one in data(call("GET", f"{PATH}?{query}")))


def test_an_item_says_all_that_was_said(call: Caller) -> None:
    data(call("POST", f"{NATIVE}/categories", json={"name": "Cloud"}), 201)
    made = fits(ITEM, data(call("POST", PATH, json={**FULL, "categoryId": "cloud"}), 201))
    category = data(call("GET", f"{NATIVE}/categories/cloud"))["id"]
    told = {"categoryId": category, "amountExact": "10.50", "source": "manual"}
    assert {name: value for name, value in made.items() if name not in PLAIN - set(FULL)} == {
        **FULL, "categoryId": category,
    }  # fmt: skip
    assert {name: made[name] for name in told} == told
    for path in (f"{PATH}/{made['id']}", f"{PATH}/by-provider-ref?provider=gcp&providerRef=inv-1"):
        assert data(call("GET", path)) == made


def test_what_was_not_said_is_left_out(call: Caller) -> None:
    made = enter(call, "Plain")
    assert set(made) == PLAIN
    assert (made["tags"], made["recurring"], made["currency"]) == ([], False, "USD")
    assert made["date"] == made["createdAt"] == made["updatedAt"] == "2026-03-09T14:32:00.000Z"


@pytest.mark.parametrize(
    ("exact", "cents"),
    [("0.00000000001", 0), ("0.005", 0), ("0.015", 2), ("-10.5", -1050), ("9223372036.9", None)],
)
def test_an_exact_amount_is_kept_and_its_cents_are_rounded(
    call: Caller, exact: str, cents: int | None
) -> None:
    response = call("POST", PATH, json={"name": "x", "amountExact": exact})
    if cents is None:
        assert_refused(response, "native", 400, "AMOUNT_OUT_OF_RANGE")
    else:
        made = fits(ITEM, data(response, 201))
        assert (made["amount"], float(made["amountExact"])) == (cents, float(exact))


def test_one_amount_is_stated(call: Caller) -> None:
    made = enter(call, "x")
    for amounts in ({}, {"amount": 1, "amountExact": "0.01"}):
        response = call("POST", PATH, json={"name": "x", **amounts})
        assert_refused(response, "native", 400, "VALIDATION_ERROR")
    response = call("PUT", f"{PATH}/{made['id']}", json={"amount": 1, "amountExact": "0.01"})
    assert_refused(response, "native", 400, "VALIDATION_ERROR")


def test_cents_are_of_the_currency_that_the_item_has(call: Caller) -> None:
    made = enter(call, "x", 500, currency="JPY", provider="p", providerRef="r")
    one = f"{PATH}/{made['id']}"
    assert (made["amount"], made["amountExact"]) == (500, "500")
    assert data(call("PUT", one, json={"amount": 700}))["amountExact"] == "700"
    again = data(call("POST", PATH, json={"name": "x", "amount": 800, "provider": "p",
                                          "providerRef": "r"}))  # fmt: skip
    assert (again["id"], again["amount"], again["amountExact"]) == (made["id"], 800, "800")


def test_a_known_reference_is_changed_in_what_is_named(call: Caller, clock: Clock) -> None:
    made = data(call("POST", PATH, json=FULL), 201)
    clock.forward(days=1)
    body = {"name": "New", "amount": 7, "provider": "gcp", "providerRef": "inv-1"}
    changed = fits(ITEM, data(call("POST", PATH, json=body)))
    assert changed == {
        **made, "name": "New", "amount": 7, "amountExact": "0.07",
        "updatedAt": "2026-03-10T14:32:00.000Z",
    }  # fmt: skip


def test_a_replay_makes_nothing(call: Caller) -> None:
    options: dict[str, Any] = {"json": FULL, "headers": {"Idempotency-Key": "k"}}
    first, again = call("POST", PATH, **options), call("POST", PATH, **options)
    assert (first.status_code, again.status_code) == (201, 200)
    assert (again.json, again.headers["Idempotent-Replayed"]) == (first.json, "true")
    one = f"{PATH}/{first.json['data']['id']}"
    changed = data(call("PUT", one, json={"amount": 1}))
    assert data(call("POST", PATH, **options)) == changed
    data(call("DELETE", one))
    assert_refused(call("POST", PATH, **options), "native", 404, "NOT_FOUND")


def test_what_is_not_named_stays_and_null_takes_away(call: Caller, clock: Clock) -> None:
    data(call("POST", f"{NATIVE}/categories", json={"name": "Cloud"}), 201)
    made = data(call("POST", PATH, json={**FULL, "categoryId": "Cloud"}), 201)
    clock.forward(hours=1)
    one = f"{PATH}/{made['id']}"
    later = {"updatedAt": "2026-03-09T15:32:00.000Z"}
    assert data(call("PUT", one, json={"environment": "stage"})) == {
        **made, **later, "environment": "stage",
    }  # fmt: skip
    nothing = dict.fromkeys(set(made) - PLAIN | {"tags"})
    changed = fits(ITEM, data(call("PUT", one, json={**nothing, "recurring": False})))
    assert changed == {
        **{name: value for name, value in made.items() if name in PLAIN}, **later,
        "tags": [], "recurring": False,
    }  # fmt: skip


def test_a_change_cannot_take_anothers_reference(call: Caller) -> None:
    enter(call, "a", provider="p", providerRef="1")
    other = enter(call, "b", provider="p", providerRef="2")
    response = call("PUT", f"{PATH}/{other['id']}", json={"providerRef": "1"})
    assert_refused(response, "native", 409, "ITEM_EXISTS")


def test_an_unknown_category_is_not_found(call: Caller) -> None:
    made = enter(call, "x")
    unknown = {"name": "x", "categoryId": "nothing"}
    answers = [
        call("POST", PATH, json={**unknown, "amount": 1}),
        call("PUT", f"{PATH}/{made['id']}", json=unknown),
        call("GET", f"{PATH}?category=nothing"),
    ]
    for response in answers:
        assert_refused(response, "native", 404, "NOT_FOUND")


def test_a_deleted_item_is_not_found_under_its_id(call: Caller) -> None:
    made = enter(call, "x", provider="p", providerRef="r")
    one = f"{PATH}/{made['id']}"
    assert fits(REMOVED, data(call("DELETE", one))) == {"deleted": True, "id": made["id"]}
    for method in ("GET", "DELETE"):
        told = assert_refused(call(method, one), "native", 404, "NOT_FOUND")
        assert told["message"] == f"Item not found: {made['id']}"
    response = call("GET", f"{PATH}/by-provider-ref?provider=p&providerRef=r")
    assert_refused(response, "native", 404, "NOT_FOUND")


FILTERS = {
    "": "gfedcba",
    "category=CLOUD": "ba",
    "category=ai": "a",
    "provider=p": "da",
    "service=s": "c",
    "from=2026-03-02": "gfed",
    "to=2026-03-01": "cba",
    "from=2026-03-01&to=2026-03-01": "cb",
    "from=2026-02-28T23:30:00-02:00&to=2026-03-01T12:00:00Z": "cb",
    "recurring=true": "e",
    "recurring=false": "gfdcba",
    "tags=x": "gf",
    "tags=x,y": "gfd",
    "tags=y": "fd",
    "stageApp=app": "b",
    "author=" + quote("a+b@example.com", safe=""): "g",
    "source=manual": "gfedcba",
    "source=sync": "",
    "provider=p&tags=x,y": "d",
}


@pytest.fixture
def seven(call: Caller) -> Caller:
    data(call("POST", f"{NATIVE}/categories", json={"name": "Cloud"}), 201)
    data(call("POST", f"{NATIVE}/categories", json={"name": "AI", "parentId": "Cloud"}), 201)
    enter(call, "a", date="2026-02-28T23:59:59.999Z", categoryId="AI", provider="p")
    enter(call, "b", date="2026-03-01T00:00:00Z", categoryId="Cloud", stageAppId="app")
    enter(call, "c", date="2026-03-01T23:59:59.999Z", serviceId="s")
    enter(call, "d", date="2026-03-02T00:00:00Z", tags=["y"], provider="p")
    enter(call, "e", recurring=True)
    enter(call, "f", tags=["x", "y"])
    enter(call, "g", tags=["x"], authorEmail="a+b@example.com")
    return call


@pytest.mark.parametrize("query", FILTERS)
def test_items_are_filtered_the_latest_first(seven: Caller, query: str) -> None:
    assert names(seven, query) == FILTERS[query]


def test_a_list_comes_page_by_page_whatever_happens_meanwhile(seven: Caller) -> None:
    page = seven("GET", f"{PATH}?limit=3").json
    enter(seven, "late")
    last = page["data"][-1]
    data(seven("DELETE", f"{PATH}/{last['id']}"))
    found = "".join(one["name"] for one in page["data"])
    while cursor := page["meta"]["nextCursor"]:
        page = seven("GET", f"{PATH}?limit=2&cursor={cursor}").json
        found += "".join(one["name"] for one in page["data"])
    assert found == "gfedcba"


def test_a_cursor_is_of_its_list(billing: Billing, seven: Caller) -> None:
    cursor = seven("GET", f"{PATH}?limit=1&provider=p").json["meta"]["nextCursor"]
    assert names(seven, f"provider=p&cursor={cursor}") == "a"
    other = Caller(app_with(billing), token_of(billing, account_with(billing)))
    for response in (
        seven("GET", f"{PATH}?cursor={cursor}"),
        seven("GET", f"{PATH}?provider=p&tags=y&cursor={cursor}"),
        seven("GET", f"{NATIVE}/holds?cursor={cursor}"),
        other("GET", f"{PATH}?provider=p&cursor={cursor}"),
    ):
        assert_refused(response, "native", 400, "VALIDATION_ERROR")


def test_a_page_has_up_to_a_thousand(call: Caller) -> None:
    for number in range(51):
        enter(call, str(number))
    assert len(data(call("GET", PATH))) == 50
    assert len(data(call("GET", f"{PATH}?limit=1000"))) == 51
