"""Seed 001 replayed: items, categories, reports, status, the envelope, exactly as its samples say.

An answer may say more than its sample (the exact amount, the source), never less and never else.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from tests.factories import Caller, Clock, account_with, app_with, billing_on, token_of
from tests.seeds.samples import (
    BREAKDOWN,
    ITEM,
    ITEM_BODY,
    NOT_FOUND,
    STATUS,
    SUMMARY,
    TREND,
    exact,
)

PREFIX = "/api/v1/billing"
NOW = datetime(2026, 3, 5, 12, 0, tzinfo=UTC)
CATEGORY_BODY = {
    "name": "Infrastructure",
    "description": "Cloud infrastructure costs",
    "color": "#4A90D9",
}


@pytest.fixture
def shift(database_url: str) -> Caller:
    billing = billing_on(database_url, clock=Clock(NOW))
    return Caller(app_with(billing), token_of(billing, account_with(billing)))


def says(answer: Any, sample: Any) -> bool:
    """Whether the answer says all that the sample says, to the letter."""
    if isinstance(sample, dict):
        return all(name in answer and says(answer[name], sample[name]) for name in sample)
    if isinstance(sample, list):
        pairs = zip(answer, sample, strict=False)
        return len(answer) == len(sample) and all(says(one, other) for one, other in pairs)
    return bool(exact(answer) == exact(sample))


def with_its_id(sample: dict[str, Any], answer: dict[str, Any]) -> dict[str, Any]:
    return {**sample, "data": {**sample["data"], "id": answer["data"]["id"]}}


def test_an_item_is_created(shift: Caller) -> None:
    response = shift("POST", f"{PREFIX}/items", json=ITEM_BODY)
    assert response.status_code == 201
    answer = response.json
    assert says(answer, with_its_id(ITEM, answer))
    assert set(answer["data"]) - set(ITEM["data"]) == {"amountExact", "source"}
    again = shift("GET", f"{PREFIX}/items/{answer['data']['id']}").json
    assert again == answer
    found = f"{PREFIX}/items/by-provider-ref?provider=gcp&providerRef=gcp-inv-2026-03"
    assert shift("GET", found).json == answer


def test_items_are_listed_with_filters(shift: Caller) -> None:
    made = shift("POST", f"{PREFIX}/items", json=ITEM_BODY).json["data"]
    shift("POST", f"{PREFIX}/items", json={**ITEM_BODY, "provider": "aws"})
    shift(
        "POST",
        f"{PREFIX}/items",
        json={**ITEM_BODY, "providerRef": "b", "date": "2026-02-28T23:59:59Z"},
    )
    path = f"{PREFIX}/items?provider=gcp&from=2026-03-01&to=2026-03-31&limit=20"
    assert shift("GET", path).json["data"] == [made]


def test_items_are_searched(shift: Caller) -> None:
    made = shift("POST", f"{PREFIX}/items", json=ITEM_BODY).json["data"]
    enter(shift, [1] * 12, tags=["Compute"])
    enter(shift, [1], provider="other")
    answer = shift("GET", f"{PREFIX}/search?q=compute&limit=10").json
    assert set(answer) == {"success", "data"}
    assert says(answer, {"success": True, "data": [made, *answer["data"][1:]]})
    assert len(answer["data"]) == 10
    assert {tuple(item["tags"]) for item in answer["data"][1:]} == {("Compute",)}


def test_a_category_is_created(shift: Caller) -> None:
    response = shift("POST", f"{PREFIX}/categories", json=CATEGORY_BODY)
    assert response.status_code == 201
    assert says(response.json, {"success": True, "data": CATEGORY_BODY})
    for name in (response.json["data"]["id"], "Infrastructure", "infrastructure"):
        assert shift("GET", f"{PREFIX}/categories/{name}").json == response.json
    assert shift("GET", f"{PREFIX}/categories").json["data"] == [response.json["data"]]


def enter(shift: Caller, amounts: list[int], **said: Any) -> None:
    for amount in amounts:
        item = {"name": "x", "amount": amount, **said}
        assert shift("POST", f"{PREFIX}/items", json=item).status_code == 201


def test_the_reports_of_a_quarter(shift: Caller) -> None:
    for month, total, count in (("01", 45_000, 12), ("02", 48_000, 14)):
        each = [1_000] * (count - 1)
        date = f"2026-{month}-15T00:00:00Z"
        enter(shift, [*each, total - sum(each)], provider="other", date=date)
    march = "2026-03-31T23:59:59.999Z"
    enter(shift, [5_000] * 7, provider="gcp", date=march)
    enter(shift, [0], provider="gcp", date="2026-03-01T00:00:00Z")
    enter(shift, [2_500] * 7, provider="openai", date=march)
    days = "from=2026-03-01&to=2026-03-31"
    summary = shift("GET", f"{PREFIX}/reports/summary?{days}").json
    assert says(summary, SUMMARY)
    breakdown = shift("GET", f"{PREFIX}/reports/breakdown?by=provider&{days}").json
    assert says(breakdown, BREAKDOWN)
    trend = shift("GET", f"{PREFIX}/reports/trend?interval=month&from=2026-01-01").json
    assert says(trend, TREND)


def test_the_status(shift: Caller, database_url: str) -> None:
    enter(shift, [3_500] * 41 + [6_500])
    for number in range(5):
        body = {"name": f"Category {number}"}
        assert shift("POST", f"{PREFIX}/categories", json=body).status_code == 201
    for _ in range(3):
        assert shift("POST", f"{PREFIX}/sync", json={}).status_code == 202
    answer = shift("GET", f"{PREFIX}/status").json
    kept = "file" if database_url.startswith("sqlite") else "postgresql"
    assert says(answer, {**STATUS, "data": {**STATUS["data"], "storageType": kept}})
    assert set(answer["data"]) - set(STATUS["data"]) == {"totalExact", "otherCurrencies"}


def test_what_is_not_there_is_said_as_in_the_seed(shift: Caller) -> None:
    response = shift("GET", f"{PREFIX}/items/abc123def456")
    assert response.status_code == 404
    assert says(response.json, NOT_FOUND)


def test_an_item_is_changed_and_taken_away(shift: Caller) -> None:
    made = shift("POST", f"{PREFIX}/items", json=ITEM_BODY).json["data"]
    path = f"{PREFIX}/items/{made['id']}"
    changed = shift("PUT", path, json={"amount": 2000, "tags": ["compute"]}).json["data"]
    assert changed == {**made, "amount": 2000, "amountExact": "20.00", "tags": ["compute"]}
    assert shift("DELETE", path).json["data"] == {"deleted": True, "id": made["id"]}
    assert shift("GET", path).status_code == 404
    assert shift("GET", f"{PREFIX}/reports/summary").json["data"]["itemCount"] == 0


def test_the_same_provider_ref_is_the_same_item(shift: Caller) -> None:
    first = shift("POST", f"{PREFIX}/items", json=ITEM_BODY).json["data"]
    response = shift("POST", f"{PREFIX}/items", json={**ITEM_BODY, "amount": 1100})
    assert response.status_code == 200
    assert response.json["data"] == {**first, "amount": 1100, "amountExact": "11.00"}
