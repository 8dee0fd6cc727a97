"""Idempotency keys: a narrow table of hashes, so that random caller keys stay out of the ledger.

A key belongs to one account and one operation. The same content replays the first answer; other
content is a conflict. Keys are kept for KEPT_DAYS at least; `prune` takes older ones away.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any, NamedTuple

import peewee

from billing_plugin import context
from billing_plugin.errors import IdempotencyConflict, InvalidRequest
from billing_plugin.models.base import Row, array_of, dump, execute, execute_many, fetch_all, places

OTHER_CONTENT = "This idempotency key was used with other content."
TABLE = "billing_idempotency_key"
MAX_KEY_LENGTH = 255
KEPT_DAYS = 35  # the billing cycle of every contract we speak, and a few days to look into it
COLUMNS = "digest, content, result_id, day_number"
_FIND = "SELECT digest, content, result_id FROM billing_idempotency_key"
# One value in one place: to say five hundred places costs a client more than the look-up.
_FIND_ALL = (
    f"{_FIND} WHERE digest IN (SELECT decode(said, 'hex') FROM unnest(CAST(? AS text[])) AS said)"
)
_INSERT = f"INSERT INTO {TABLE} ({COLUMNS}) VALUES (?, ?, ?, ?)"
_CLAIM = f"{_INSERT} ON CONFLICT (digest) DO NOTHING"
# All digests in one value, 16 bytes of the key and 16 of the content each. What comes again comes
# again as a whole: its first key tells, so that the database has no error to log.
_STORE_ALL = (
    f"INSERT INTO {TABLE} ({COLUMNS}) SELECT substr(said, place - 31, 16),"
    " substr(said, place - 15, 16), result_id, ? FROM (SELECT CAST(? AS bytea) AS said) AS known,"
    " LATERAL (SELECT result_id, 32 * CAST(number AS integer) AS place"
    " FROM unnest(CAST(? AS text[])) WITH ORDINALITY AS r (result_id, number)) AS done"
    f" WHERE NOT EXISTS (SELECT 1 FROM {TABLE} WHERE digest = ?)"
)
_new = tuple.__new__  # an intent is made a million times
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class KnownKey(Exception):
    """A key that was taken for new has a result: whoever took it must ask, and begin again."""


class Intent(NamedTuple):
    """What a caller means to do once: a digest of the key and a fingerprint of the content."""

    digest: bytes
    content: bytes


def intent(account_id: str, operation: str, *, key: str, content: Any) -> Intent:
    """The intent behind a caller's key; `content` is text or what JSON can say.

    Raises InvalidRequest for a malformed key.
    """
    if not key or len(key) > MAX_KEY_LENGTH or not key.isprintable():
        raise InvalidRequest("An idempotency key has 1 to 255 printable characters.")
    said = content if isinstance(content, str) else dump(content)
    digest = sha256(f"{account_id}\0{operation}\0{key}".encode()).digest()[:16]
    return _new(Intent, (digest, sha256(said.encode()).digest()[:16]))


def replays(intents: Iterable[Intent]) -> dict[bytes, str]:
    """Result ids of the intents that were carried out before, by digest.

    Raises IdempotencyConflict when one of them had other content, there or among the intents.
    """
    contents = _contents(intents)
    found: dict[bytes, str] = {}
    for digest, (content, result_id) in stored(contents).items():
        refuse_other(contents[digest], content)
        found[digest] = result_id
    return found


def stored(digests: Iterable[bytes]) -> dict[bytes, tuple[bytes, str]]:
    """Content and result id of every digest that is known, by digest."""
    found: dict[bytes, tuple[bytes, str]] = {}
    for chunk in _chunks(list(digests)):
        rows = _find(chunk)
        found.update({bytes(row[0]): (bytes(row[1]), row[2]) for row in rows})
    return found


def _find(digests: list[bytes]) -> list[Row]:
    if len(digests) == 1 or context.is_sqlite():
        return fetch_all(f"{_FIND} WHERE digest IN ({places(digests)})", digests)
    array = "{" + ",".join(digest.hex() for digest in digests) + "}"
    return fetch_all(_FIND_ALL, (array,))


def remember(done: Sequence[tuple[Intent, str]], at: datetime) -> None:
    """Stores the results of intents in the present transaction.

    Raises KnownKey where one of the keys has a result already; the transaction must not stand.
    """
    try:
        if done and _store(done, day_of(at)) != len(done):
            raise KnownKey
    except peewee.IntegrityError as error:
        raise KnownKey from error


def _store(done: Sequence[tuple[Intent, str]], day: int) -> int:
    """How many of them were stored."""
    if context.is_sqlite():
        rows = [(intent.digest, intent.content, result_id, day) for intent, result_id in done]
        return execute_many(_INSERT, rows)
    digests = b"".join([intent.digest + intent.content for intent, _ in done])
    result_ids = array_of(result_id for _, result_id in done)
    stored: int = execute(_STORE_ALL, (day, digests, result_ids, done[0][0].digest)).rowcount
    return stored


def claim(intent: Intent, result_id: str, at: datetime) -> str:
    """Stores the result of an intent unless one stands; the one that stands. Whoever claims the
    same meanwhile waits for this transaction. Raises IdempotencyConflict."""
    row = (intent.digest, intent.content, result_id, day_of(at))
    execute(_CLAIM, row)
    return replays([intent])[intent.digest]


def prune(at: datetime, *, size: int = 10_000) -> int:
    """Takes away keys older than KEPT_DAYS, `size` at most; returns how many there were."""
    gone: int = execute(
        "DELETE FROM billing_idempotency_key WHERE digest IN"
        " (SELECT digest FROM billing_idempotency_key WHERE day_number < ? LIMIT ?)",
        (day_of(at) - KEPT_DAYS, size),
    ).rowcount
    return gone


def day_of(at: datetime) -> int:
    """The number of the UTC day since 1970."""
    return (at - _EPOCH).days


def refuse_other(content: bytes, other: bytes) -> None:
    """Raises IdempotencyConflict where two contents under one key differ."""
    if content != other:
        raise IdempotencyConflict(OTHER_CONTENT)


def _contents(intents: Iterable[Intent]) -> dict[bytes, bytes]:
    contents: dict[bytes, bytes] = {}
    for one in intents:
        refuse_other(contents.setdefault(one.digest, one.content), one.content)
    return contents


def _chunks(values: list[bytes], size: int = 500) -> list[list[bytes]]:
    return [values[start : start + size] for start in range(0, len(values), size)]
