"""The jobs: each takes one id, calls one operation, and may run any number of times.

A job belongs to the instance that is at work (whoever runs jobs in the process puts theirs to
work), otherwise to the one that this worker process was started for.
"""

from __future__ import annotations

from functools import cache

from billing_plugin import Actor, Billing, operations
from billing_plugin.context import Instance, current
from billing_plugin.errors import ConfigurationError

ALLOWED = ("run_sync_job", "settle_message", "spread_event", "deliver_event", "run_auto_topup")
_serving: list[Billing] = []


def run_sync_job(job_id: str) -> bool:
    """Asks an account's vendors, as the stored job says. False when there was nothing to do."""
    return operations.run_sync_job(_operator(), job_id)


def settle_message(message_id: str) -> bool:
    """Acts on what a processor sent, as the stored message says. False when it was done before."""
    return operations.settle_message(_operator(), message_id)


def spread_event(event_id: str) -> int:
    """Makes an event's deliveries to webhook endpoints. 0 where that was done before."""
    return operations.spread_event(_operator(), event_id)


def deliver_event(delivery_id: str) -> bool:
    """Tries a delivery to a webhook endpoint once. False where it was not received."""
    return operations.deliver_event(_operator(), delivery_id)


def run_auto_topup(account_id: str) -> bool:
    """Buys credit as the account's rule says. False when there was nothing to buy."""
    return operations.run_auto_topup(_operator(), account_id) is not None


def serve(billing: Billing) -> None:
    """Makes this process the worker of that billing system."""
    _serving[:] = [billing]


def _operator() -> Actor:
    return operations.operator(_at_work() or _served().instance)


def _at_work() -> Instance | None:
    try:
        return current()
    except ConfigurationError:
        return None


def _served() -> Billing:
    return _serving[0] if _serving else _from_environment()


@cache
def _from_environment() -> Billing:
    return Billing.from_environment()
