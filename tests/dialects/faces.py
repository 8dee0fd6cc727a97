"""Accounts with something of every route, and what a refusal looks like on each face."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from flask import Flask, Request
from jsonschema import Draft202012Validator, FormatChecker

from billing_plugin import Actor, Billing, Money, operations
from billing_plugin.context import write_transaction
from billing_plugin.models.topups import TopUp
from billing_plugin.money import Exact
from billing_plugin.operations import Usage, invoicing
from billing_plugin.operations.drafts import ItemDraft
from billing_plugin.periods import parse_time
from billing_plugin.providers.fake import FakeProvider
from tests.dialects.routes import EVER, HOOK, PRICE, Route
from tests.factories import Caller, account_with, token_of

SECRET = "canary-of-a-vendor-key"
DESK = {"X-Desk": "open"}  # by which the tests' host knows its own staff
# Words that only a trace, a statement or a secret would bring into an answer or a log.
LEAKS = (
    *("Traceback", 'File "', "psycopg", "sqlite3", "peewee", "billing_account", "billing_usage"),
    *("SELECT ", "INSERT ", "UPDATE ", "secret_hash", SECRET),
)


def used_rules(app: Flask) -> set[tuple[str, str]]:
    """(method, rule) of everything the mount serves."""
    automatic = {"HEAD", "OPTIONS"}
    return {
        (method, rule.rule)
        for rule in app.url_map.iter_rules()
        if rule.endpoint.startswith("billing.")
        for method in (rule.methods or set()) - automatic
    }


def ids_of(actor: Actor) -> dict[str, str]:
    """One of each thing of the account that has an id."""
    account = str(actor.account_id)
    limit = operations.set_limit(actor, account, Money.from_cents(999_900)).limit
    used = Usage(model="m", cost=Money.parse("0.5"))
    record = operations.record_usage(actor, account, used).record
    wish = operations.request_limit_raise(
        actor, account, limit.id, amount=Money.parse("1"), lasts_s=60
    )
    item = operations.create_item(actor, account, ItemDraft("x", Exact(1))).item
    price = operations.set_price(operations.operator(actor.instance), **PRICE, account_id=account)
    endpoint = operations.add_webhook_endpoint(actor, account, HOOK)
    since, until = map(parse_time, EVER.values())
    operations.replay_events(actor, account, endpoint.id, since=since, until=until)
    [delivery, *_] = operations.list_webhook_deliveries(actor, account, endpoint.id)
    topup = operations.top_up(actor, account, Money.from_cents(500))
    return {
        "limit": limit.id,
        "endpoint": endpoint.id,
        "delivery": delivery.id,
        "price": price.id,
        "topup": topup.id,
        "method": method_of(actor),
        "invoice": disputed_invoice(actor, topup),
        "job": operations.request_sync(actor, account).id,
        "hold": operations.hold(actor, account, Money.from_cents(500)).hold.id,
        "raise": wish.id,
        "item": item.id,
        "category": operations.create_category(actor, account, f"Cost of {item.id}").id,
        "record": str(record and record.id),
        "entry": str(record and record.entry_id),
    }


def method_of(actor: Actor) -> str:
    """A stored payment method of the account."""
    begun = operations.begin_payment_method(actor, str(actor.account_id))
    return str(actor.instance.processor.confirm(begun.client_secret))


def disputed_invoice(actor: Actor, topup: TopUp) -> str:
    """The invoice of a top-up whose money a bank has taken back: it is open."""
    [invoice] = operations.list_invoices(actor, str(actor.account_id), limit=1)
    with actor.instance.active(), write_transaction():
        invoicing.follow(
            topup, invoicing.DISPUTED, fact_id=f"dispute of {topup.id}", amount=topup.amount,
            at=actor.instance.clock(),
        )  # fmt: skip
    return str(invoice.id)


def staffed(billing: Billing) -> None:
    """Has the host know its staff, who act as operators; all others are asked for a key."""

    def who_asks(request: Request) -> Actor | None:
        return billing.operator() if request.headers.get("X-Desk") == "open" else None

    billing.authenticate = who_asks


def busy_account(billing: Billing) -> Actor:
    """An account with credit, a use, an item, and a connected vendor whose key is the canary."""
    actor = account_with(billing, "100")
    account = str(actor.account_id)
    operations.record_usage(actor, account, Usage(model="m", cost=Money.parse("0.5")))
    known = ItemDraft("Known by its provider", Exact(1), provider="p", provider_ref="r")
    operations.create_item(actor, account, known)
    operations.connect(actor, account, "fake", credentials={"api_key": SECRET})
    return actor


def providers() -> dict[str, FakeProvider]:
    """The fake provider under its name."""
    return {"fake": FakeProvider()}


def assert_refused(response: Any, face: str, status: int, *codes: str) -> dict[str, Any]:
    """The face's own shape, to the letter, with one of the codes; returns what it tells."""
    assert response.status_code == status, (response.status_code, response.text)
    assert response.content_type == "application/json"
    assert response.headers["X-Request-Id"]
    document = response.json
    told: dict[str, Any] = document["error"]
    _SHAPES[face](document, told, response)
    assert told["code"] in codes, told
    assert isinstance(told["message"], str)
    assert told["message"]
    if status == 401:
        assert response.headers["WWW-Authenticate"].startswith("Bearer")
    return told


def _native(document: dict[str, Any], told: dict[str, Any], response: Any) -> None:
    assert set(document) == {"success", "error"}
    assert document["success"] is False
    assert {"code", "message", "retryable", "requestId"} <= set(told)
    assert told["requestId"] == response.headers["X-Request-Id"]


def _conduit(document: dict[str, Any], told: dict[str, Any], response: Any) -> None:
    assert set(document) == {"error"}
    assert {"code", "message", "timestamp", "requestId"} <= set(told)
    assert set(told) <= {"code", "message", "timestamp", "requestId", "details"}
    assert told["requestId"] == response.headers["X-Request-Id"]


def _spideriq(document: dict[str, Any], told: dict[str, Any], response: Any) -> None:
    assert set(document) == {"error", "detail"}
    assert set(told) <= {"code", "message", "retry_after_seconds", "fields"}
    assert document["detail"] == told["message"]


_SHAPES = {"native": _native, "conduit": _conduit, "spideriq": _spideriq}
# The word of each face for the commonest refusals.
WORDS = {
    "native": {"invalid": "VALIDATION_ERROR", "key": "UNAUTHENTICATED"},
    "conduit": {"invalid": "VALIDATION_ERROR", "key": "API_KEY_INVALID"},
    "spideriq": {"invalid": "VALIDATION_ERROR", "key": "UNAUTHENTICATED"},
}
INVALID = {"native": 400, "conduit": 400, "spideriq": 422}


def every_row(billing: Billing) -> dict[str, list[Any]]:
    """The whole content of every table."""
    database: Any = billing.instance.database
    with billing.instance.active():
        return {
            table: sorted(database.execute_sql(f"SELECT * FROM {table}").fetchall(), key=repr)
            for table in database.get_tables()
        }


@contextmanager
def nothing_happens(billing: Billing, caplog: pytest.LogCaptureFixture) -> Iterator[list[Any]]:
    """No table changes, and no answer (put them in the list) or log tells what it must not."""
    before = every_row(billing)
    answers: list[Any] = []
    yield answers
    assert every_row(billing) == before
    told = caplog.text + "".join(answer.text + str(answer.headers) for answer in answers)
    assert not [leak for leak in LEAKS if leak in told]


class Asker:
    """Asks with the key of an account and keeps the answers; the key must not come back."""

    def __init__(self, app: Flask, billing: Billing, actor: Actor) -> None:
        self.token = token_of(billing, actor)
        self.caller = Caller(app, self.token)
        self.desk = {**DESK, "X-Billing-Account": str(actor.account_id)}
        staffed(billing)

    def route(self, answers: list[Any], route: Route, path: str = "", **options: Any) -> Any:
        """One request to a route, by an operator for the account where no key may."""
        if route.for_operators:
            options["headers"] = {**self.desk, **options.get("headers", {})}
        return self(answers, route.method, path or route.at(), **options)

    def __call__(self, answers: list[Any], method: str, path: str, **options: Any) -> Any:
        """One request, answered without the key."""
        response = self.caller(method, path, **options)
        assert self.token.split("_", 2)[2].encode() not in response.data
        answers.append(response)
        return response


def data(response: Any, status: int = 200) -> Any:
    """What a good answer of the native face holds."""
    assert response.status_code == status, response.text
    paged = {"meta"} if "meta" in response.json else set()
    assert set(response.json) == {"success", "data"} | paged
    assert response.json["success"] is True
    return response.json["data"]


def fits(shape: Any, document: Any) -> Any:
    """The document itself, held against the shape that the OpenAPI document states."""
    Draft202012Validator(shape, format_checker=FormatChecker()).validate(document)
    return document
