"""Native: the OpenAPI document, and a page that shows it with scripts of our own, no CDN."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any
from urllib.parse import quote

from flask import Response, request, send_from_directory

from billing_plugin.dialects.native import auto_topups, items
from billing_plugin.dialects.native.face import native
from billing_plugin.dialects.native.shapes import AT_MOST_ONE, ONE_AMOUNT
from billing_plugin.dialects.openapi import document
from billing_plugin.dialects.wire import reply

ONE = (
    *("LimitBody", "TopUpBody", "AdjustmentBody", "CreditBody", "PostpaidBody", "RefundBody"),
    *("RaiseBody", "LowBalanceBody"),
)
AT_MOST = ("HoldBody", "CaptureBody", "LimitChangeBody")
RULES = (
    *((name, ONE_AMOUNT) for name in ONE),
    *((name, AT_MOST_ONE) for name in AT_MOST),
    ("AutoTopUpBody", auto_topups.ONE_OF_EACH),
    ("NewItemBody", items.ONE_AMOUNT),
    ("ItemBody", items.AT_MOST_ONE),
)
STATIC = Path(__file__).parent / "static"
TITLE = "Billing API"
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; connect-src 'self';"
    " img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_PAGE = """<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><title>Billing API</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<link rel="icon" href="data:,">
<link rel="stylesheet" href="docs/swagger-ui.css"></head>
<body><div id="docs"></div>
<script src="docs/swagger-ui-bundle.js"></script><script src="docs/start.js"></script></body>
</html>
"""


@native.view()
def openapi_document() -> Response:
    """The OpenAPI 3.1 document of the native face, as mounted here."""
    written = _document(request.path.rstrip("/").removesuffix("/openapi.json"))
    return reply({**written, "servers": [{"url": request.script_root or "/"}]})


@native.view()
def docs_page() -> Response:
    """The page for people, at one address: it names its scripts relative to itself."""
    if request.path.endswith("/"):
        return Response(status=308, headers={"Location": _here()})
    response = Response(_PAGE, mimetype="text/html")
    response.headers["Content-Security-Policy"] = POLICY
    return response


@native.view()
def docs_asset(name: str) -> Response:
    """A script or style of the page; Swagger UI 5, shipped with us (Apache-2.0)."""
    response = send_from_directory(STATIC, name)
    response.headers["Cache-Control"] = "public, max-age=86400"
    return response


def _here() -> str:
    return quote(request.script_root + request.path.rstrip("/"))


@lru_cache(maxsize=16)  # the face is one in every app; only where it is mounted differs
def _document(prefix: str) -> dict[str, Any]:
    written = document(native, prefix, title=TITLE)
    for body, rule in RULES:
        written["components"]["schemas"][body] |= rule
    return written
