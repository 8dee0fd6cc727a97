"""Doing something once for each idempotency key, inside the transaction that does it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any, NamedTuple

from billing_plugin.models import idempotency
from billing_plugin.models.idempotency import Intent


class Once(NamedTuple):
    """Under which key something is done once: the operation's name, the key, what was said."""

    operation: str
    key: str | None
    content: Any


def once(account_id: str, said: Once, act: Callable[[], str], *, at: datetime) -> tuple[str, bool]:
    """The id of what `act` made now, or of what the same call made before (True: replayed).

    Needs a write transaction that holds the account's lock. Raises IdempotencyConflict for other
    content under the same key.
    """
    intent = intent_of(account_id, said)
    if intent is None:
        return act(), False
    done = idempotency.replays([intent])
    if intent.digest in done:
        return done[intent.digest], True
    result_id = act()
    idempotency.remember([(intent, result_id)], at)
    return result_id, False


def intent_of(account_id: str, said: Once) -> Intent | None:
    """The intent behind the key, if there is one. Raises InvalidRequest for a malformed key."""
    if said.key is None:
        return None
    return idempotency.intent(account_id, said.operation, key=said.key, content=said.content)
