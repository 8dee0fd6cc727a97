"""ETags of limits: a lost update is refused, what was seen is not sent again, spending is seen."""

from __future__ import annotations

from typing import Any

import pytest
from flask import Flask

from billing_plugin.dialects.native.etags import expected_revisions, tagged
from billing_plugin.dialects.wire import reply
from tests.dialects.faces import assert_refused, data
from tests.dialects.routes import NATIVE
from tests.factories import Caller

PATH = f"{NATIVE}/limits"


@pytest.fixture
def made(call: Caller) -> Any:
    return call("POST", PATH, json={"amountCents": 500})


def test_the_revision_stands_first_in_the_tag(call: Caller, made: Any) -> None:
    one = f"{PATH}/{made.json['data']['id']}"
    assert made.headers["ETag"].startswith('"1.')
    assert call("GET", one).headers["ETag"] == made.headers["ETag"]
    changed = call("PATCH", one, json={"amountCents": 400})
    assert changed.headers["ETag"].startswith('"2.')
    assert call("GET", one).headers["ETag"] == changed.headers["ETag"]


@pytest.mark.parametrize("method", ["PATCH", "DELETE"])
def test_a_change_of_what_is_seen_goes_through_and_any_other_does_not(
    call: Caller, made: Any, method: str
) -> None:
    one, seen = f"{PATH}/{made.json['data']['id']}", made.headers["ETag"]
    body = {"json": {"name": "x"}} if method == "PATCH" else {}
    bad = ['"0"', '"2.aaaa"', f"W/{seen}", '"x"', '""', '"1 "', f'"{"9" * 40}"', '"\u00b2"', ","]
    for tag in bad:
        refused = call(method, one, headers={"If-Match": tag}, **body)
        assert_refused(refused, "native", 412, "PRECONDITION_FAILED")
    assert call("GET", one).headers["ETag"] == seen
    good = f'"7", {seen}'
    assert call(method, one, headers={"If-Match": good}, **body).status_code == 200


@pytest.mark.parametrize("tag", ["*", '"1"'])
def test_a_star_and_the_bare_revision_match(call: Caller, made: Any, tag: str) -> None:
    one = f"{PATH}/{made.json['data']['id']}"
    changed = call("PATCH", one, json={"name": "x"}, headers={"If-Match": tag})
    assert data(changed)["revision"] == 2


def test_spending_meanwhile_does_not_refuse_a_change(call: Caller, made: Any) -> None:
    one = f"{PATH}/{made.json['data']['id']}"
    data(call("POST", f"{NATIVE}/usage", json={"model": "m", "cost": "1"}), 201)
    changed = call("PATCH", one, json={"name": "x"}, headers={"If-Match": made.headers["ETag"]})
    assert data(changed)["spent"]["amount"] == "1.00"


def test_the_second_of_two_writers_is_refused(call: Caller, made: Any) -> None:
    one, seen = f"{PATH}/{made.json['data']['id']}", {"If-Match": made.headers["ETag"]}
    data(call("PATCH", one, json={"amountCents": 400}, headers=seen))
    refused = call("PATCH", one, json={"amountCents": 600}, headers=seen)
    assert_refused(refused, "native", 412, "PRECONDITION_FAILED")
    assert data(call("GET", one))["amount"]["cents"] == 400


def test_what_was_seen_is_not_sent_again_until_something_is_spent(call: Caller, made: Any) -> None:
    one = f"{PATH}/{made.json['data']['id']}"
    for tag in (made.headers["ETag"], f"W/{made.headers['ETag']}", f'"x", {made.headers["ETag"]}'):
        seen = call("GET", one, headers={"If-None-Match": tag})
        assert (seen.status_code, seen.data) == (304, b"")
        assert seen.headers["ETag"] == made.headers["ETag"]
        assert "Content-Type" not in seen.headers
    data(call("POST", f"{NATIVE}/usage", json={"model": "m", "cost": "1"}), 201)
    again = call("GET", one, headers={"If-None-Match": made.headers["ETag"]})
    assert data(again)["spent"]["amount"] == "1.00"
    assert call("GET", one, headers={"If-None-Match": '"x"'}).status_code == 200


def test_revisions_are_read_from_the_header() -> None:
    for text, expected in (("*", None), ('"3", "5.x"', {3, 5}), ('W/"3"', set()), ("", set())):
        with Flask("x").test_request_context(headers={"If-Match": text}):
            assert expected_revisions() == expected
    with Flask("x").test_request_context():
        assert expected_revisions() is None
        assert tagged(reply({}), 3).headers["ETag"].startswith('"3.')
