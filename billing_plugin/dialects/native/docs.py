"""Native: the OpenAPI document, and a page that shows it with scripts of our own, no CDN."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from flask import Blueprint, Response, current_app, request, send_from_directory

from billing_plugin.dialects.dialect import mount_name
from billing_plugin.dialects.native.face import ErrorEnvelope, native
from billing_plugin.dialects.openapi import document
from billing_plugin.dialects.wire import reply

STATIC = Path(__file__).parent / "static"
TITLE = "Billing API"
POLICY = "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:"
_PAGE = """<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><title>Billing API</title>
<link rel="stylesheet" href="docs/swagger-ui.css"></head>
<body><div id="docs"></div>
<script src="docs/swagger-ui-bundle.js"></script><script src="docs/start.js"></script></body>
</html>
"""
_documents: dict[str, dict[str, Any]] = {}


def openapi_document() -> Response:
    """The OpenAPI 3.1 document of the native face."""
    prefix = request.path.removesuffix("/openapi.json")
    key = f"{id(current_app)}{mount_name()}{prefix}"
    if key not in _documents:
        _documents[key] = document(native, prefix, title=TITLE, error_schema=ErrorEnvelope)
    return reply(_documents[key])


def docs_page() -> Response:
    """The page for people."""
    response = Response(_PAGE, mimetype="text/html")
    response.headers["Content-Security-Policy"] = POLICY
    return response


def docs_asset(name: str) -> Response:
    """A script or style of the page; Swagger UI 5, shipped with us (Apache-2.0)."""
    response = send_from_directory(STATIC, name)
    response.headers["Cache-Control"] = "public, max-age=86400"
    return response


# Added as a plain blueprint does it, so that the document does not describe itself.
for _rule, _view in (
    ("/openapi.json", openapi_document),
    ("/docs", docs_page),
    ("/docs/<name>", docs_asset),
):
    Blueprint.add_url_rule(native, _rule, _view.__name__, _view)
