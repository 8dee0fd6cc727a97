"""Seals: each entry of the ledger carries a hash over its content and the seal before it."""

from __future__ import annotations

import hashlib

from billing_plugin.models.base import Row


def seal_of(previous: str, row: Row) -> str:
    """The seal of an entry: SHA-256 over the seal before it and all of its columns.

    What is known before the account is locked comes first, by a hash of its own, so that a
    database can finish the seal.
    """
    digest = digest_of((*row[:6], *row[8:13]), row[13])
    return seal_with(previous, (row[7], row[6], row[14], row[15]), digest)


def seal_with(previous: str, state: Row, digest: str) -> str:
    """The seal from its parts; `state` is sequence, balance and the two times as stored."""
    sequence, balance, effective_at, recorded_at = state
    text = f"{previous}\n{sequence}\n{balance}\n{effective_at}\n{recorded_at}\n{digest}"
    return hashlib.sha256(text.encode()).hexdigest()


def digest_of(said: Row, metadata: str) -> str:
    """The hash of the columns of an entry that do not depend on the account's state: of the
    Python literal of their tuple, in ASCII."""
    return hashlib.sha256(ascii((*said, metadata)).encode()).hexdigest()
