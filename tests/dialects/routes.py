"""Every route of every face, with a request that succeeds."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

from billing_plugin.operations.catalogue import OPERATOR_SCOPES
from tests.focus_files import good_file

NATIVE, CONDUIT, SPIDERIQ = "/api/v1/billing", "/api/billing", "/api/v1/integrations"
PREFIXES = {"native": NATIVE, "conduit": CONDUIT, "spideriq": SPIDERIQ}
ADJUST, HOLDS = "adjustments:write", "holds:write"
METHODS, METHOD = "payment_methods:write", f"{NATIVE}/payment-methods/<method_id>"
ASK, APPROVE = "limits:request", "limits:approve"
PAST = "?at=2026-03-09T14:31:00Z"
EXTEND = {"expiresInS": 60}
USE = {"model": "gpt-4o", "provider": "openai", "inputTokens": 1000}


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
    keyed: bool = True  # whether a POST is done once for an Idempotency-Key

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
AUTO = {"amountCents": 1000, "thresholdCents": 500}
ITEM = {"name": "Disk", "amount": 1050}
TELL, HOOKS, HOOK = "webhooks:write", f"{NATIVE}/webhooks", "https://hooks.example.com/in"
EVER = {"since": "2000-01-01T00:00:00Z", "until": "2100-01-01T00:00:00Z"}
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
    Route(
        "native",
        "POST",
        f"{NATIVE}/topups/<topup_id>/check",
        "topups:write",
        about="topup",
        keyed=False,
    ),
    Route("native", "GET", f"{NATIVE}/payment-methods", "payment_methods:read"),
    Route("native", "POST", f"{NATIVE}/payment-methods", METHODS, None, 201),
    Route("native", "PUT", f"{METHOD}/default", METHODS, about="method"),
    Route("native", "DELETE", METHOD, METHODS, about="method"),
    Route("native", "GET", f"{NATIVE}/billing-profile", "profile:read"),
    Route("native", "PUT", f"{NATIVE}/billing-profile", "profile:write", {}),
    Route("native", "PUT", f"{NATIVE}/account/low-balance", TELL, CENT),
    Route("native", "DELETE", f"{NATIVE}/account/low-balance", TELL),
    Route("native", "GET", HOOKS, "webhooks:read"),
    Route("native", "POST", HOOKS, TELL, {"url": HOOK}, 201),
    Route("native", "GET", f"{HOOKS}/<endpoint_id>", "webhooks:read", about="endpoint"),
    Route("native", "PATCH", f"{HOOKS}/<endpoint_id>", TELL, {"url": HOOK}, about="endpoint"),
    Route("native", "DELETE", f"{HOOKS}/<endpoint_id>", TELL, about="endpoint"),
    Route("native", "POST", f"{HOOKS}/<endpoint_id>/secret", TELL, {}, about="endpoint"),
    Route("native", "GET", f"{HOOKS}/<endpoint_id>/deliveries", "webhooks:read", about="endpoint"),
    Route("native", "POST", f"{HOOKS}/<endpoint_id>/replay", TELL, EVER, about="endpoint"),
    Route("native", "POST", f"{HOOKS}/deliveries/<delivery_id>/replay", TELL, {}, about="delivery"),
    Route("native", "GET", f"{NATIVE}/auto-topup", "topups:read"),
    Route("native", "PUT", f"{NATIVE}/auto-topup", "topups:write", AUTO),
    Route("native", "DELETE", f"{NATIVE}/auto-topup", "topups:write"),
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
