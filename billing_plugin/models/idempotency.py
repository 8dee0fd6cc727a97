"""Idempotency keys: a narrow table of hashes, so that random caller keys stay out of the ledger.

A key belongs to one account and one operation. The same content replays the first answer; other
content is a conflict.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from billing_plugin.errors import IdempotencyConflict, InvalidRequest
from billing_plugin.models.base import dump, execute_many, fetch_all, places

MAX_KEY_LENGTH = 255
_FIND = "SELECT digest, content, result_id FROM billing_idempotency_key"


@dataclass(frozen=True, slots=True)
class Intent:
    """What a caller means to do once: a digest of the key and a fingerprint of the content."""

    digest: str
    content: str


def intent(account_id: str, operation: str, *, key: str, content: Any) -> Intent:
    """The intent behind a caller's key. Raises InvalidRequest for a malformed key."""
    if not key or len(key) > MAX_KEY_LENGTH or not key.isprintable():
        raise InvalidRequest("An idempotency key has 1 to 255 printable characters.")
    return Intent(_hash(f"{account_id}\0{operation}\0{key}"), _hash(dump(content)))


def replays(intents: Iterable[Intent]) -> dict[str, str]:
    """Result ids of the intents that were carried out before, by digest.

    Raises IdempotencyConflict when one of them had other content, there or among the intents.
    """
    contents = _contents(intents)
    found: dict[str, str] = {}
    for chunk in _chunks(list(contents)):
        rows = fetch_all(_FIND + f" WHERE digest IN ({places(chunk)})", chunk)
        for digest, content, result_id in rows:
            _refuse_other(contents[digest], content)
            found[digest] = result_id
    return found


def remember(done: Iterable[tuple[Intent, str]], at: datetime) -> None:
    """Stores the results of intents in the present transaction."""
    execute_many(
        "INSERT INTO billing_idempotency_key (digest, content, result_id, created_at)"
        " VALUES (?, ?, ?, ?)",
        [(intent.digest, intent.content, result_id, at) for intent, result_id in done],
    )


def _contents(intents: Iterable[Intent]) -> dict[str, str]:
    contents: dict[str, str] = {}
    for one in intents:
        _refuse_other(contents.setdefault(one.digest, one.content), one.content)
    return contents


def _refuse_other(content: str, other: str) -> None:
    if content != other:
        raise IdempotencyConflict("This idempotency key was used with other content.")


def _chunks(values: list[str], size: int = 500) -> list[list[str]]:
    return [values[start : start + size] for start in range(0, len(values), size)]


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:32]
