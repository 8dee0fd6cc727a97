"""The SpiderIQ face (seed 000): flat `success`, snake_case, US dollars as JSON numbers.

The bearer token is one of our keys, or the three-part form of that system's clients:
`cli_<digits of the account>:sk_<digits of the key>:secret_<its secret>`.
"""

from __future__ import annotations

import re
from typing import Any

from flask import Response

from billing_plugin.context import Actor
from billing_plugin.dialects.dialect import Dialect
from billing_plugin.dialects.openapi import OPEN, TEXT, WHOLE, shape
from billing_plugin.dialects.spideriq import ROUTES
from billing_plugin.dialects.wire import reply
from billing_plugin.errors import BillingError, Unauthenticated

_THREE_PARTS = re.compile(r"cli_([0-9a-f]{32}):(sk_[0-9a-f]{32}):secret_(\S+)")
ERROR = shape(
    "SpiderIQErrorBody",
    "What went wrong; `fields` names the fields that are wrong.",
    optional=("retry_after_seconds", "fields"),
    code=TEXT,
    message=TEXT,
    retry_after_seconds=WHOLE,
    fields=OPEN,
)


class SpiderIQ(Dialect):
    """Integrations and sync billing as SpiderIQ's clients know them."""

    INVALID = 422
    ERROR = shape("SpiderIQError", "The envelope of every error.", error=ERROR, detail=TEXT)

    def write_error(self, error: BillingError) -> Response:
        """`{"error": {code, message, …}, "detail": …}` (US1 of the contract)."""
        code = "VALIDATION_ERROR" if error.code == "invalid_request" else error.code.upper()
        body: dict[str, Any] = {"code": code, "message": error.message}
        if "retry_after_s" in error.extra:
            body["retry_after_seconds"] = error.extra["retry_after_s"]
        if "fields" in error.extra:
            body["fields"] = error.extra["fields"]
        return reply({"error": body, "detail": error.message}, self.status_of(error))

    def token(self) -> str:
        """A bearer token in either form."""
        token = super().token()
        parts = _THREE_PARTS.fullmatch(token)
        return f"{parts[2]}_{parts[3]}" if parts else token

    def caller(self) -> Actor:
        """Who asks. The client named in a three-part token must be the key's own account."""
        found = super().caller()
        parts = _THREE_PARTS.fullmatch(super().token())
        if parts and found.key_id and found.account_id != f"acct_{parts[1]}":
            raise Unauthenticated("The API key is missing, unknown, expired or revoked.")
        return found


spideriq = SpiderIQ("spideriq", ROUTES, description="Sync billing as SpiderIQ's clients know it.")
