"""The face for processors: a signature instead of a key, short JSON, an answer at once."""

from __future__ import annotations

from typing import ClassVar

from flask import Response

from billing_plugin.dialects.dialect import Dialect
from billing_plugin.dialects.wire import reply
from billing_plugin.errors import BillingError
from billing_plugin.webhooks import ROUTES


class Webhooks(Dialect):
    """Takes signed messages. Whatever is wrong with one is 400, but for its size and rate."""

    INVALID: ClassVar[int] = 400
    PUBLIC: ClassVar[frozenset[str]] = frozenset({"receive"})

    def write_error(self, error: BillingError) -> Response:
        """`{"error": {"code": …, "message": …}}`."""
        told = {"code": error.code, "message": error.message}
        return reply({"error": told}, self.status_of(error))


webhooks = Webhooks("webhooks", ROUTES, description="What payment processors send.")
