"""What every face shares: errors in its shape, keys, request ids, headers."""

from __future__ import annotations

import logging
from typing import Any

import pytest
from flask import Flask, abort, make_response, request
from werkzeug.exceptions import ServiceUnavailable, TooManyRequests, default_exceptions

from billing_plugin import Actor, Billing, operations
from billing_plugin.errors import LimitExceeded, RateLimited, StorageUnavailable
from tests.dialects.faces import assert_refused
from tests.dialects.routes import CONDUIT, NATIVE, PREFIXES, SPIDERIQ
from tests.factories import Caller, app_with, token_of

PATHS = {
    "native": ("GET", f"{NATIVE}/balance"),
    "conduit": ("GET", f"{CONDUIT}/balance"),
    "spideriq": ("POST", f"{SPIDERIQ}/sync-billing"),
}
BUG = "SELECT secret FROM billing_account"


@pytest.fixture
def app(billing: Billing) -> Flask:
    return app_with(billing)


@pytest.fixture(params=PATHS)
def face(request: pytest.FixtureRequest) -> str:
    found: str = request.param
    return found


def failing(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    """Every operation that the asked routes call raises the error."""

    def fail(*_: Any, **__: Any) -> None:
        raise error

    for name in ("check_balance", "sync_integrations"):
        monkeypatch.setattr(operations, name, fail)


def ask(app: Flask, token: str, face: str) -> Any:
    method, path = PATHS[face]
    return Caller(app, token)(method, path)


def test_a_bug_is_masked_and_logged(
    app: Flask,
    billing: Billing,
    actor: Actor,
    face: str,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    failing(monkeypatch, ValueError(BUG))
    refused = ask(app, token_of(billing, actor), face)
    told = assert_refused(refused, face, 500, "INTERNAL_ERROR")
    assert told["message"] == "Something went wrong on our side."
    assert BUG not in refused.text
    [logged] = [one for one in caplog.records if "ValueError in" in one.getMessage()]
    assert logged.name == "billing_plugin"
    assert logged.exc_info is None
    assert BUG not in caplog.text
    assert refused.headers["X-Request-Id"] in logged.getMessage()


def test_the_details_of_an_error_are_logged_and_never_shown(
    app: Flask,
    billing: Billing,
    actor: Actor,
    face: str,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    failing(monkeypatch, StorageUnavailable("The database is away.", details="host db-7"))
    refused = ask(app, token_of(billing, actor), face)
    assert_refused(refused, face, 503, "STORAGE_UNAVAILABLE")
    assert "db-7" not in refused.text
    assert "db-7" in caplog.text


@pytest.mark.parametrize(
    ("error", "statuses", "retry"),
    [
        (RateLimited("Later.", extra={"retry_after_s": 7}), (429, 429, 429), "7"),
        (LimitExceeded("Spent.", extra={"limit_id": "lim_1"}), (402, 429, 402), None),
    ],
)
def test_statuses_and_headers_of_errors(
    app: Flask,
    billing: Billing,
    actor: Actor,
    monkeypatch: pytest.MonkeyPatch,
    error: Exception,
    statuses: tuple[int, int, int],
    retry: str | None,
) -> None:
    failing(monkeypatch, error)
    token = token_of(billing, actor)
    answers = [ask(app, token, face) for face in ("native", "conduit", "spideriq")]
    assert tuple(answer.status_code for answer in answers) == statuses
    assert {answer.headers.get("Retry-After") for answer in answers} == {retry}


@pytest.mark.parametrize("status", sorted(default_exceptions))
def test_what_a_host_aborts_is_told_in_the_faces_shape(
    billing: Billing, face: str, status: int
) -> None:
    """Even where the host has a page for that code."""
    app = Flask("host")
    app.register_error_handler(status, lambda error: ("the host's page", status))
    app.before_request(lambda: abort(status))
    billing.init_app(app)
    method, path = PATHS[face]
    refused = app.test_client().open(path, method=method)
    assert refused.mimetype == "application/json"
    assert set(refused.json) >= {"error"}
    # What has no class of its own is a bad request or a bug, never a success.
    assert refused.status_code in (status, 422 if face == "spideriq" else 400, 500)
    assert (refused.status_code >= 500) == (status >= 500)


@pytest.mark.parametrize("error", [TooManyRequests, ServiceUnavailable])
def test_when_to_come_back_is_kept(billing: Billing, error: Any) -> None:
    app = Flask("host")

    @app.before_request
    def refuse() -> None:
        raise error(retry_after=17)

    billing.init_app(app)
    refused = app.test_client().get(f"{NATIVE}/balance")
    assert (refused.status_code, refused.headers["Retry-After"]) == (error.code, "17")


def test_a_response_that_the_host_aborts_with_is_its_own(billing: Billing) -> None:
    app = Flask("host")
    app.before_request(lambda: abort(make_response("closed for the night", 503)))
    billing.init_app(app)
    assert app.test_client().get(f"{NATIVE}/balance").text == "closed for the night"


def test_a_request_id_is_taken_over_where_it_is_well_formed(app: Flask, face: str) -> None:
    method, path = PATHS[face]
    client = app.test_client()
    for given in ("mine", "a.b-c_9", "x" * 100):
        headers = {"X-Request-Id": given}
        answer = client.open(path, method=method, headers=headers)
        assert answer.headers["X-Request-Id"] == given
    for given in ("", "x" * 101, "a b", "a\tb", "é", "<script>", '"'):
        headers = {"X-Request-Id": given}
        answer = client.open(path, method=method, headers=headers)
        assert answer.headers["X-Request-Id"].startswith("req_")


def test_every_answer_has_an_id_of_its_own(app: Flask) -> None:
    answers = [app.test_client().get(f"{NATIVE}/nothing") for _ in range(3)]
    assert len({answer.headers["X-Request-Id"] for answer in answers}) == 3


def test_a_ledger_entry_carries_the_request_id(app: Flask, billing: Billing, actor: Actor) -> None:
    call = Caller(app, token_of(billing, actor))
    body = {"model": "m", "cost": "1.00"}
    call("POST", f"{NATIVE}/usage", json=body, headers={"X-Request-Id": "trace-me"})
    [entry, *_] = operations.list_entries(actor, str(actor.account_id))
    assert entry.request_id == "trace-me"
    assert entry.key_id


def test_answers_are_not_cached_or_sniffed(app: Flask, billing: Billing, actor: Actor) -> None:
    token = token_of(billing, actor)
    for face in PATHS:
        for key in (token, "nobody"):
            headers = ask(app, key, face).headers
            assert headers["Cache-Control"] == "no-store"
            assert headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize("word", ["Bearer", "bearer", "BEARER"])
def test_the_scheme_is_written_in_any_case(
    app: Flask, billing: Billing, actor: Actor, face: str, word: str
) -> None:
    method, path = PATHS[face]
    headers = {"Authorization": f"{word}  {token_of(billing, actor)} "}
    assert app.test_client().open(path, method=method, headers=headers).status_code == 200


def test_a_trailing_slash_is_forgiven(app: Flask, billing: Billing, actor: Actor) -> None:
    call = Caller(app, token_of(billing, actor))
    for path in (f"{NATIVE}/limits/", f"{CONDUIT}/ledger/"):
        assert call("GET", path).status_code == 200
    assert call("POST", f"{SPIDERIQ}/sync-billing/").status_code == 200


def test_redirects_under_the_prefix_are_the_hosts(app: Flask) -> None:
    answer = app.test_client().get("/api//v1/billing/balance")
    assert (answer.status_code, answer.mimetype) == (308, "text/html")


def test_our_limit_of_a_body_is_not_the_hosts(app: Flask, billing: Billing) -> None:
    @app.post("/host")
    def host() -> str:
        return str(request.max_content_length)

    assert app.test_client().post("/host").text == "None"


def test_refusals_are_not_logged_as_errors(
    app: Flask, caplog: pytest.LogCaptureFixture, face: str
) -> None:
    with caplog.at_level(logging.DEBUG, logger="billing_plugin"):
        app.test_client().get(f"{PREFIXES[face]}/nothing")
        ask(app, "nobody", face)
    assert not caplog.records
