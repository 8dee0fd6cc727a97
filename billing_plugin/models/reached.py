"""Telling that a limit was reached: once for each of its windows and buckets."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, NamedTuple

from billing_plugin import periods
from billing_plugin.models import events
from billing_plugin.models.base import load, stored_time
from billing_plugin.models.limits import Rule


class Reached(NamedTuple):
    """Which window and bucket of which limit; of one that slides, the epoch-aligned window of its
    length, so that it is told once in that time."""

    limit_id: str
    bucket: str
    window_start: str


def reached(rule: Rule, bucket: str, at: datetime) -> Reached:
    """What a use at the instant has reached."""
    period = periods.window_of_seconds(rule.length_s, at) if rule.slides else rule.period(at)
    return Reached(rule.id, bucket, stored_time(period.start))


def tell(account_id: str, found: Reached, said: Mapping[str, Any]) -> None:
    """Tells `limit.reached` in the present write transaction, where it has not been told."""
    told = {
        "limitId": found.limit_id,
        "bucket": load(found.bucket) if found.bucket else None,
        "windowStart": found.window_start,
    }
    events.tell("limit.reached", account_id, {**told, **said}, once=found)
