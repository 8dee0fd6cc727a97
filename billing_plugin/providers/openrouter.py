"""OpenRouter: two kinds of key look alike; a management key sees the account, others themselves.

Sources: the vendor's OpenAPI (Python SDK 1.3.84) and its pages on credits, keys and analytics.
Amounts are US dollars; days and months are UTC. Balance = total_credits - total_usage, and may be
negative. An ordinary key asking for credits is answered with zeros, so the kind is asked first.
"""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any

from billing_plugin.errors import ProviderAuthError, ProviderError
from billing_plugin.money import Money
from billing_plugin.periods import DAILY, MONTHLY, window
from billing_plugin.providers.http import Caller, Http, amount, field
from billing_plugin.providers.provider import Reading

BASE_URL = "https://openrouter.ai/api/v1"
MAX_PAGES = 100
ONLY_THIS_KEY = (
    "Usage of this key alone. Balance and account usage need a management key (management_key)."
)
NOT_MANAGEMENT = "The management key is an ordinary key. Create a management key at OpenRouter."
FROM_KEYS = "Usage is the sum over the default workspace's keys; analytics did not answer."


class OpenRouter:
    """Reads balance, today's and this month's usage with either kind of key."""

    name = "openrouter"

    def __init__(self, base_url: str = BASE_URL) -> None:
        self._base_url = base_url

    def read(
        self, credentials: dict[str, str], settings: dict[str, Any], *, at: datetime, timeout_s: int
    ) -> Reading:
        """The account's figures with a management key, else the key's own with a note saying so.

        Raises ProviderAuthError, ProviderUnavailable, ProviderUnreadable.
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
        usage_today=_dollars(field(key, "usage_daily")),
        usage_month=_dollars(field(key, "usage_monthly")),
        sources=_sources(balance="unavailable", usage="reported"),
        scope="key",
        note=ONLY_THIS_KEY,
    )


def _account_reading(call: Caller, at: datetime) -> Reading:
    credits_ = field(call("GET", "/credits"), "data")
    used = amount(field(credits_, "total_usage"))
    balance = amount(field(credits_, "total_credits")) - used
    try:
        today, month = _analytics(call, at)
        usage, note = "reported", ""
    except ProviderError:
        today, month = _sum_of_keys(call)
        usage, note = "derived", FROM_KEYS
    return Reading(
        as_of=at,
        balance=_dollars(balance),
        usage_today=_dollars(today),
        usage_month=_dollars(month),
        sources=_sources(balance="reported", usage=usage),
        note=note,
    )


def _analytics(call: Caller, at: datetime) -> tuple[Decimal, Decimal]:
    metric = _cost_metric(field(call("GET", "/analytics/meta"), "data"))
    today = window(DAILY, at).start.strftime("%Y-%m-%d")
    query = {
        "metrics": [metric],
        "granularity": "day",
        "time_range": {"start": _stamp(window(MONTHLY, at).start), "end": _stamp(at)},
        "limit": 1000,
    }
    answer = field(call("POST", "/analytics/query", query), "data")
    if field(answer, "metadata", "truncated") is not False:
        raise ProviderError("The provider cut its answer short.")
    rows = [(str(field(row, "date"))[:10], amount(field(row, metric))) for row in answer["data"]]
    month = sum((cost for _, cost in rows), Decimal())
    return sum((cost for day, cost in rows if day == today), Decimal()), month


def _cost_metric(meta: Any) -> str:
    for metric in field(meta, "metrics"):
        if field(metric, "display_format") == "currency" and not metric.get("is_rate"):
            return str(field(metric, "name"))
    raise ProviderError("The provider names no cost metric.")


def _sum_of_keys(call: Caller) -> tuple[Decimal, Decimal]:
    today, month, seen = Decimal(), Decimal(), set[str]()
    for _ in range(MAX_PAGES):
        path = f"/keys?offset={len(seen)}&include_disabled=true&include_expired=true"
        page = [key for key in field(call("GET", path), "data") if field(key, "hash") not in seen]
        if not page:
            break
        seen |= {key["hash"] for key in page}
        today += sum(amount(field(key, "usage_daily")) for key in page)
        month += sum(amount(field(key, "usage_monthly")) for key in page)
    return today, month


def _dollars(value: Any) -> Money:
    return Money.from_decimal(amount(value))


def _sources(*, balance: str, usage: str) -> dict[str, str]:
    return {"balance": balance, "usage_today": usage, "usage_month": usage}


def _stamp(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")
