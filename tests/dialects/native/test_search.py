"""Native: the search finds items by words and filters, in the shape of items."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import pytest

from billing_plugin.dialects.native.items import ITEM
from tests.dialects.faces import assert_refused, data, fits
from tests.dialects.native.test_tables import table
from tests.dialects.routes import NATIVE
from tests.factories import Caller

PATH = f"{NATIVE}/search"


@pytest.fixture(autouse=True)
def entered(call: Caller) -> None:
    for number in range(3):
        body: dict[str, Any] = {"name": f"Disk {number}", "amount": 1, "provider": f"p{number}"}
        data(call("POST", f"{NATIVE}/items", json=body), 201)


def names(call: Caller, q: str, query: str = "") -> list[str]:
    answer = data(call("GET", f"{PATH}?q={quote(q)}{query}"))
    return [fits(ITEM, item)["name"] for item in answer]


def test_items_are_found_by_words_and_filters(call: Caller) -> None:
    assert names(call, "DISK") == ["Disk 2", "Disk 1", "Disk 0"]
    assert names(call, "disk", "&limit=1") == ["Disk 2"]
    assert names(call, "di* p1") == ["Disk 1"]
    assert names(call, '"disk 0"', "&provider=p0&recurring=false") == ["Disk 0"]
    assert names(call, '"disk 0"', "&provider=p1") == names(call, "*") == names(call, "a & b") == []


def test_an_item_found_is_the_item(call: Caller) -> None:
    [found] = data(call("GET", f"{PATH}?q=p2"))
    assert found == data(call("GET", f"{NATIVE}/items/{found['id']}"))


def test_a_file_has_what_is_found_in_its_order(call: Caller) -> None:
    evil = {"name": "=disk()", "amountExact": "-0.005", "provider": "@p", "tags": ["b"]}
    made = data(call("POST", f"{NATIVE}/items", json=evil), 201)
    for query in ("q=disk", "q=disk&limit=2", "q=disk&provider=p1", "q=nothing"):
        response, lines = table(call, f"search?{query}")
        told = data(call("GET", f"{PATH}?{query}"))
        assert [one["id"] for one in lines] == [one["id"] for one in told]
        assert response.headers["Content-Disposition"] == 'attachment; filename="search.csv"'
    _, [line] = table(call, "search?q=b")
    assert (line["id"], line["name"], line["provider"]) == (made["id"], "'=disk()", "'@p")
    assert (line["amountExact"], line["tags"]) == ("-0.005", '["b"]')


def test_an_unknown_category_is_not_found(call: Caller) -> None:
    for also in ("", "&format=csv"):
        response = call("GET", f"{PATH}?q=disk&category=nowhere{also}")
        assert_refused(response, "native", 404, "NOT_FOUND")
