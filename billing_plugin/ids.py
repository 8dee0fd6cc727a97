"""Prefixed ids that sort by time: a prefix and a UUIDv7, such as `acct_0199…`.

The 32 hex digits are the id's own UUID, so each dialect shows the form its contract asks for
(32-hex for Cloudflare, dashed UUID for xAI) without a table of translations.

A UUIDv7 holds the time in milliseconds, their fraction in 12 bits, and a number that starts at
random in each process and goes up by one (RFC 9562, 6.2, methods 3 and 2). So ids rise even where
many are made at once. The system is asked for randomness once: each time would be a system call,
at which a thread loses its turn.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import count, islice
from secrets import randbits
from time import time_ns
from uuid import UUID

from billing_plugin.errors import NotFound

_VERSION, _VARIANT = 7 << 12, 2 << 62
_PREFIXED = re.compile(r"([a-z]+)_([0-9a-f]{32})")
_DIGITS = re.compile(r"[0-9a-f]{32}|[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}", re.ASCII | re.I)


def new_id(prefix: str) -> str:
    """A new id: the prefix, an underscore, 32 hex digits that rise with time."""
    return f"{prefix}_{_head():016x}{next(_tails):016x}"


def new_ids(prefix: str, number: int) -> list[str]:
    """As many new ids, in rising order."""
    start = f"{prefix}_{_head():016x}"
    return [f"{start}{tail:016x}" for tail in islice(_tails, number)]


def new_pair(first: str, second: str) -> tuple[str, str]:
    """Two new ids at once, of different prefixes."""
    head = f"{_head():016x}"
    return f"{first}_{head}{next(_tails):016x}", f"{second}_{head}{next(_tails):016x}"


def hex_of(identifier: str) -> str:
    """The 32 hex digits of an id. Raises NotFound if it is not one of ours."""
    match = _PREFIXED.fullmatch(identifier)
    if match is None:
        raise NotFound("There is no such thing.")
    return match.group(2)


def uuid_of(identifier: str) -> str:
    """The id as a dashed UUID. Raises NotFound if it is not one of ours."""
    return str(UUID(hex_of(identifier)))


def from_hex(prefix: str, digits: str) -> str:
    """The id behind 32 hex digits or a dashed UUID. Raises NotFound for anything else."""
    if not _DIGITS.fullmatch(digits):
        raise NotFound("There is no such thing.")
    return f"{prefix}_{UUID(digits).hex}"


def time_of(identifier: str) -> datetime | None:
    """When an id was made, to the millisecond; None for what is not one of ours."""
    match = _PREFIXED.fullmatch(identifier)
    if match is None:
        return None
    return datetime.fromtimestamp(0, UTC) + timedelta(milliseconds=int(match.group(2)[:12], 16))


def _head() -> int:
    """The first half of a UUIDv7: what time it is."""
    milliseconds, rest = divmod(time_ns(), 1_000_000)
    return milliseconds << 16 | _VERSION | (rest << 12) // 1_000_000


def _renew() -> None:
    """Second halves of this process's own; a forked one starts anew."""
    global _tails  # noqa: PLW0603 (one for the process)
    _tails = count(_VARIANT | randbits(61))


_tails: Iterator[int]
_renew()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew)
