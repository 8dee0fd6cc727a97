"""A process that buys, spreads and sends, and is killed at a named point. Light to start.

`python -m tests.faults.teller URL ACCOUNT POINT SECRET_KEY`: exits with 9 where it was killed.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from importlib import import_module
from typing import Any

from billing_plugin import Billing, Money, operations

KILLED = 9
# point -> the function before which (or, with "after ", after which) the process dies
POINTS = {
    "before the event is stored": "billing_plugin.models.events.execute",
    "between event and commit": "after billing_plugin.models.events.execute",
    "between commit and enqueue": "billing_plugin.models.events._announce",
    "before the event is taken": "billing_plugin.models.events.take",
    "between taking and deliveries": "after billing_plugin.models.events.take",
    "between deliveries and commit": "after billing_plugin.models.deliveries.add",
    "before the claim": "billing_plugin.models.deliveries.claim",
    "between claim and commit": "after billing_plugin.models.deliveries.claim",
    "before sending": "billing_plugin.operations.deliveries.post",
    "between sending and mark": "after billing_plugin.operations.deliveries.post",
    "between mark and commit": "after billing_plugin.models.deliveries.deliver",
    "after all": "",
}


def main(url: str, account_id: str, point: str, secret_key: str) -> None:
    """Does it all once."""
    billing = Billing(url, processor="fake", secret_keys=secret_key, webhook_local=True)
    if POINTS[point]:
        _die_at(POINTS[point])
    operations.top_up(billing.operator(), account_id, Money.parse("5"))
    operations.retry_deliveries(billing.operator())


def _die_at(place: str) -> None:
    late, _, dotted = place.rpartition(" ")
    module, _, name = dotted.rpartition(".")
    room = import_module(module)
    real: Callable[..., Any] = getattr(room, name)

    def dying(*args: Any, **kwargs: Any) -> Any:
        if late:
            real(*args, **kwargs)
        os._exit(KILLED)

    setattr(room, name, dying)


if __name__ == "__main__":
    main(*sys.argv[1:])
