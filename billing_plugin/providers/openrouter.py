"""OpenRouter: two kinds of key look alike; a management key sees the account, others themselves.

Sources: the vendor's OpenAPI (Python SDK 1.3.84) and its pages on credits, keys and analytics.
Amounts are US dollars; days and months are UTC. Balance = total_credits - total_usage, and may be
negative. An ordinary key asking for credits is answered with zeros, so the kind is asked first.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal
from typing import Any

from billing_plugin.errors import (
    ProviderAuthError,
    ProviderError,
    ProviderUnavailable,
    ProviderUnreadable,
)
from billing_plugin.money import Money
from billing_plugin.periods import DAILY, MONTHLY, window
from billing_plugin.providers.http import Caller, Http, amount, field, rows
from billing_plugin.providers.provider import Reading

BASE_URL = "https://openrouter.ai/api/v1"
MAX_PAGES = 100
MAX_ROWS = 1000
COST = "cost"
ONLY_THIS_KEY = (
    "Usage of this key alone. Balance and account usage need a management key (management_key)."
)
NOT_MANAGEMENT = "The management key is an ordinary key. Create a management key at OpenRouter."
FROM_KEYS = "Usage is the sum over the default workspace's keys; analytics did not answer."
NO_USAGE = "The balance was read; usage could not be read this time."


class OpenRouter:
    """Reads balance, today's and this month's usage with either kind of key."""

    name = "openrouter"

    def __init__(self, base_url: str = BASE_URL) -> None:
        self._base_url = base_url

    def read(
        self, credentials: dict[str, str], settings: dict[str, Any], *, at: datetime, timeout_s: int
    ) -> Reading:
        """The account's figures with a management key, else the key's own with a note saying so.

        Raises ProviderAuthError, ProviderUnavailable, ProviderUnreadable. Source: GET /key.
        """
        del settings
        given = credentials.get("management_key") or credentials["api_key"]
        headers = {"Authorization": f"Bearer {given}"}
        call = Http(self._base_url, headers, timeout_s=timeout_s)
        key = field(call("GET", "/key"), "data")
        if field(key, "is_management_key") is True:
            return _account_reading(call, at)
        if "management_key" in credentials:
            raise ProviderAuthError(NOT_MANAGEMENT)
        return _key_reading(key, at)


def _key_reading(key: Any, at: datetime) -> Reading:
    return Reading(
        as_of=at,
        usage_today=_dollars(amount(field(key, "usage_daily"))),
        usage_month=_dollars(amount(field(key, "usage_monthly"))),
        sources=_sources(balance="unavailable", usage="reported"),
        scope="key",
        note=ONLY_THIS_KEY,
    )


def _account_reading(call: Caller, at: datetime) -> Reading:
    credits_ = field(call("GET", "/credits"), "data")
    balance = amount(field(credits_, "total_credits")) - amount(field(credits_, "total_usage"))
    usage, source, note = _account_usage(call, at)
    today, month = usage or (None, None)
    return Reading(
        as_of=at,
        balance=_dollars(balance),
        usage_today=_dollars(today),
        usage_month=_dollars(month),
        sources=_sources(balance="reported", usage=source),
        note=note,
    )


def _account_usage(call: Caller, at: datetime) -> tuple[tuple[Decimal, Decimal] | None, str, str]:
    """Usage of today and the month, how it is known, and a note; what is missing is not zero."""
    try:
        return _analytics(call, at), "reported", ""
    except ProviderError:
        pass
    try:
        return _sum_of_keys(call), "derived", FROM_KEYS
    except ProviderError:
        return None, "failed", NO_USAGE


def _analytics(call: Caller, at: datetime) -> tuple[Decimal, Decimal]:
    metric = _cost_metric(rows(call("GET", "/analytics/meta"), "data", "metrics"))
    today = window(DAILY, at).start.strftime("%Y-%m-%d")
    query = {
        "metrics": [metric],
        "granularity": "day",
        "time_range": {"start": _stamp(window(MONTHLY, at).start), "end": _stamp(at)},
        "limit": MAX_ROWS,
    }
    answer = field(call("POST", "/analytics/query", query), "data")
    if field(answer, "metadata", "truncated") is not False:
        raise ProviderUnreadable("The provider cut its answer short.")
    costs = [(_day(row), amount(field(row, metric))) for row in rows(answer, "data")]
    month = sum((cost for _, cost in costs), Decimal())
    return sum((cost for day, cost in costs if day == today), Decimal()), month


def _day(row: Any) -> str:
    day = field(row, "date")
    if not isinstance(day, str):
        raise ProviderUnreadable("The provider's answer has a day that is no date.")
    return day[:10]


def _cost_metric(metrics: list[Any]) -> str:
    """The metric that is money: the one so named, or the only one. A guess could be wrong money."""
    found = [
        field(metric, "name")
        for metric in metrics
        if field(metric, "display_format") == "currency" and not metric.get("is_rate")
    ]
    if COST in found:
        return COST
    if len(found) != 1 or not isinstance(found[0], str):
        raise ProviderUnreadable("The provider does not name one cost metric.")
    return found[0]


def _sum_of_keys(call: Caller) -> tuple[Decimal, Decimal]:
    today, month = Decimal(), Decimal()
    for key in _every_key(call):
        today += amount(field(key, "usage_daily"))
        month += amount(field(key, "usage_monthly"))
    return today, month


def _every_key(call: Caller) -> Iterator[Any]:
    """Each key once, whatever the pages repeat; ends at the first page with nothing new."""
    seen = set[str]()
    for _ in range(MAX_PAGES):
        before = len(seen)
        path = f"/keys?offset={before}&include_disabled=true&include_expired=true"
        for key in rows(call("GET", path), "data"):
            if (digest := str(field(key, "hash"))) not in seen:
                seen.add(digest)
                yield key
        if len(seen) == before:
            return
    raise ProviderUnavailable("The provider lists more keys than can be read.")


def _dollars(value: Decimal | None) -> Money | None:
    return None if value is None else Money.from_decimal(value)


def _sources(*, balance: str, usage: str) -> dict[str, str]:
    return {"balance": balance, "usage_today": usage, "usage_month": usage}


def _stamp(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")
