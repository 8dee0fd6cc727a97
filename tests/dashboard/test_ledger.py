"""The ledger: every movement that REST lists, with the balance after it."""

from __future__ import annotations

import pytest
from flask import Flask

from billing_plugin import Actor, Billing, Money, operations
from billing_plugin.operations import Usage
from tests.dashboard.reader import PAGES, Visitor, amounts, rows
from tests.dialects.faces import data
from tests.dialects.routes import NATIVE
from tests.factories import Caller, account_with, token_of


@pytest.fixture(autouse=True)
def moved(billing: Billing, actor: Actor) -> None:
    account = str(actor.account_id)
    for number in range(5):
        used = Usage("gpt-4o", "openai", cost=Money.parse(f"0.{number}00000001"))
        operations.record_usage(actor, account, used)
    operations.adjust(billing.operator(), account, Money.parse("-1"), reason="A correction")


def test_entries_are_those_of_rest(
    billing: Billing, actor: Actor, app: Flask, person: Visitor
) -> None:
    told = data(Caller(app, token_of(billing, actor))("GET", f"{NATIVE}/ledger"))
    page = person.see("/ledger")
    listed = rows(page.all("table")[0])
    assert [row[:3] for row in listed] == [
        [str(one["sequence"]), one["kind"], "2026-03-09 14:32:00 UTC"] for one in told
    ]
    assert amounts(page) == [
        one[name]["amount"] for one in told for name in ("amount", "balanceAfter")
    ]
    assert "≈ 99.89 down" in listed[-3][4]
    assert [row[5].split(" Entry:")[0] for row in listed[:2]] == ["A correction", "gpt-4o"]
    assert all(one["id"] in row[5] for one, row in zip(told, listed, strict=True))


@pytest.mark.parametrize("limit", [1, 3, 7, 8])
def test_pages_are_the_whole(person: Visitor, limit: int) -> None:
    found, path = [], f"/ledger?limit={limit}"
    while path:
        page = person.see(path)
        found += [row[0] for table in page.all("table") for row in rows(table)]
        older = page.all("a", rel="next")
        path = older[0]["href"].removeprefix(PAGES) if older else ""
    assert found == [str(number) for number in range(7, 0, -1)]


def test_the_end_of_a_list_says_so(person: Visitor) -> None:
    older = person.see("/ledger?limit=7").all("a", rel="next")[0]["href"].removeprefix(PAGES)
    page = person.see(older)
    assert "There are no older entries." in page.text
    assert page.all("a", rel="first")[0]["href"] == f"{PAGES}/ledger?limit=7"


def test_an_empty_ledger_says_so(billing: Billing, app: Flask) -> None:
    person = Visitor(app, token_of(billing, account_with(billing)))
    assert "Nothing has moved yet." in person.see("/ledger").text


@pytest.mark.parametrize("query", ["offset=1", "limit=0", "limit=101", "cursor=x"])
def test_what_cannot_be_asked_is_said(person: Visitor, query: str) -> None:
    person.see(f"/ledger?{query}", 400)
