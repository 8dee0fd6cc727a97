"""The reference on SQLite: what a careful programmer writes by hand, with the very same effects.

Nothing here is general: one account, one limit, a fixed model. The doctor and the seals judge the
books that it leaves, so it cannot do less than the product does.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
from datetime import UTC, datetime
from typing import NoReturn

from uuid6 import uuid7

from billing_plugin.context import SQLITE_PRAGMAS

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
LOCK = (
    "SELECT posted_nanos, held_nanos, floor_nanos, sequence, seal, due_at FROM billing_account"
    " WHERE id = ?"
)
KNOWN = "SELECT content, result_id FROM billing_idempotency_key WHERE digest = ?"
COUNTER = (
    "SELECT spent_nanos, held_nanos FROM billing_limit_counter"
    " WHERE limit_id = ? AND bucket = '' AND window_start = ?"
)
MOVE = (
    "UPDATE billing_account SET posted_nanos = ?, held_nanos = ?, sequence = ?, seal = ?"
    " WHERE id = ?"
)
RESERVE = "UPDATE billing_account SET held_nanos = ? WHERE id = ?"
ENTRY = (
    "INSERT INTO billing_ledger_entry (id, account_id, counter_account, kind, amount_nanos,"
    " currency, balance_after_nanos, sequence, reference_id, reverses_id, actor, key_id,"
    " request_id, metadata, effective_at, recorded_at, seal)"
    " VALUES (?, ?, 'revenue', 'usage', ?, 'USD', ?, ?, NULL, NULL, 'host', NULL, NULL, ?, ?, ?, ?)"
)
RECORD = (
    "INSERT INTO billing_usage_record (id, account_id, entry_id, hold_id, corrects_id, key_id,"
    " agent, provider, model, quantities, price, cost_nanos, currency, flagged, metadata,"
    " effective_at, recorded_at) VALUES (?, ?, ?, ?, NULL, NULL, NULL, ?, ?, '{}',"
    """ '{"source":"caller"}', ?, 'USD', 0, '{}', ?, ?)"""
)
ROLL_UP = (
    "INSERT INTO billing_usage_rollup AS r (account_id, day, provider, model, cost_nanos, records,"
    " flagged) VALUES (?, ?, ?, ?, ?, 1, 0) ON CONFLICT (account_id, day, provider, model)"
    " DO UPDATE SET cost_nanos = r.cost_nanos + excluded.cost_nanos, records = r.records + 1"
)
COUNT = (
    "INSERT INTO billing_limit_counter (limit_id, bucket, window_start, spent_nanos, held_nanos)"
    " VALUES (?, '', ?, ?, ?) ON CONFLICT (limit_id, bucket, window_start)"
    " DO UPDATE SET spent_nanos = excluded.spent_nanos, held_nanos = excluded.held_nanos"
)
REMEMBER = (
    "INSERT INTO billing_idempotency_key (digest, content, result_id, day_number)"
    " VALUES (?, ?, ?, ?)"
)
HOLD = (
    "INSERT INTO billing_hold (id, account_id, amount_nanos, currency, status, actor, provider,"
    " model, metadata, created_at, expires_at) VALUES (?, ?, ?, 'USD', 'open', 'host', ?, ?, '{}',"
    " ?, ?)"
)
FIND_HOLD = "SELECT amount_nanos, status, created_at, expires_at FROM billing_hold WHERE id = ?"
CAPTURE = (
    "UPDATE billing_hold SET status = 'captured', captured_nanos = ?, record_id = ?,"
    " resolved_at = ? WHERE id = ?"
)


class RawSqlite:
    """One account and one monthly limit, charged by hand-written SQL."""

    def __init__(self, path: str, account_id: str, limit_id: str, *, ceiling: int) -> None:
        self.connection = sqlite3.connect(path, isolation_level=None, timeout=30)
        for name, value in SQLITE_PRAGMAS.items():
            self.connection.execute(f"PRAGMA {name} = {value}")
        self.account_id, self.limit_id, self.ceiling = account_id, limit_id, ceiling

    def charge(self, nanos: int, *, provider: str, model: str, key: str) -> None:
        """One idempotent, limited, ledgered charge."""
        at = datetime.now(UTC)
        digest = _hash(f"{self.account_id}\0usage\0{key}")
        content = _hash(f"{model}\n{provider}\n{nanos}")
        execute = self.connection.execute
        execute("BEGIN IMMEDIATE")
        try:
            state = execute(LOCK, (self.account_id,)).fetchone()
            if execute(KNOWN, (digest,)).fetchone():
                _refuse("a replay")
            record_id = self._spend(state, nanos, provider=provider, model=model, at=at)
            execute(REMEMBER, (digest, content, record_id, (at - EPOCH).days))
            execute("COMMIT")
        except BaseException:
            execute("ROLLBACK")
            raise

    def hold(self, nanos: int, *, provider: str, model: str, until: datetime) -> str:
        """One limited reservation."""
        at = datetime.now(UTC)
        execute, month = self.connection.execute, _month(at)
        execute("BEGIN IMMEDIATE")
        try:
            posted, held, floor, *_ = execute(LOCK, (self.account_id,)).fetchone()
            spent, limited = execute(COUNTER, (self.limit_id, month)).fetchone()
            if posted - held - nanos < floor or spent + limited + nanos > self.ceiling:
                _refuse("refused")
            hold_id = f"hold_{uuid7().hex}"
            execute(RESERVE, (held + nanos, self.account_id))
            execute(COUNT, (self.limit_id, month, spent, limited + nanos))
            said = (hold_id, self.account_id, nanos, provider, model)
            execute(HOLD, (*said, _iso(at), _iso(until)))
            execute("COMMIT")
        except BaseException:
            execute("ROLLBACK")
            raise
        return hold_id

    def capture(self, hold_id: str, nanos: int, *, provider: str, model: str) -> None:
        """Takes part of a hold and gives the rest back."""
        at = datetime.now(UTC)
        execute = self.connection.execute
        execute("BEGIN IMMEDIATE")
        try:
            state = execute(LOCK, (self.account_id,)).fetchone()
            amount, status, made, expires = execute(FIND_HOLD, (hold_id,)).fetchone()
            if status != "open" or nanos > amount or expires <= _iso(at):
                _refuse("refused")
            record_id = self._spend(
                state, nanos, provider=provider, model=model, at=at, hold=(hold_id, amount, made)
            )
            execute(CAPTURE, (nanos, record_id, _iso(at), hold_id))
            execute("COMMIT")
        except BaseException:
            execute("ROLLBACK")
            raise

    def _spend(
        self, state: tuple, nanos: int, *, provider: str, model: str, at: datetime,
        hold: tuple = (None, 0, None),
    ) -> str:  # fmt: skip
        execute, now = self.connection.execute, _iso(at)
        hold_id, freed, made = hold
        effective = made or now
        month = f"{effective[:7]}-01T00:00:00.000000Z"
        posted, held, floor, sequence, seal, _ = state
        spent, limited = execute(COUNTER, (self.limit_id, month)).fetchone()
        if posted - held + freed - nanos < floor or spent + limited + nanos - freed > self.ceiling:
            _refuse("refused")
        entry_id, record_id = f"led_{uuid7().hex}", f"use_{uuid7().hex}"
        metadata = json.dumps(
            {"model": model, "provider": provider, "tokens": 0}, sort_keys=True,
            separators=(",", ":"),
        )  # fmt: skip
        balance, sequence = posted - nanos, sequence + 1
        said = (
            entry_id, self.account_id, "revenue", "usage", -nanos, "USD", None, None, "host", None,
            None, metadata,
        )  # fmt: skip
        digest = hashlib.sha256(ascii(said).encode()).hexdigest()
        text = f"{seal}\n{sequence}\n{balance}\n{effective}\n{now}\n{digest}"
        seal = hashlib.sha256(text.encode()).hexdigest()
        execute(MOVE, (balance, held - freed, sequence, seal, self.account_id))
        moved = (entry_id, self.account_id, -nanos, balance, sequence, metadata)
        execute(ENTRY, (*moved, effective, now, seal))
        used = (record_id, self.account_id, entry_id, hold_id, provider, model, nanos)
        execute(RECORD, (*used, effective, now))
        execute(ROLL_UP, (self.account_id, effective[:10], provider, model, nanos))
        execute(COUNT, (self.limit_id, month, spent + nanos, limited - freed))
        return record_id


def _refuse(why: str) -> NoReturn:
    raise ValueError(why)


def _hash(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()[:16]


def _iso(at: datetime) -> str:
    return at.isoformat(timespec="microseconds").replace("+00:00", "Z")


def _month(at: datetime) -> str:
    return f"{at:%Y-%m}-01T00:00:00.000000Z"
