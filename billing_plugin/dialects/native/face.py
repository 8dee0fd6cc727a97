"""The native face: `{success, data}` and `{success, error}`, camelCase, exact money as text.

A superset of the "Billing API" of seed 001. Cents stand beside every exact figure.
"""

from __future__ import annotations

from typing import Any

import marshmallow
from flask import Response, request
from marshmallow import Schema, fields

from billing_plugin.dialects.dialect import Dialect, request_id
from billing_plugin.dialects.wire import reply
from billing_plugin.errors import BillingError, InvalidRequest

_wrapped: dict[Any, Any] = {}


class ErrorBody(Schema):
    """What is told about an error."""

    code = fields.String(required=True)
    message = fields.String(required=True)
    retryable = fields.Boolean(required=True)
    requestId = fields.String(required=True)


class ErrorEnvelope(Schema):
    """The envelope of every error."""

    success = fields.Boolean(required=True)
    error = fields.Nested(ErrorBody, required=True)


class Native(Dialect):
    """The product's own API."""

    PUBLIC = frozenset({"openapi_document", "docs_page", "docs_asset"})

    def write_error(self, error: BillingError) -> Response:
        """`{"success": false, "error": {...}}`; facts of the error stand beside its message."""
        status = 400 if isinstance(error, InvalidRequest) else error.status
        code = "VALIDATION_ERROR" if error.code == "invalid_request" else error.code.upper()
        facts = {_camel(name): value for name, value in error.extra.items()}
        body = {"code": code, "message": error.message, "retryable": error.retryable}
        return reply(
            {"success": False, "error": body | {"requestId": request_id()} | facts}, status
        )

    def token(self) -> str:
        """X-API-Key, or a bearer token."""
        return request.headers.get("X-API-Key", "") or super().token()

    @staticmethod
    def _make_doc_response_schema(schema: Any) -> Any:
        """Documents the envelope around what a route returns."""
        if schema is None or isinstance(schema, ErrorEnvelope) or schema is ErrorEnvelope:
            return schema
        kind = schema if isinstance(schema, type) else type(schema)
        many = not isinstance(schema, type) and schema.many
        if (kind, many) not in _wrapped:
            _wrapped[kind, many] = _envelope(kind, many=many)
        return _wrapped[kind, many]


def ok(data: Any, status: int = 200) -> Response:
    """`{"success": true, "data": …}`."""
    return reply({"success": True, "data": data}, status)


class Strict(Schema):
    """A request that refuses what it does not know."""

    class Meta:
        unknown = marshmallow.RAISE


def _envelope(kind: type[Schema], *, many: bool) -> type[Schema]:
    item = fields.Nested(kind, required=not many)
    data = fields.List(item, required=True) if many else item
    name = f"{kind.__name__}{'List' if many else ''}Envelope"
    return Schema.from_dict({"success": fields.Boolean(required=True), "data": data}, name=name)


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(part.title() for part in rest)


native = Native(
    "native", __name__, description="Balance, usage, limits, top-ups, spend and provider sync."
)
