"""The native face: `{success, data}` and `{success, error}`, camelCase, exact money as text.

A superset of the "Billing API" of seed 001. Cents stand beside every exact figure.
"""

from __future__ import annotations

from typing import Any

import marshmallow
from flask import Response, request
from marshmallow import Schema

from billing_plugin.dialects.dialect import Dialect, request_id
from billing_plugin.dialects.native import ROUTES
from billing_plugin.dialects.openapi import FLAG, TEXT, Shape, shape
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


class Native(Dialect):
    """The product's own API."""

    PUBLIC = frozenset({"openapi_document", "docs_page", "docs_asset"})
    ERROR = shape("Error", "The envelope of every error.", success=Shape(const=False), error=ERROR)

    def write_error(self, error: BillingError) -> Response:
        """`{"success": false, "error": {...}}`; facts of the error stand beside its message."""
        code = "VALIDATION_ERROR" if error.code == "invalid_request" else error.code.upper()
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
        return Shape(
            type="object",
            properties={"success": {"const": True}, "data": content},
            required=["success", "data"],
            additionalProperties=False,
        )


def ok(data: Any, status: int = 200) -> Response:
    """`{"success": true, "data": …}`."""
    return reply({"success": True, "data": data}, status)


def idempotency_key() -> str | None:
    """The caller's Idempotency-Key. Raises InvalidRequest for an empty one, which would be none."""
    key = request.headers.get("Idempotency-Key")
    if key == "":
        raise InvalidRequest("The Idempotency-Key is empty.")
    return key


class Strict(Schema):
    """A request that refuses what it does not know. It is never changed, so copying it is free."""

    class Meta:
        unknown = marshmallow.RAISE

    def __deepcopy__(self, memo: dict[int, Any]) -> Strict:
        return self


native = Native(
    "native", ROUTES, description="Balance, usage, limits, top-ups, spend and provider sync."
)
