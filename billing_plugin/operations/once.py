"""Doing something once for each idempotency key, inside the transaction that does it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any, NamedTuple, TypeVar

from billing_plugin.models import idempotency
from billing_plugin.models.base import Table
from billing_plugin.models.idempotency import Intent

T = TypeVar("T", bound=Table)


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
    before = idempotency.replays([intent]).get(intent.digest)
    if before is not None:
        return before, True
    result_id = act()
    idempotency.remember([(intent, result_id)], at)
    return result_id, False


def done_before(account_id: str, said: Once) -> str | None:
    """The id of what the same call made before. Raises IdempotencyConflict for other content."""
    intent = intent_of(account_id, said)
    return idempotency.replays([intent]).get(intent.digest) if intent else None


def once_without_lock(
    said: Once, result_id: str, *, at: datetime, account_id: str = ""
) -> tuple[str, bool]:
    """The id under which to make something that no account's lock guards, or (True: replayed) of
    what the same call has made. Two at once wait for each other. Needs a write transaction."""
    intent = intent_of(account_id, said)
    if intent is None:
        return result_id, False
    found = idempotency.claim(intent, result_id, at)
    return found, found != result_id


def intent_of(account_id: str, said: Once) -> Intent | None:
    """The intent behind the key, if there is one. Raises InvalidRequest for a malformed key."""
    if said.key is None:
        return None
    return idempotency.intent(account_id, said.operation, key=said.key, content=said.content)


def marked(row: T, *, replayed: bool) -> T:
    """The row, saying whether an earlier call with the same key had made it."""
    row.replayed = replayed
    return row
