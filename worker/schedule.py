"""The clockwork: looks again and again whether a sync is due or a job was left behind.

Any number of processes may tick at once: the database gives each slot of the schedule to one of
them, and each job to one runner.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from threading import Event, Thread
from typing import TypeVar

from billing_plugin import Actor, Billing, operations
from billing_plugin.errors import BillingError

TICK_S = 30
T = TypeVar("T")
log = logging.getLogger(__name__)


def tick(billing: Billing) -> list[str]:
    """Enqueues what is due or was left behind, asks what became of payments, closes months that are
    over, and once a day takes away idempotency keys that have grown too old; returns the job ids.
    A failure is logged."""
    _done(operations.prune_idempotency_keys, billing)
    _done(operations.reconcile_topups, billing)
    _done(operations.tell_billing_profiles, billing)
    _done(operations.finalize_invoices, billing)
    found = [_done(operations.retry_messages, billing), _done(operations.schedule_syncs, billing)]
    found.append(_done(operations.retry_deliveries, billing))
    found.append(_done(operations.sweep_auto_topups, billing))
    return [job_id for job_ids in found for job_id in job_ids or []]


def _done(operation: Callable[[Actor], T], billing: Billing) -> T | None:
    try:
        return operation(billing.operator())
    except BillingError as error:
        log.warning("the schedule waits: %s", error.message)
    except Exception as error:  # whatever it was, the next tick may do better
        log.warning("the schedule failed: %s", type(error).__name__)
    return None


def start_ticker(billing: Billing, every_s: int = TICK_S) -> Ticker:
    """Ticks in a thread of this process from now on, until `.stop()`."""
    ticker = Ticker(billing, every_s)
    ticker.start()
    return ticker


class Ticker(Thread):
    """A thread that ticks at once and then every `every_s` seconds."""

    def __init__(self, billing: Billing, every_s: int) -> None:
        super().__init__(name="billing-ticker", daemon=True)
        self._billing = billing
        self._every_s = every_s
        self._stopped = Event()

    def run(self) -> None:
        """Ticks until stopped. Started by `start_ticker`."""
        while not self._stopped.is_set():
            tick(self._billing)
            self._stopped.wait(self._every_s)

    def stop(self, timeout_s: int = 5) -> None:
        """Ends it, waiting so long for a tick at work. What that leaves behind is run later."""
        self._stopped.set()
        self.join(timeout_s)
