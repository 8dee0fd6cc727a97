"""The SpiderIQ face (seed 000): flat `success`, snake_case, US dollars as JSON numbers.

The bearer token is one of our keys, or the three-part form of that system's clients:
`cli_<account>:sk_<key>:secret_<secret>` with the same digits and secret.
"""

from __future__ import annotations

import re
from typing import Any

from flask import Response

from billing_plugin.dialects.dialect import Dialect
from billing_plugin.dialects.wire import reply
from billing_plugin.errors import BillingError

_THREE_PARTS = re.compile(r"cli_[0-9a-f]{32}:(sk_[0-9a-f]{32}):secret_(\S+)")


class SpiderIQ(Dialect):
    """Integrations and sync billing as SpiderIQ's clients know them."""

    def write_error(self, error: BillingError) -> Response:
        """`{"error": {code, message, …}, "detail": …}` (US1 of the contract)."""
        code = "VALIDATION_ERROR" if error.code == "invalid_request" else error.code.upper()
        body: dict[str, Any] = {"code": code, "message": error.message}
        if "retry_after_s" in error.extra:
            body["retry_after_seconds"] = error.extra["retry_after_s"]
        if "fields" in error.extra:
            body["fields"] = error.extra["fields"]
        return reply({"error": body, "detail": error.message}, error.status)

    def token(self) -> str:
        """A bearer token in either form."""
        token = super().token()
        parts = _THREE_PARTS.fullmatch(token)
        return f"{parts.group(1)}_{parts.group(2)}" if parts else token


spideriq = SpiderIQ("spideriq", __name__, description="Sync billing as SpiderIQ's clients know it.")
