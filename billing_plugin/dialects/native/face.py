"""The native face: `{success, data}` and `{success, error}`, camelCase, exact money as text.

A superset of the "Billing API" of seed 001. Cents stand beside every exact figure.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import marshmallow
from flask import Response, request
from marshmallow import Schema

from billing_plugin.dialects.dialect import Dialect, request_id
from billing_plugin.dialects.native import ROUTES
from billing_plugin.dialects.native.etags import ETAG
from billing_plugin.dialects.openapi import FLAG, TEXT, Shape, header, nullable, shape, word
from billing_plugin.dialects.wire import camel, reply
from billing_plugin.errors import BillingError, InvalidRequest

ERROR = Shape(
    shape(
        "ErrorBody",
        "What is told about an error; facts such as `limitId` or `fields` stand beside it.",
        code=TEXT,
        message=TEXT,
        retryable=FLAG,
        requestId=TEXT,
    )
    | {"additionalProperties": True}
)
# codes of seed 001 that are not our own in capitals
_CODES = {"invalid_request": "VALIDATION_ERROR", "category_exists": "CONFLICT"}
_KEY = re.compile("[!-~]{1,255}")
IDEMPOTENCY_KEY = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "description": "Makes it happen once, however often it is sent. Visible ASCII characters.",
    "schema": {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[!-~]+$"},
}
REPLAYED = header("`true` where an earlier call has done it, and this one nothing.", word("true"))
META = shape(
    "PageMeta",
    "`nextCursor` goes into `cursor` of the next request; null where the list ends.",
    nextCursor=nullable(TEXT),
)


class Beside(Shape):
    """A shape of data with something beside it: `meta`, of the shape `beside`."""

    beside: Shape = META


class Page(Beside):
    """The shape of a list that comes page by page."""


class Native(Dialect):
    """The product's own API."""

    PUBLIC = frozenset({"openapi_document", "docs_page", "docs_asset"})
    ERROR = shape("Error", "The envelope of every error.", success=Shape(const=False), error=ERROR)

    def write_error(self, error: BillingError) -> Response:
        """`{"success": false, "error": {...}}`; facts of the error stand beside its message."""
        code = _CODES.get(error.code) or error.code.upper()
        facts = {camel(name): value for name, value in error.extra.items()}
        body = {"code": code, "message": error.message, "retryable": error.retryable}
        return reply(
            {"success": False, "error": {**facts, **body, "requestId": request_id()}},
            self.status_of(error),
        )

    def token(self) -> str:
        """X-API-Key, or a bearer token."""
        return request.headers.get("X-API-Key", "") or super().token()

    def operation_id(self, name: str) -> str:
        """Plain, as this is the product's own API."""
        return camel(name)

    def success(self, content: Shape) -> Shape:
        """The envelope around what a route returns."""
        known = {"success": {"const": True}, "data": content}
        if isinstance(content, Beside):
            known["meta"] = content.beside
        return Shape(
            type="object", properties=known, required=list(known), additionalProperties=False
        )

    def headers(self, method: str, status: int, content: Shape | None) -> dict[str, Any]:
        """Whether it is a replay, of a POST; the ETag of whatever has a revision."""
        found = {"Idempotent-Replayed": REPLAYED} if method == "POST" else {}
        has_revision = "revision" in (content or Shape()).get("properties", {})
        return found | ({"ETag": ETAG} if has_revision or status == 304 else {})

    def _document(self, function: Callable[..., Any], **options: Any) -> None:
        """Every POST reads an Idempotency-Key."""
        if self._routes[function.__name__].startswith("POST "):
            options["headers"] = (*options.get("headers", ()), IDEMPOTENCY_KEY)
            options["refusals"] = (*options["refusals"], 409)
        super()._document(function, **options)


def ok(
    data: Any, status: int = 200, *, replayed: bool = False, meta: dict[str, Any] | None = None
) -> Response:
    """`{"success": true, "data": …}`, with `meta` beside it; a replay says so in a header."""
    beside = {} if meta is None else {"meta": meta}
    response = reply({"success": True, "data": data, **beside}, status)
    if replayed:
        response.headers["Idempotent-Replayed"] = "true"
    return response


def idempotency_key() -> str | None:
    """The caller's Idempotency-Key. Raises InvalidRequest for an empty or malformed one."""
    key = request.headers.get("Idempotency-Key")
    if key is not None and not _KEY.fullmatch(key):
        raise InvalidRequest("The Idempotency-Key has 1 to 255 visible ASCII characters.")
    return key


class Strict(Schema):
    """A request that refuses what it does not know. It is never changed, so copying it is free."""

    class Meta:
        unknown = marshmallow.RAISE

    def __deepcopy__(self, memo: dict[int, Any]) -> Strict:
        return self


native = Native(
    "native", ROUTES, description="Ledger, holds, limits, usage, top-ups, spend and provider sync."
)
