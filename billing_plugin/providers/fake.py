"""The shipped fake provider: a vendor whose every answer is chosen by its settings.

For demonstrations and for users' own tests; it opens no connection. Settings: `balance`,
`usage_today`, `usage_month` (decimal text; absent means not exposed), `currency`, `note`, and
`fail` (auth, unavailable or unreadable).
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from billing_plugin.errors import (
    ProviderAuthError,
    ProviderError,
    ProviderUnavailable,
    ProviderUnreadable,
)
from billing_plugin.money import Money
from billing_plugin.providers.provider import Reading

FAILURES: dict[str, tuple[type[ProviderError], str]] = {
    "auth": (ProviderAuthError, "API key invalid or expired"),
    "unavailable": (ProviderUnavailable, "The provider is busy or down."),
    "unreadable": (ProviderUnreadable, "The provider's answer is not JSON."),
}
FIGURES = ("balance", "usage_today", "usage_month")


class FakeProvider:
    """Answers what its settings say. The only credential it refuses is `bad`."""

    name = "fake"

    def read(
        self, credentials: dict[str, str], settings: dict[str, Any], *, at: datetime, timeout_s: int
    ) -> Reading:
        """The figures of `settings`. Raises what `settings["fail"]` names. Source: this module."""
        del timeout_s
        failure = "auth" if "bad" in credentials.values() else settings.get("fail")
        if failure:
            kind, message = FAILURES.get(failure, FAILURES["unreadable"])
            raise kind(message)
        currency = settings.get("currency", "USD")
        figures = {name: _money(settings.get(name), currency) for name in FIGURES}
        balance, today, month = figures.values()
        sources = {name: "reported" if figures[name] else "unavailable" for name in FIGURES}
        note = str(settings.get("note", ""))
        return Reading(
            as_of=at,
            currency=currency,
            balance=balance,
            usage_today=today,
            usage_month=month,
            sources=sources,
            note=note,
        )


def _money(text: str | None, currency: str) -> Money | None:
    return None if text is None else Money.parse(text, currency)
