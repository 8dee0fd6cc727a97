"""Going on where a page ended, by a cursor that nobody can make up or carry elsewhere.

A cursor is the place of the last thing on a page, sealed together with the list, the account and
the filters that it belongs to. What is new comes before it and shifts nothing. It is sealed with
the setting secret_keys; without one the seal only tells what is whole and in its place.
"""

from __future__ import annotations

import hmac
import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, TypeVar

from billing_plugin.dialects.dialect import actor, instance
from billing_plugin.errors import InvalidRequest
from billing_plugin.operations.catalogue import storable

T = TypeVar("T")
MAX_CURSOR = 300
_SEAL = 16  # bytes
_CURSOR = re.compile(r"[A-Za-z0-9_-]+")
_UNSEALED = "billing"


class Listing(NamedTuple):
    """One list as it is asked for: its name, whose it is, and what it is narrowed to.

    `query` has a `limit` and a `cursor`; all else in it narrows.
    """

    name: str
    account_id: str | None
    query: dict[str, Any]

    @property
    def limit(self) -> int:
        """How many."""
        return int(self.query["limit"])

    @property
    def before(self) -> str | None:
        """What to go on from. Raises InvalidRequest for a cursor of anything else."""
        cursor = self.query["cursor"]
        return None if cursor is None else _opened(cursor, self._place)

    def cursor_after(self, found: Sequence[T], place_of: Callable[[T], Any]) -> str | None:
        """The cursor to the next page; none after a page that is not full."""
        is_full = len(found) == self.limit
        return _sealed(str(place_of(found[-1])), self._place) if is_full else None

    @property
    def _place(self) -> str:
        filters = sorted((k, v) for k, v in self.query.items() if k not in ("limit", "cursor"))
        asker = self.account_id or f"operator {actor().account_id}"
        return f"{self.name}\0{asker}\0{filters}"


def _sealed(position: str, place: str) -> str:
    raw = _seal(_secrets()[0], position, place) + position.encode()
    return urlsafe_b64encode(raw).decode().rstrip("=")


def _opened(cursor: str, place: str) -> str:
    raw = b""
    if _CURSOR.fullmatch(cursor) and len(cursor) % 4 != 1:
        raw = urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
    seal, position = raw[:_SEAL], raw[_SEAL:].decode("utf-8", "replace")
    known = [_seal(secret, position, place) for secret in _secrets()]
    if not any(hmac.compare_digest(seal, one) for one in known):
        message = "This cursor is not one of this list."
        raise InvalidRequest(message, extra={"fields": {"cursor": message}})
    return storable(position)


def _seal(secret: str, position: str, place: str) -> bytes:
    key = f"cursor {secret}".encode()
    return hmac.digest(key, f"{place}\0{position}".encode(), "sha256")[:_SEAL]


def _secrets() -> list[str]:
    """What seals, then what was sealed with before."""
    found = [key.strip() for key in instance().settings.secret_keys.split(",") if key.strip()]
    return found or [_UNSEALED]
