"""Signals (blinker) of what has happened: they fire in the process that did it, once committed.

`signals.balance_low.connect(subscriber)`; a subscriber is called with the instance that was at work
(`billing.instance`) and `event=`, a `Told`. What it raises is logged and breaks nobody. It runs
where the thing was done, so it must be quick. Who must not miss an event has webhooks.
"""

from __future__ import annotations

import logging
from contextvars import ContextVar
from datetime import datetime
from typing import Any, NamedTuple

from blinker import Namespace

from billing_plugin.errors import place_of

log = logging.getLogger("billing_plugin")
_signals = Namespace()
balance_low = _signals.signal("balance.low")
limit_reached = _signals.signal("limit.reached")
limit_raise_requested = _signals.signal("limit.raise_requested")
topup_succeeded = _signals.signal("topup.succeeded")
topup_failed = _signals.signal("topup.failed")
sync_failed = _signals.signal("sync.failed")
drift_found = _signals.signal("drift.found")
invoice_finalized = _signals.signal("invoice.finalized")
NAMES = tuple(_signals)
_firing: ContextVar[bool] = ContextVar("billing_signals_firing", default=False)


class Told(NamedTuple):
    """One event: what happened (`name`), to whose account, when, and the facts."""

    id: str
    name: str
    account_id: str
    data: dict[str, Any]
    at: datetime


def fire(sender: Any, event: Told) -> None:
    """Calls every subscriber of the event's name, each whatever the others do."""
    token = _firing.set(True)
    try:
        for subscriber in _signals[event.name].receivers_for(sender):
            try:
                subscriber(sender, event=event)
            except Exception as error:
                log.error("a subscriber of %s failed: %s", event.name, place_of(error))  # noqa: TRY400 (a trace may hold secrets)
    finally:
        _firing.reset(token)


def is_firing() -> bool:
    """Whether a subscriber is at work here: what it asks for must not wait for its caller."""
    return _firing.get()
