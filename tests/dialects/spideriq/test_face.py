"""The SpiderIQ face: its error envelope (US1) and its two forms of a key."""

from __future__ import annotations

import pytest

from billing_plugin import Actor, Billing
from billing_plugin.dialects.spideriq.face import SpiderIQ
from tests.dialects.faces import assert_refused, fits
from tests.dialects.routes import SPIDERIQ
from tests.factories import Caller, app_with, token_of

PATH = f"{SPIDERIQ}/sync-billing"


def test_an_error_has_a_code_a_message_and_the_older_detail(call: Caller) -> None:
    refused = call("POST", f"{PATH}?provider_name=")
    told = assert_refused(refused, "spideriq", 422, "VALIDATION_ERROR")
    assert list(fits(SpiderIQ.ERROR, refused.json)["error"]["fields"]) == ["provider_name"]
    assert refused.json["detail"] == told["message"]


def test_a_second_sync_says_when_to_come_back(call: Caller) -> None:
    assert call("POST", PATH).status_code == 200
    refused = call("POST", PATH)
    told = assert_refused(refused, "spideriq", 429, "RATE_LIMITED")
    fits(SpiderIQ.ERROR, refused.json)
    assert str(told["retry_after_seconds"]) == refused.headers["Retry-After"] == "60"


def three_parts(token: str, actor: Actor) -> str:
    """Our key in the form of that system's clients."""
    prefix, digits, secret = token.split("_", 2)
    return f"cli_{str(actor.account_id)[5:]}:{prefix}_{digits}:secret_{secret}"


def test_both_forms_of_a_key_open(billing: Billing, actor: Actor) -> None:
    app, token = app_with(billing), token_of(billing, actor)
    for form in (token, three_parts(token, actor)):
        assert Caller(app, form)("POST", PATH).status_code in (200, 429)


@pytest.mark.parametrize("wrong", ["cli", "sk", "secret"])
def test_each_of_the_three_parts_must_be_right(billing: Billing, actor: Actor, wrong: str) -> None:
    parts = three_parts(token_of(billing, actor), actor).split(":")
    spoiled = [part[:-1] + "0" * (part[-1] != "0") if part.startswith(wrong) else part
               for part in parts]  # fmt: skip
    spoiled = [
        part + "1" * (len(part) < len(old)) for part, old in zip(spoiled, parts, strict=True)
    ]
    assert spoiled != parts
    refused = Caller(app_with(billing), ":".join(spoiled))("POST", PATH)
    assert_refused(refused, "spideriq", 401, "UNAUTHENTICATED")
