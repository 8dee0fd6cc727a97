"""The reference on PostgreSQL: one prepared statement each, written by hand, same effects.

Shape: lock the rows, compute a verdict, write from the verdict. Nothing here is general: one
account, one limit. The doctor and the seals judge the books that it leaves.
"""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime
from typing import Any

import psycopg
from uuid6 import uuid7

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
ISO = """'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'"""
SEAL = f"""encode(sha256(convert_to(concat_ws(E'\\n', v.seal, v.sequence + 1,
    v.posted_nanos - %(n)s, to_char(%(effective)s::timestamptz AT TIME ZONE 'UTC', {ISO}),
    to_char(%(at)s::timestamptz AT TIME ZONE 'UTC', {ISO}), %(said)s::text), 'UTF8')), 'hex')"""
SPENT = """
ent AS (INSERT INTO billing_ledger_entry (id, account_id, counter_account, kind, amount_nanos,
    currency, balance_after_nanos, sequence, actor, metadata, effective_at, recorded_at, seal)
  SELECT %(entry)s, %(account)s, 'revenue', 'usage', -%(n)s, 'USD', posted_nanos, sequence, 'host',
    %(metadata)s, %(effective)s::timestamptz, %(at)s::timestamptz, seal FROM upd),
rec AS (INSERT INTO billing_usage_record (id, account_id, entry_id, hold_id, provider, model,
    quantities, price, cost_nanos, currency, flagged, metadata, effective_at, recorded_at)
  SELECT %(record)s, %(account)s, %(entry)s, %(hold)s::text, %(provider)s, %(model)s, '{}',
    '{"source":"caller"}', %(n)s, 'USD', 0, '{}', %(effective)s::timestamptz,
    %(at)s::timestamptz FROM upd),
rol AS (INSERT INTO billing_usage_rollup AS r (account_id, day, provider, model, cost_nanos,
    records, flagged) SELECT %(account)s, %(day)s, %(provider)s, %(model)s, %(n)s, 1, 0 FROM upd
  ON CONFLICT (account_id, day, provider, model) DO UPDATE
  SET cost_nanos = r.cost_nanos + excluded.cost_nanos, records = r.records + 1)
"""
LOCKED = """
acc AS (SELECT posted_nanos, held_nanos, floor_nanos, sequence, seal FROM billing_account
  WHERE id = %(account)s FOR UPDATE),
cnt AS (SELECT spent_nanos, held_nanos AS limited FROM billing_limit_counter
  WHERE limit_id = %(limit)s AND bucket = '' AND window_start = %(month)s::timestamptz FOR UPDATE)
"""
CHARGE = f"""
WITH {LOCKED},
v AS (SELECT acc.*, posted_nanos - held_nanos - %(n)s >= floor_nanos
    AND spent_nanos + limited + %(n)s <= %(ceiling)s
    AND NOT EXISTS (SELECT 1 FROM billing_idempotency_key WHERE digest = %(digest)s) AS ok
  FROM acc, cnt),
upd AS (UPDATE billing_account a SET posted_nanos = v.posted_nanos - %(n)s,
    sequence = v.sequence + 1, seal = {SEAL} FROM v WHERE a.id = %(account)s AND v.ok
  RETURNING a.posted_nanos, a.sequence, a.seal),
{SPENT},
lim AS (UPDATE billing_limit_counter SET spent_nanos = spent_nanos + %(n)s FROM upd
  WHERE limit_id = %(limit)s AND bucket = '' AND window_start = %(month)s::timestamptz),
key AS (INSERT INTO billing_idempotency_key (digest, content, result_id, day_number)
  SELECT %(digest)s, %(content)s, %(record)s, %(number)s FROM upd)
SELECT ok FROM v
"""
HOLD = f"""
WITH {LOCKED},
v AS (SELECT posted_nanos - held_nanos - %(n)s >= floor_nanos
    AND spent_nanos + limited + %(n)s <= %(ceiling)s AS ok FROM acc, cnt),
upd AS (UPDATE billing_account a SET held_nanos = a.held_nanos + %(n)s FROM v
  WHERE a.id = %(account)s AND v.ok RETURNING a.id),
lim AS (UPDATE billing_limit_counter SET held_nanos = held_nanos + %(n)s FROM upd
  WHERE limit_id = %(limit)s AND bucket = '' AND window_start = %(month)s::timestamptz),
hol AS (INSERT INTO billing_hold (id, account_id, amount_nanos, currency, status, actor, provider,
    model, metadata, created_at, expires_at)
  SELECT %(hold)s, %(account)s, %(n)s, 'USD', 'open', 'host', %(provider)s, %(model)s, '{{}}',
    %(at)s::timestamptz, %(until)s::timestamptz FROM upd)
SELECT ok FROM v
"""
CAPTURE = f"""
WITH {LOCKED},
own AS (SELECT amount_nanos FROM billing_hold WHERE id = %(hold)s AND account_id = %(account)s
  AND status = 'open' AND expires_at > %(at)s::timestamptz AND amount_nanos >= %(n)s FOR UPDATE),
v AS (SELECT acc.*, amount_nanos, true AS ok FROM acc, cnt, own),
upd AS (UPDATE billing_account a SET posted_nanos = v.posted_nanos - %(n)s,
    held_nanos = v.held_nanos - v.amount_nanos, sequence = v.sequence + 1, seal = {SEAL} FROM v
  WHERE a.id = %(account)s RETURNING a.posted_nanos, a.sequence, a.seal),
{SPENT},
lim AS (UPDATE billing_limit_counter c SET spent_nanos = spent_nanos + %(n)s,
    held_nanos = c.held_nanos - v.amount_nanos FROM upd, v
  WHERE limit_id = %(limit)s AND bucket = '' AND window_start = %(month)s::timestamptz),
hol AS (UPDATE billing_hold SET status = 'captured', captured_nanos = %(n)s,
    record_id = %(record)s, resolved_at = %(at)s::timestamptz FROM upd WHERE id = %(hold)s)
SELECT ok FROM v
"""


class RawPostgresql:
    """One account and one monthly limit, charged by one statement each."""

    def __init__(self, url: str, account_id: str, limit_id: str, *, ceiling: int) -> None:
        self.connection = psycopg.connect(url, autocommit=True)
        self.account_id, self.limit_id, self.ceiling = account_id, limit_id, ceiling

    def charge(self, nanos: int, *, provider: str, model: str, key: str) -> None:
        """One idempotent, limited, ledgered charge."""
        at = datetime.now(UTC)
        said = self._spent(nanos, provider=provider, model=model, at=at)
        said |= {
            "digest": _hash(f"{self.account_id}\0usage\0{key}"),
            "content": _hash(f"{model}\n{provider}\n{nanos}"),
            "number": (at - EPOCH).days,
        }
        self._run(CHARGE, said)

    def hold(self, nanos: int, *, provider: str, model: str, until: datetime) -> str:
        """One limited reservation."""
        hold_id = f"hold_{uuid7().hex}"
        said = self._said(nanos, provider=provider, model=model, at=datetime.now(UTC))
        self._run(HOLD, said | {"hold": hold_id, "until": until})
        return hold_id

    def capture(self, hold_id: str, nanos: int, *, provider: str, model: str) -> None:
        """Takes part of a hold and gives the rest back."""
        at = datetime.now(UTC)
        said = self._spent(nanos, provider=provider, model=model, at=at)
        self._run(CAPTURE, said | {"hold": hold_id})

    def _run(self, sql: str, said: dict[str, Any]) -> None:
        row = self.connection.execute(sql, said, prepare=True).fetchone()
        if row is None or not row[0]:
            raise ValueError("refused")

    def _said(self, nanos: int, *, provider: str, model: str, at: datetime) -> dict[str, Any]:
        return {
            "account": self.account_id, "limit": self.limit_id, "ceiling": self.ceiling,
            "n": nanos, "provider": provider, "model": model, "at": at,
            "month": at.replace(day=1, hour=0, minute=0, second=0, microsecond=0),
        }  # fmt: skip

    def _spent(self, nanos: int, *, provider: str, model: str, at: datetime) -> dict[str, Any]:
        entry_id, record_id = f"led_{uuid7().hex}", f"use_{uuid7().hex}"
        metadata = json.dumps(
            {"model": model, "provider": provider, "tokens": 0}, sort_keys=True,
            separators=(",", ":"),
        )  # fmt: skip
        row = (
            entry_id, self.account_id, "revenue", "usage", -nanos, "USD", None, None, "host", None,
            None, metadata,
        )  # fmt: skip
        return self._said(nanos, provider=provider, model=model, at=at) | {
            "entry": entry_id, "record": record_id, "metadata": metadata, "effective": at,
            "hold": None, "said": hashlib.sha256(ascii(row).encode()).hexdigest(),
            "day": f"{at:%Y-%m-%d}",
        }  # fmt: skip


def _hash(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()[:16]
