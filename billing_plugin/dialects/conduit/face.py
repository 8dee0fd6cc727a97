"""The Conduit face (seed 004): bare objects, camelCase, integer cents beside a dollars number."""

from __future__ import annotations

from typing import Any

from flask import Response

from billing_plugin.context import utc_now
from billing_plugin.dialects.conduit import ROUTES
from billing_plugin.dialects.dialect import Dialect, request_id
from billing_plugin.dialects.openapi import OPEN, TEXT, TIME, shape
from billing_plugin.dialects.wire import iso_millis, reply
from billing_plugin.errors import BillingError

CODES = {
    "unauthenticated": "API_KEY_INVALID",
    "insufficient_funds": "INSUFFICIENT_BALANCE",
    "limit_exceeded": "SPENDING_LIMIT_EXCEEDED",
    "invalid_request": "VALIDATION_ERROR",
}
ERROR = shape(
    "ConduitErrorBody",
    "What went wrong; `details` names the fields that are wrong.",
    optional=("details",),
    message=TEXT,
    code=TEXT,
    details=OPEN,
    timestamp=TIME,
    requestId=TEXT,
)


class Conduit(Dialect):
    """Balance and transaction history as Conduit's clients know them."""

    ERROR = shape("ConduitError", "The envelope of every error.", error=ERROR)

    def write_error(self, error: BillingError) -> Response:
        """`{"error": {message, code, details?, timestamp, requestId}}` (UO1 of the contract)."""
        body: dict[str, Any] = {
            "message": error.message,
            "code": CODES.get(error.code, error.code.upper()),
            "timestamp": iso_millis(utc_now()),
            "requestId": request_id(),
        }
        if "fields" in error.extra:
            body["details"] = error.extra["fields"]
        return reply({"error": body}, self.status_of(error))

    def status_of(self, error: BillingError) -> int:
        """A spent limit is 429 here."""
        return 429 if error.code == "limit_exceeded" else super().status_of(error)


conduit = Conduit("conduit", ROUTES, description="Usage as Conduit's clients know it.")
