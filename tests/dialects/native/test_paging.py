"""Cursors: every list is seen whole and once, whatever is added meanwhile; none can be made up."""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import Any

import pytest
from flask import Flask

from billing_plugin import Actor, Billing, Money, operations
from billing_plugin.dialects.native.face import META
from billing_plugin.dialects.native.paging import Listing, pages
from billing_plugin.dialects.openapi import TEXT
from billing_plugin.operations import Usage
from billing_plugin.vault import new_key
from tests.dialects.faces import DESK, assert_refused, data, fits, staffed
from tests.dialects.routes import NATIVE, PRICE, ROUTES
from tests.factories import Caller, account_with, app_with, billing_on, token_of

LISTS = (
    *("ledger", "holds", "usage", "raises", "changes", "changes?money=true", "accounts"),
    "prices",
)


def filled(actor: Actor, times: int) -> None:
    """So many entries, uses, holds, raises, changes and prices."""
    account = str(actor.account_id)
    limit = operations.set_limit(actor, account, Money.parse("90")).limit
    for _ in range(times):
        operations.record_usage(actor, account, Usage("m", cost=Money.parse("0.01")))
        made = operations.hold(actor, account, Money.parse("0.01")).hold
        operations.extend(actor, account, made.id, expires_in_s=60)
        operations.set_price(operations.operator(actor.instance), **PRICE)
        operations.request_limit_raise(
            actor, account, limit.id, amount=Money.parse("1"), lasts_s=60
        )


def walk(call: Caller, path: str, *, limit: int, between: Any = lambda: None) -> list[str]:
    """The ids of a list, page by page."""
    found: list[str] = []
    cursor: str | None = ""
    while cursor is not None:
        glue = "&" if "?" in path else "?"
        more = f"{glue}limit={limit}" + (f"&cursor={cursor}" if cursor else "")
        response = call("GET", f"{NATIVE}/{path}{more}", headers=DESK if "acc" in path else {})
        found += [one["id"] for one in data(response)]
        cursor = fits(META, response.json["meta"])["nextCursor"]
        between()
    return found


@pytest.mark.parametrize("path", LISTS)
def test_pages_are_the_whole_and_new_things_shift_nothing(
    billing: Billing, actor: Actor, call: Caller, path: str
) -> None:
    staffed(billing)
    filled(actor, 5)
    whole = walk(call, path, limit=100)
    assert len(whole) >= (2 if path == "accounts" else 5) - 1

    def between() -> None:
        filled(actor, 1)
        account_with(billing)

    assert walk(call, path, limit=2, between=between) == whole
    assert len(set(whole)) == len(whole)


def test_every_list_with_a_cursor_is_tested() -> None:
    tested = {f"{NATIVE}/{path.partition('?')[0]}" for path in LISTS}
    assert tested <= {route.path for route in ROUTES}


def cursor_of(call: Caller, path: str = "ledger?limit=1") -> str:
    found: str = call("GET", f"{NATIVE}/{path}").json["meta"]["nextCursor"]
    return found


def test_an_altered_cursor_is_refused(call: Caller) -> None:
    cursor = cursor_of(call)
    raw = urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
    for place in range(len(raw)):
        bad = bytes([*raw[:place], raw[place] ^ 1, *raw[place + 1 :]])
        text = urlsafe_b64encode(bad).decode().rstrip("=")
        refused = call("GET", f"{NATIVE}/ledger?cursor={text}")
        told = assert_refused(refused, "native", 400, "VALIDATION_ERROR")
        assert set(told["fields"]) == {"cursor"}


def test_a_cursor_belongs_to_its_account_list_and_filters(
    billing: Billing, actor: Actor, call: Caller
) -> None:
    filled(actor, 2)
    cursor = cursor_of(call)
    other = Caller(app_with(billing), token_of(billing, account_with(billing, "5")))
    assert_refused(
        other("GET", f"{NATIVE}/ledger?cursor={cursor}"), "native", 400, "VALIDATION_ERROR"
    )
    for path in ("holds", "usage", "raises", "changes", "prices"):
        refused = call("GET", f"{NATIVE}/{path}?cursor={cursor}")
        assert_refused(refused, "native", 400, "VALIDATION_ERROR")
    held = cursor_of(call, "holds?limit=1&status=open")
    assert data(call("GET", f"{NATIVE}/holds?status=open&cursor={held}"))
    refused = call("GET", f"{NATIVE}/holds?status=captured&cursor={held}")
    assert_refused(refused, "native", 400, "VALIDATION_ERROR")


def test_a_cursor_outlives_a_change_of_keys_while_the_old_one_is_named(database_url: str) -> None:
    old, new = new_key(), new_key()
    first = billing_on(database_url, secret_keys=old)
    actor = account_with(first, "5")
    token = token_of(first, actor)
    cursor = cursor_of(Caller(app_with(first), token))
    for keys, status in ((f"{new},{old}", 200), (new, 400), ("", 400)):
        system = billing_on(database_url, secret_keys=keys)
        call = Caller(app_with(system), token)
        assert call("GET", f"{NATIVE}/ledger?cursor={cursor}").status_code == status


def test_a_cursor_and_an_offset_exclude_each_other(call: Caller) -> None:
    refused = call("GET", f"{NATIVE}/ledger?offset=1&cursor={cursor_of(call)}")
    assert_refused(refused, "native", 400, "VALIDATION_ERROR")


def test_a_page_that_is_not_full_is_the_last() -> None:
    with Flask("x").app_context():
        listing = Listing("things", "acct_1", {"limit": 3, "cursor": None})
        assert listing.answer([1, 2], str, str).json == {
            "success": True,
            "data": ["1", "2"],
            "meta": {"nextCursor": None},
        }
    assert pages(TEXT)["type"] == "array"
