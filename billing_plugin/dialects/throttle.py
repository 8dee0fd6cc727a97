"""How often a caller may ask: so many requests a minute for each key, told in every answer.

The counters guard no money. They are in memory, or in Redis where there is one, which then counts
for all processes; when Redis is away, requests are let through and the log says so once.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from math import ceil

from limits import RateLimitItemPerMinute
from limits.errors import StorageError
from limits.storage import storage_from_string
from limits.strategies import SlidingWindowCounterRateLimiter

from billing_plugin.config import Settings
from billing_plugin.context import Instance, utc_now
from billing_plugin.dialects.tally import MemoryTally
from billing_plugin.errors import RateLimited

WINDOW_S = 60
NAME = "requests"  # of the policy, in the headers
KEPT = "throttle"
_PATIENCE_S = 0.25
_PAUSE_S = 5  # before a Redis that failed is asked again
_REDIS = {"socket_timeout": _PATIENCE_S, "socket_connect_timeout": _PATIENCE_S}
log = logging.getLogger("billing_plugin")


@dataclass(frozen=True, slots=True)
class Quota:
    """What a caller has left in the present minute; None where nobody can say."""

    most: int
    remaining: int | None = None
    resets_in_s: int = WINDOW_S
    allowed: bool = True

    @property
    def headers(self) -> dict[str, str]:
        """`RateLimit-Policy` and `RateLimit`, as the IETF draft has them."""
        policy = {"RateLimit-Policy": f'"{NAME}";q={self.most};w={WINDOW_S}'}
        if self.remaining is None:
            return policy
        return {**policy, "RateLimit": f'"{NAME}";r={self.remaining};t={self.resets_in_s}'}

    def require(self) -> None:
        """Raises RateLimited when the caller has asked too often."""
        if not self.allowed:
            raise RateLimited(
                f"More than {self.most} requests a minute. Try again in {self.resets_in_s} s.",
                extra={"retry_after_s": self.resets_in_s},
            )


class Throttle:
    """Counts the requests of callers. One for each instance."""

    def __init__(self, settings: Settings) -> None:
        self._item = RateLimitItemPerMinute(settings.rate_limit_per_minute)
        self._away_until = 0.0
        url = settings.redis_url.replace("unix://", "redis+unix://", 1)
        redis = storage_from_string(url, wrap_exceptions=True, **_REDIS) if url else None
        storage = redis or MemoryTally()
        self._limiter = SlidingWindowCounterRateLimiter(storage)

    def take(self, caller: str) -> Quota:
        """Counts one request."""
        at = utc_now().timestamp()
        if at < self._away_until:
            return Quota(self._item.amount)
        try:
            allowed = self._limiter.hit(self._item, caller)
            left = self._limiter.get_window_stats(self._item, caller)
        except StorageError as error:
            return self._let_through(error, at)
        self._away_until = 0.0
        resets_in_s = max(1, ceil(left.reset_time - at))
        return Quota(self._item.amount, max(left.remaining, 0), resets_in_s, allowed)

    def _let_through(self, error: Exception, at: float) -> Quota:
        if not self._away_until:
            log.warning("requests are not counted: %s", type(error).__name__)
        self._away_until = at + _PAUSE_S
        return Quota(self._item.amount)


def take(instance: Instance, caller: str) -> Quota | None:
    """Counts one request of the caller; None where the setting rate_limit_per_minute is 0."""
    if not instance.settings.rate_limit_per_minute:
        return None
    kept = instance.kept
    if KEPT not in kept:
        kept.setdefault(KEPT, Throttle(instance.settings))
    throttle: Throttle = kept[KEPT]
    return throttle.take(caller)
