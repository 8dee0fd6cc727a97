"""Telling that a hard limit has refused something.

What was refused is rolled back, and its event must not be: so it has a transaction of its own,
after that. It is told once for each window and bucket, and a process that has told it asks no
database again, so that refusing stays cheap.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress

from billing_plugin.context import after_commit, current, write_transaction
from billing_plugin.errors import BillingError, LimitExceeded
from billing_plugin.models import reached
from billing_plugin.models.reached import Reached

_KEPT, _KEPT_AT_MOST = "reached", 10_000


@contextmanager
def refusals_told(account_id: str) -> Iterator[None]:
    """Tells of a refusal by a limit that comes out of the block, which passes on."""
    try:
        yield
    except LimitExceeded as refusal:
        tell_refusal(account_id, refusal)
        raise


def tell_refusal(account_id: str, error: BillingError) -> None:
    """Tells `limit.reached` where the error is a limit's refusal. Raises nothing of its own: where
    it cannot be stored now, the next refusal tells it."""
    if not isinstance(error, LimitExceeded) or not isinstance(error.details, Reached):
        return
    found, told = error.details, _told()
    if found in told:
        return
    with suppress(BillingError), write_transaction():
        reached.tell(account_id, found, _facts(error))
        after_commit(lambda: told.add(found))


def _told() -> set[Reached]:
    kept: set[Reached] = current().kept.setdefault(_KEPT, set())
    if len(kept) >= _KEPT_AT_MOST:
        kept.clear()
    return kept


def _facts(error: LimitExceeded) -> dict[str, object]:
    said, currency = error.extra, error.extra["currency"]
    money = {
        name: {"amount": said[place], "currency": currency}
        for name, place in (("ceiling", "amount"), ("spent", "spent"), ("held", "held"))
    }
    more = {"limitName": said["limit_name"], "action": "hard", "resetsAt": said["resets_at"]}
    return {**money, **more}
