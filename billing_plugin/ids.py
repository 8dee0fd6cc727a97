"""Prefixed ids that sort by time: a prefix and a UUIDv7, such as `acct_0199…`.

The 32 hex digits are the id's own UUID, so each dialect shows the form its contract asks for
(32-hex for Cloudflare, dashed UUID for xAI) without a table of translations.
"""

from __future__ import annotations

import re
from uuid import UUID

from uuid6 import uuid7

from billing_plugin.errors import NotFound

_PREFIXED = re.compile(r"([a-z]+)_([0-9a-f]{32})")
_DIGITS = re.compile(r"[0-9a-f]{32}|[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}", re.ASCII | re.I)


def new_id(prefix: str) -> str:
    """A new id: the prefix, an underscore, 32 hex digits that rise with time."""
    return f"{prefix}_{uuid7().hex}"


def new_ids(prefix: str, number: int) -> list[str]:
    """As many new ids, each one more than the one before (RFC 9562, monotonic random)."""
    first = uuid7().int
    return [f"{prefix}_{first + step:032x}" for step in range(number)]


def new_pair(first: str, second: str) -> tuple[str, str]:
    """Two new ids at once, of different prefixes."""
    number = uuid7().int
    return f"{first}_{number:032x}", f"{second}_{number + 1:032x}"


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
