"""Items: the same ones that REST lists, page by page, each with all that it says."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from flask import Flask

from billing_plugin import Actor, Billing, operations
from tests.dashboard.reader import PAGES, Visitor, amounts, enter, rows
from tests.dialects.faces import data
from tests.dialects.routes import NATIVE
from tests.factories import START, Caller, token_of

FILTERS = {
    "": "",
    "provider=aws": "provider=aws",
    "service=s1": "service=s1",
    "tag=x": "tags=x",
    "category=Cloud": "category=Cloud",
    "from=2026-03-05&to=2026-03-08": "from=2026-03-05&to=2026-03-08",
    "source=manual&provider=": "source=manual",
    "source=focus": "source=focus",
    "tag=x&provider=aws&limit=2": "tags=x&provider=aws&limit=2",
}


@pytest.fixture
def entered(actor: Actor) -> None:
    operations.create_category(actor, str(actor.account_id), "Cloud")
    for number in range(7):
        enter(
            actor, f"{number}.00{number}", name=f"Item {number}", service_id=f"s{number % 2}",
            provider=("aws", "openai")[number % 2], tags=["x"] if number % 3 else [],
            category="Cloud" if number == 4 else None, date=START - timedelta(days=number),
        )  # fmt: skip


@pytest.mark.usefixtures("entered")
@pytest.mark.parametrize("query", FILTERS)
def test_a_list_is_the_one_of_rest(
    billing: Billing, actor: Actor, app: Flask, person: Visitor, query: str
) -> None:
    call = Caller(app, token_of(billing, actor))
    told = data(call("GET", f"{NATIVE}/items?{FILTERS[query]}"))
    page = person.see(f"/items?{query}")
    listed = [row for table in page.all("table") for row in rows(table)]
    assert [row[:2] for row in listed] == [[one["name"], one["date"][:10]] for one in told]
    assert amounts(page.all("main")[0]) == [one["amountExact"] for one in told]
    assert ("No item is like that." in page.text) is (query == "source=focus")


def walk(person: Visitor, query: str) -> list[str]:
    """The first cells of every page, from link to link."""
    found, path = [], f"/items?{query}"
    while path:
        page = person.see(path)
        found += [row[0] for table in page.all("table") for row in rows(table)]
        older = page.all("a", rel="next")
        path = older[0]["href"].removeprefix(PAGES) if older else ""
    return found


@pytest.mark.usefixtures("entered")
@pytest.mark.parametrize("limit", [1, 2, 7, 8])
def test_pages_are_the_whole_also_when_narrowed(person: Visitor, limit: int) -> None:
    assert walk(person, f"limit={limit}") == [f"Item {number}" for number in range(7)]
    assert walk(person, f"limit={limit}&tag=x&to=2026-03-08&from=2026-03-01") == [
        f"Item {number}" for number in (1, 2, 4, 5)
    ]


@pytest.mark.usefixtures("entered")
def test_a_cursor_goes_with_its_filters_and_leads_back(person: Visitor) -> None:
    page = person.see("/items?limit=2&provider=aws")
    older = page.all("a", rel="next")[0]["href"].removeprefix(PAGES)
    person.see(older.replace("provider=aws", "provider=openai"), 400)
    back = person.see(older).all("a", rel="first")[0]["href"].removeprefix(PAGES)
    assert [row[0] for row in rows(person.see(back).all("table")[0])] == ["Item 0", "Item 2"]


def test_an_empty_list_says_what_to_do(person: Visitor) -> None:
    assert "There is no cost item yet." in person.see("/items").text
    assert "No item is like that." in person.see("/items?provider=x").text


def test_an_item_tells_all_it_says(actor: Actor, person: Visitor) -> None:
    operations.create_category(actor, str(actor.account_id), "Cloud")
    said: dict[str, Any] = {
        "provider": "aws", "provider_ref": "r-1", "adapter": "csv", "service_id": "s3",
        "description": "Storage", "category": "Cloud", "tags": ["a", "b"], "feature_key": "f",
        "recurring": True, "period": "monthly", "stage_app_id": "app", "environment": "prod",
        "author_email": "ann@example.com", "scope": {"kind": "team", "name": "Core"},
        "usage": {"amount": "5.5", "unit": "GB"}, "meta": {"invoice": "R-77"},
    }  # fmt: skip
    item = enter(actor, "-3.00000000001", name="Disk", **said)
    page = person.see(f"/items/{item}")
    facts = {
        " ".join(one.children[0].text.split()): " ".join(one.children[1].text.split())
        for one in page.all("dl")[0].children
    }
    assert amounts(page) == ["-3.00000000001"]
    assert "≈ -3.00 half-even" in " ".join(page.text.split())
    assert facts == {
        "Date": "2026-03-09 14:32:00 UTC", "Source": "manual", "Provider": "aws",
        "Category": "Cloud", "Service": "s3", "Description": "Storage", "Tags": "a b",
        "Provider's reference": "r-1", "Adapter": "csv", "Recurring": "monthly", "Feature": "f",
        "Stage app": "app", "Environment": "prod", "Author": "ann@example.com",
        "Scope": "kind: team name: Core", "Usage": "amount: 5.5 unit: GB",
        "Further": "invoice: R-77", "Id": item, "Entered": "2026-03-09 14:32:00 UTC",
        "Changed": "2026-03-09 14:32:00 UTC",
    }  # fmt: skip


def test_what_an_item_does_not_say_is_left_out(actor: Actor, person: Visitor) -> None:
    facts = person.see(f"/items/{enter(actor, '1')}").all("dl")[0]
    assert [one.children[0].text.strip() for one in facts.children] == [
        "Date", "Source", "Id", "Entered", "Changed",
    ]  # fmt: skip


def test_an_unknown_item_is_not_found(person: Visitor) -> None:
    assert "Item not found: item_x" in person.see("/items/item_x", 404).text
    person.see("/items/item_x?provider=a", 400)
