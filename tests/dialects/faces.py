"""Every route of every face with a good request, and what a refusal looks like on each face."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from flask import Flask, Request
from jsonschema import Draft202012Validator, FormatChecker

from billing_plugin import Actor, Billing, Money, operations
from billing_plugin.context import write_transaction
from billing_plugin.models.topups import TopUp
from billing_plugin.money import Exact
from billing_plugin.operations import Usage, invoicing
from billing_plugin.operations.catalogue import OPERATOR_SCOPES
from billing_plugin.operations.drafts import ItemDraft
from billing_plugin.providers.fake import FakeProvider
from tests.factories import Caller, account_with, token_of
from tests.focus_files import good_file

NATIVE, CONDUIT, SPIDERIQ = "/api/v1/billing", "/api/billing", "/api/v1/integrations"
PREFIXES = {"native": NATIVE, "conduit": CONDUIT, "spideriq": SPIDERIQ}
SECRET = "canary-of-a-vendor-key"
ADJUST, HOLDS = "adjustments:write", "holds:write"
ASK, APPROVE = "limits:request", "limits:approve"
PAST = "?at=2026-03-09T14:31:00Z"
EXTEND = {"expiresInS": 60}
DESK = {"X-Desk": "open"}  # by which the tests' host knows its own staff
USE = {"model": "gpt-4o", "provider": "openai", "inputTokens": 1000}
# Words that only a trace, a statement or a secret would bring into an answer or a log.
LEAKS = (
    *("Traceback", 'File "', "psycopg", "sqlite3", "peewee", "billing_account", "billing_usage"),
    *("SELECT ", "INSERT ", "UPDATE ", "secret_hash", SECRET),
)


@dataclass(frozen=True)
class Route:
    """One operation of one face, and a request that succeeds."""

    face: str
    method: str
    path: str
    scope: str
    json: dict[str, Any] | None = None
    status: int = 200
    about: str = field(default="", compare=False)  # which of another account's ids fits the path
    query: str = ""
    csv: str = ""  # the body, where it is no JSON

    @property
    def sent(self) -> dict[str, Any]:
        """The body as a client is told."""
        return {"data": self.csv, "content_type": "text/csv"} if self.csv else {"json": self.json}

    @property
    def name(self) -> str:
        """For messages."""
        return f"{self.method} {self.path}"

    def at(self, identifier: str = "nobody") -> str:
        """The path with that id, and the query without which it is not asked."""
        return re.sub(r"<\w+>", lambda _: identifier, self.path) + self.query

    @property
    def for_operators(self) -> bool:
        """Whether no key of an account can hold its scope."""
        return self.scope in OPERATOR_SCOPES


CENT = {"amountCents": 1}
DAYS = {"from": "2026-03-01", "to": "2026-03-09"}
PRICE = {"provider": "p", "model": "m", "prices": {"input_tokens": "0.0000025"}}
MARK = {"status": "paid"}
LASTING = {"amountCents": 1, "lastsS": 60}
ITEM = {"name": "Disk", "amount": 1050}
REF = "?provider=p&providerRef=r"
ROUTES = [
    Route("native", "GET", f"{NATIVE}/account", "balance:read"),
    Route("native", "PUT", f"{NATIVE}/account/postpaid", "accounts:write", CENT),
    Route("native", "GET", f"{NATIVE}/accounts", "accounts:write"),
    Route("native", "POST", f"{NATIVE}/accounts", "accounts:write", {"name": "New"}, 201),
    Route("native", "GET", f"{NATIVE}/balance", "balance:read"),
    Route("native", "GET", f"{NATIVE}/balance/past", "balance:read", query=PAST),
    Route("native", "GET", f"{NATIVE}/ledger", "ledger:read"),
    Route("native", "GET", f"{NATIVE}/ledger/<entry_id>", "ledger:read", about="entry"),
    Route("native", "POST", f"{NATIVE}/ledger/<entry_id>/reversal", ADJUST, {}, 201, "entry"),
    Route("native", "POST", f"{NATIVE}/ledger/<entry_id>/refunds", ADJUST, CENT, 201, "entry"),
    Route("native", "POST", f"{NATIVE}/adjustments", ADJUST, CENT, 201),
    Route("native", "GET", f"{NATIVE}/credits", "balance:read"),
    Route("native", "POST", f"{NATIVE}/credits", ADJUST, CENT, 201),
    Route("native", "GET", f"{NATIVE}/holds", "balance:read"),
    Route("native", "POST", f"{NATIVE}/holds", "holds:write", CENT, 201),
    Route("native", "GET", f"{NATIVE}/holds/<hold_id>", "balance:read", about="hold"),
    Route("native", "POST", f"{NATIVE}/holds/<hold_id>/capture", HOLDS, {}, about="hold"),
    Route("native", "POST", f"{NATIVE}/holds/<hold_id>/release", HOLDS, {}, about="hold"),
    Route("native", "POST", f"{NATIVE}/holds/<hold_id>/extend", HOLDS, EXTEND, about="hold"),
    Route("native", "GET", f"{NATIVE}/usage", "reports:read"),
    Route("native", "POST", f"{NATIVE}/usage", "usage:write", json=USE, status=201),
    Route("native", "POST", f"{NATIVE}/usage/batch", "usage:write", json={"records": [USE]}),
    Route("native", "GET", f"{NATIVE}/usage/<record_id>", "reports:read", about="record"),
    Route("native", "POST", f"{NATIVE}/usage/rerating", ADJUST, json=DAYS),
    Route("native", "GET", f"{NATIVE}/limits", "limits:read"),
    Route("native", "POST", f"{NATIVE}/limits", "limits:write", {"amountCents": 5000}, 201),
    Route("native", "GET", f"{NATIVE}/limits/<limit_id>", "limits:read", about="limit"),
    Route("native", "PATCH", f"{NATIVE}/limits/<limit_id>", "limits:write", CENT, about="limit"),
    Route("native", "DELETE", f"{NATIVE}/limits/<limit_id>", "limits:write", about="limit"),
    Route("native", "GET", f"{NATIVE}/limits/<limit_id>/notices", "limits:read", about="limit"),
    Route("native", "POST", f"{NATIVE}/limits/<limit_id>/raises", ASK, LASTING, 201, "limit"),
    Route("native", "GET", f"{NATIVE}/raises", "limits:read"),
    Route("native", "GET", f"{NATIVE}/raises/<raise_id>", "limits:read", about="raise"),
    Route("native", "POST", f"{NATIVE}/raises/<raise_id>/approve", APPROVE, {}, about="raise"),
    Route("native", "POST", f"{NATIVE}/raises/<raise_id>/deny", APPROVE, {}, about="raise"),
    Route("native", "GET", f"{NATIVE}/prices", "prices:read"),
    Route("native", "POST", f"{NATIVE}/prices", "prices:write", PRICE, 201),
    Route("native", "POST", f"{NATIVE}/prices/<price_id>/end", "prices:write", {}, about="price"),
    Route("native", "GET", f"{NATIVE}/changes", "ledger:read"),
    Route("native", "POST", f"{NATIVE}/topups", "topups:write", {"amount": "5.00"}, 201),
    Route("native", "GET", f"{NATIVE}/topups", "topups:read"),
    Route("native", "GET", f"{NATIVE}/topups/<topup_id>", "topups:read", about="topup"),
    Route("native", "POST", f"{NATIVE}/topups/<topup_id>/check", "topups:read", about="topup"),
    Route("native", "GET", f"{NATIVE}/invoices", "invoices:read"),
    Route("native", "GET", f"{NATIVE}/invoices/preview", "invoices:read"),
    Route("native", "GET", f"{NATIVE}/invoices/<invoice_id>", "invoices:read", about="invoice"),
    Route("native", "GET", f"{NATIVE}/invoices/<invoice_id>/pdf", "invoices:read", about="invoice"),
    Route("native", "POST", f"{NATIVE}/invoices/<invoice_id>/mark", ADJUST, MARK, about="invoice"),
    Route("native", "GET", f"{NATIVE}/credit-notes", "invoices:read"),
    Route("native", "GET", f"{NATIVE}/spend", "reports:read"),
    Route("native", "GET", f"{NATIVE}/items", "items:read"),
    Route("native", "POST", f"{NATIVE}/items", "items:write", ITEM, 201),
    Route("native", "GET", f"{NATIVE}/items/by-provider-ref", "items:read", query=REF),
    Route("native", "GET", f"{NATIVE}/items/<item_id>", "items:read", about="item"),
    Route("native", "PUT", f"{NATIVE}/items/<item_id>", "items:write", {}, about="item"),
    Route("native", "DELETE", f"{NATIVE}/items/<item_id>", "items:write", about="item"),
    Route("native", "GET", f"{NATIVE}/categories", "items:read"),
    Route("native", "POST", f"{NATIVE}/categories", "items:write", {"name": "New"}, 201),
    Route("native", "GET", f"{NATIVE}/categories/<id_or_name>", "items:read", about="category"),
    Route("native", "PUT", f"{NATIVE}/categories/<id_or_name>", "items:write", {}, 200, "category"),
    Route("native", "DELETE", f"{NATIVE}/categories/<id_or_name>", "items:write", about="category"),
    Route("native", "GET", f"{NATIVE}/reports/summary", "reports:read"),
    Route("native", "GET", f"{NATIVE}/reports/breakdown", "reports:read"),
    Route("native", "GET", f"{NATIVE}/reports/trend", "reports:read"),
    Route(
        "native",
        "GET",
        f"{NATIVE}/reports/series",
        "reports:read",
        query="?from=2026-03-01&to=2026-03-02",
    ),
    Route("native", "GET", f"{NATIVE}/reports/forecast", "reports:read"),
    Route("native", "GET", f"{NATIVE}/reports/anomalies", "reports:read"),
    Route("native", "GET", f"{NATIVE}/reports/recurring", "reports:read"),
    Route("native", "GET", f"{NATIVE}/reports/run-out", "balance:read"),
    Route("native", "POST", f"{NATIVE}/imports/focus", "items:write", csv=good_file()),
    Route("native", "GET", f"{NATIVE}/exports/focus", "items:read"),
    Route("native", "GET", f"{NATIVE}/status", "reports:read"),
    Route("native", "GET", f"{NATIVE}/search", "items:read", query="?q=disk"),
    Route("native", "POST", f"{NATIVE}/sync", "integrations:sync", json={}, status=202),
    Route("native", "GET", f"{NATIVE}/sync/jobs", "integrations:read"),
    Route("native", "GET", f"{NATIVE}/sync/jobs/<job_id>", "integrations:read", about="job"),
    Route("conduit", "GET", f"{CONDUIT}/balance", "balance:read"),
    Route("conduit", "GET", f"{CONDUIT}/ledger", "ledger:read"),
    Route("spideriq", "POST", f"{SPIDERIQ}/sync-billing", "integrations:sync"),
]
PUBLIC = [f"{NATIVE}/openapi.json", f"{NATIVE}/docs", f"{NATIVE}/docs/<name>"]
BODY_ROUTES = [route for route in ROUTES if route.json is not None]
ID_ROUTES = [route for route in ROUTES if route.about]


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
    topup = operations.top_up(actor, account, Money.from_cents(500))
    return {
        "limit": limit.id,
        "price": price.id,
        "topup": topup.id,
        "invoice": disputed_invoice(actor, topup),
        "job": operations.request_sync(actor, account).id,
        "hold": operations.hold(actor, account, Money.from_cents(500)).hold.id,
        "raise": wish.id,
        "item": item.id,
        "category": operations.create_category(actor, account, f"Cost of {item.id}").id,
        "record": str(record and record.id),
        "entry": str(record and record.entry_id),
    }


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
