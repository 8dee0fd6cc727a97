"""Cursors are sealed with everything that they belong to: list, account, filters and secret."""

from __future__ import annotations

from typing import Any

import pytest
from flask import Flask

from billing_plugin import Actor, Billing, Money, operations
from tests.dialects.faces import assert_refused, data
from tests.dialects.routes import NATIVE
from tests.factories import SECRET_KEY, Caller, account_with, app_with, billing_on, token_of

PAGES = "/billing"


@pytest.fixture
def app(database_url: str) -> Flask:
    """A host with both kinds of lists: as JSON, and as pages."""
    return app_with(billing_on(database_url, dashboard_prefix=PAGES))


def billing_of(app: Flask) -> Billing:
    found: Billing = app.extensions["billing"]["billing"]
    return found


def moved(billing: Billing) -> Actor:
    actor = account_with(billing, "1")
    for _ in range(3):
        operations.adjust(billing.operator(), str(actor.account_id), Money.parse("1"))
    return actor


def cursor_of(call: Caller, query: str = "limit=1") -> str:
    meta = call("GET", f"{NATIVE}/ledger?{query}").json["meta"]
    return str(meta["nextCursor"])


def refused(call: Caller, path: str) -> Any:
    return assert_refused(call("GET", path), "native", 400, "VALIDATION_ERROR")


def test_a_cursor_goes_on_and_the_last_page_has_none(app: Flask) -> None:
    billing = billing_of(app)
    call = Caller(app, token_of(billing, moved(billing)))
    cursor = cursor_of(call, "limit=2")
    response = call("GET", f"{NATIVE}/ledger?limit=3&cursor={cursor}")
    assert [entry["sequence"] for entry in data(response)] == [2, 1]
    assert response.json["meta"]["nextCursor"] is None


def test_a_cursor_is_of_one_list_and_one_account(app: Flask) -> None:
    billing = billing_of(app)
    mine, theirs = (Caller(app, token_of(billing, moved(billing))) for _ in range(2))
    cursor = cursor_of(mine)
    assert data(mine("GET", f"{NATIVE}/ledger?cursor={cursor}"))
    for call, path in ((theirs, "ledger"), (mine, "holds"), (mine, "usage")):
        refused(call, f"{NATIVE}/{path}?cursor={cursor}")
    page = mine("GET", f"{PAGES}/ledger?cursor={cursor}")
    assert page.status_code == 400
    assert "This cursor is not one of this list." in page.text


def test_what_is_made_up_is_refused(app: Flask) -> None:
    billing = billing_of(app)
    call = Caller(app, token_of(billing, moved(billing)))
    cursor = cursor_of(call)
    for made_up in (
        "x",
        "A" * 300,
        cursor[:-1],
        cursor + "A",
        cursor[::-1],
        f"{cursor}%3D",
        "%C3%A9",
    ):
        refused(call, f"{NATIVE}/ledger?cursor={made_up}")


def test_a_new_secret_opens_what_the_old_one_sealed(database_url: str) -> None:
    old = billing_on(database_url, secret_keys="old")
    actor = moved(old)
    token = token_of(old, actor)
    cursor = cursor_of(Caller(app_with(old), token))
    for secrets, opens in ((f"{SECRET_KEY}, old", True), (SECRET_KEY, False), ("", False)):
        call = Caller(app_with(billing_on(database_url, secret_keys=secrets)), token)
        response = call("GET", f"{NATIVE}/ledger?cursor={cursor}")
        assert (response.status_code == 200) is opens
