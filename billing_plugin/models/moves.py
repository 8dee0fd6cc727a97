"""The happy path: one charge, hold or capture that nothing speaks against, in the fewest steps.

A `Move` is made ready before the account is locked, from the limits that this process saw last.
Under the lock it is only carried out if all of that is still true and everything fits: same limits
(by their version), same windows, no due work, counters in place and with room, a new key. On
PostgreSQL that is one statement (migration 0003), on SQLite one short transaction. Whatever is out
of the ordinary changes nothing and answers None: then the general path (operations/till.py), which
also finds the words of a refusal, decides.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any, NamedTuple

from billing_plugin import context
from billing_plugin.models import holds, limits, usage
from billing_plugin.models.base import Row, array_of, driver_errors, quoted, read_time, stored_time
from billing_plugin.models.idempotency import Intent, day_of
from billing_plugin.models.limits import HARD, Rule
from billing_plugin.models.seals import digest_of, seal_with
from billing_plugin.models.usage import Dims
from billing_plugin.periods import BEGINNING, END

Run = Callable[..., sqlite3.Cursor]
_LOCK = (
    "SELECT currency, posted_nanos, held_nanos, postpaid_nanos, sequence, seal, limits_version,"
    " due_at, watch_nanos, topup_below_nanos FROM billing_account WHERE id = ?"
)
_COUNT = (
    "UPDATE billing_limit_counter SET spent_nanos = spent_nanos + ?, held_nanos = held_nanos + ?"
    " WHERE limit_id = ? AND bucket = ? AND window_start = ?"
)
_COUNT_WITHIN = _COUNT + " AND spent_nanos + held_nanos + ? <= ?"
_KEY = (
    "INSERT INTO billing_idempotency_key (digest, content, result_id, day_number)"
    " VALUES (?, ?, ?, ?)"
    " ON CONFLICT DO NOTHING"
)
_ACCOUNT = (
    "UPDATE billing_account SET posted_nanos = posted_nanos - ?, held_nanos = held_nanos + ?,"
    " sequence = ?, seal = ? WHERE id = ?"
)
_CAPTURE = (
    "UPDATE billing_hold SET status = 'captured', captured_nanos = ?, resolved_at = ?,"
    " record_id = ? WHERE id = ? AND account_id = ? AND status = 'open' AND expires_at > ?"
    " AND amount_nanos = ? AND amount_nanos >= ?"
)
HOLD_COLUMNS = holds.COLUMNS.partition(", created_at")[0]
_HOLD = (
    f"INSERT INTO billing_hold ({HOLD_COLUMNS}, created_at, expires_at)"
    f" VALUES ({', '.join('?' * 14)})"
)
ENTRY_COLUMNS = (
    "id, account_id, counter_account, kind, amount_nanos, currency, reference_id, reverses_id,"
    " actor, key_id, request_id, metadata"
)
_ENTRY = (
    f"INSERT INTO billing_ledger_entry ({ENTRY_COLUMNS}, balance_after_nanos, sequence,"
    f" effective_at, recorded_at, seal) VALUES ({', '.join('?' * 17)})"
)
_ASKED = ", ".join(["%s"] * 12)
_SPEND_THERE = f"SELECT billing_spend({_ASKED}, %s, %s, %s, %s, %s, %s, %s)"
_RESERVE_THERE = f"SELECT billing_reserve({_ASKED}, %s, %s, %s)"
_SPEND_ALL_THERE = f"SELECT billing_spend_all({', '.join(['%s'] * 10)}, %s, %s, %s)"
_NO_KEY = "null,null"
_KEPT, _KEPT_ACCOUNTS = "scopes", 1_000
RECORD_COLUMNS = usage.COLUMNS.removesuffix(", effective_at, recorded_at")
_RECORD = f"INSERT INTO {usage.TABLE} ({usage.COLUMNS}) VALUES ({', '.join('?' * 17)})"


class Count(NamedTuple):
    """A counter that the move changes, and the ceiling over it."""

    limit_id: str
    bucket: str
    window_start: str
    ceiling: int


@dataclass(slots=True)
class Move:
    """What is to happen to an account: nanos spent and (signed) reserved, and the rows of it.

    It may be carried out from `since` to before `until`. `effective_at` is None for now.
    """

    account_id: str
    currency: str
    version: int
    spend: int
    reserve: int
    counts: list[Count]
    since: datetime
    until: datetime
    intent: Intent | None = None
    result_id: str = ""
    entry: Row | None = None  # by ENTRY_COLUMNS
    record: Row | None = None  # by RECORD_COLUMNS
    effective_at: datetime | None = None
    capture: str | None = None
    hold: Row | None = None  # by HOLD_COLUMNS
    lasting: timedelta = timedelta()
    _text: str = ""

    def tell(self) -> str:
        """The charge as the function billing_spend_all reads it, made once."""
        if not self._text:
            entry, record = self.entry or (), self.record or ()
            key = f'"{self.intent[0].hex()}","{self.intent[1].hex()}"' if self.intent else _NO_KEY
            known = f'{self.spend},{record[13]},"{entry[0]}","{record[0]}"'
            said = (*entry[8:], digest_of(entry[:-1], entry[-1]), *record[5:11], record[14])
            cells = ["null" if cell is None else quoted(cell) for cell in said]
            self._text = f"[{key},{known},{','.join(cells)}]"
        return self._text


class Scope(NamedTuple):
    """The counters that a use at an instant changes, by the limits of a version, and how long
    that stays so."""

    version: int
    counts: list[Count]
    since: datetime
    until: datetime


def scope_of(account_id: str, dims: Dims, at: datetime) -> Scope | None:
    """The scope of a use by the limits that this process saw last; None where a soft, shadow or
    sliding limit is about it, which the general path looks after."""
    version, rules = limits.known_rules(account_id)
    kept: dict[str, tuple[list[Rule], Scope]] = context.current().kept.setdefault(_KEPT, {})
    known = kept.get(account_id)
    if known and known[0] is rules and known[1].since <= at < known[1].until:
        return known[1]
    scope = _scope(version, rules, dims, at=at)
    if scope and not any(rule.filters or rule.partitions for rule in rules):
        if len(kept) >= _KEPT_ACCOUNTS:
            kept.clear()
        kept[account_id] = (rules, scope)  # whoever uses whatever
    return scope


def _scope(version: int, rules: list[Rule], dims: Dims, *, at: datetime) -> Scope | None:
    since, until, counts = BEGINNING, END, []
    for rule in rules:
        bucket = rule.bucket(dims)
        if bucket is None:
            continue
        if rule.action != HARD or rule.slides:
            return None
        period, start = rule.window_at(at)
        since, until = max(since, period.start), min(until, period.end)
        if rule.raise_until is not None and at < rule.raise_until:
            until = min(until, rule.raise_until)
        counts.append(Count(rule.id, bucket, start, rule.ceiling(at)))
    return Scope(version, counts, since, until)


def carry_out(move: Move) -> datetime | None:
    """The moment at which the move was carried out; None where the general path must decide.

    Inside a transaction of the host's it is left to the general path as well.
    """
    database = context.current().database
    if database.in_transaction():
        return None
    return _in_steps(move) if context.is_sqlite() else _in_one_statement(move)


def carry_out_all(moves: Sequence[Move]) -> datetime | None:
    """The moment at which charges of one account, made now, were carried out in their order; None
    where the general path must decide. Several at once are a matter for PostgreSQL alone."""
    if len(moves) == 1:
        return carry_out(moves[0])
    database = context.current().database
    digests = [move.intent.digest for move in moves if move.intent]
    alike = {(move.version, move.currency) for move in moves}
    if context.is_sqlite() or database.in_transaction() or len(alike) > 1:
        return None
    if len(set(digests)) < len(digests):
        return None
    counts, needs = _added_up(moves)
    whole = replace(
        moves[0], counts=counts, since=max(move.since for move in moves),
        until=min(move.until for move in moves),
    )  # fmt: skip
    asked = _asked(whole)[: -len(Intent._fields)]
    spend, uses = sum(move.spend for move in moves), ",".join([move.tell() for move in moves])
    said = (*asked, array_of(needs), spend, f"[{uses}]")
    return _moment(_SPEND_ALL_THERE, said)


def _added_up(moves: Iterable[Move]) -> tuple[list[Count], list[int]]:
    """The counters that the moves change, and by how much."""
    needs: dict[Count, int] = {}
    for move in moves:
        for count in move.counts:
            needs[count] = needs.get(count, 0) + move.spend
    return list(needs), list(needs.values())


def _in_one_statement(move: Move) -> datetime | None:
    sql, said = (_RESERVE_THERE, _reserved(move)) if move.hold else (_SPEND_THERE, _spent(move))
    return _moment(sql, (*_asked(move), *said))


def _moment(sql: str, said: tuple[Any, ...]) -> datetime | None:
    """What a function answers. The cursor stays with its connection: a new one for each statement
    costs a twentieth of a charge."""
    connection: Any = context.current().database.connection()
    with driver_errors():
        try:
            cursor = connection.billing_cursor
        except AttributeError:
            cursor = connection.billing_cursor = connection.cursor()
        return read_time(cursor.execute(sql, said, prepare=True).fetchone()[0])


def _asked(move: Move) -> tuple[Any, ...]:
    own_clock = stored_time(context.now()) if context.has_own_clock() else None
    counts = _columns(tuple(move.counts))
    digest, content = move.intent or (None, None)
    return (
        move.account_id, move.currency, move.version, own_clock, stored_time(move.since),
        stored_time(move.until), *counts, digest, content,
    )  # fmt: skip


def _reserved(move: Move) -> tuple[Any, ...]:
    hold_id, _, _, _, _, *wanted = move.hold or ()
    return (move.reserve, array_of((hold_id, *wanted)), f"{move.lasting.total_seconds()} seconds")


def _spent(move: Move) -> tuple[Any, ...]:
    entry, record = move.entry or (), move.record or ()
    effective_at = stored_time(move.effective_at) if move.effective_at else None
    quantities, price, _, _, flagged, metadata = record[9:]
    used = (record[0], *record[5:9], quantities, price, flagged, metadata)
    digest = digest_of(entry[:-1], entry[-1])
    entered = array_of((entry[0], *entry[8:]))
    return (
        move.spend, move.reserve, entered, digest, array_of(used), move.capture, effective_at,
    )  # fmt: skip


@lru_cache(maxsize=1024)
def _columns(counts: tuple[Count, ...]) -> tuple[str, ...]:
    columns = tuple(array_of(column) for column in zip(*counts, strict=True))
    return columns or ("{}",) * 4


def _in_steps(move: Move) -> datetime | None:
    connection: sqlite3.Connection = context.current().database.connection()
    run = connection.execute
    with driver_errors():
        run("BEGIN IMMEDIATE")
        try:
            at = context.now()
            now = stored_time(at)
            state = _fits(run, move, now) if move.since <= at < move.until else None
            done = state is not None and _write(run, move, state, moment=(at, now))
            run("COMMIT" if done else "ROLLBACK")
        except BaseException:
            if connection.in_transaction:
                run("ROLLBACK")
            raise
    return at if done else None


class _State(NamedTuple):
    """What the move starts from."""

    posted: int
    sequence: int
    seal: str


def _fits(run: Run, move: Move, now: str) -> _State | None:
    row = run(_LOCK, (move.account_id,)).fetchone()
    if row is None:
        return None
    currency, posted, held, postpaid, sequence, seal, version, due_at, watch, topup_below = row
    need = move.spend + move.reserve
    if currency != move.currency or version != move.version or due_at <= now:
        return None
    left = posted - held - need
    if need > 0 and (left < -postpaid or (topup_below is not None and left < topup_below)):
        return None
    if move.spend > 0 and posted - move.spend < watch:
        return None
    return _State(posted, sequence, seal)


def _write(run: Run, move: Move, state: _State, *, moment: tuple[datetime, str]) -> bool:
    at, now = moment
    if move.capture and not _captured(run, move, now):
        return False
    if move.intent:
        key = (*move.intent, move.result_id, day_of(at))
        if run(_KEY, key).rowcount != 1:
            return False
    if not all(_counted(run, move, count) for count in move.counts):
        return False
    if move.hold:
        run(_HOLD, (*move.hold, now, stored_time(at + move.lasting)))
    if move.entry and move.record:
        state = _enter(run, move, state, rows=(move.entry, move.record), now=now)
    run(_ACCOUNT, (move.spend, move.reserve, state.sequence, state.seal, move.account_id))
    return True


def _counted(run: Run, move: Move, count: Count) -> bool:
    changed = (move.spend, move.reserve, count.limit_id, count.bucket, count.window_start)
    need = move.spend + move.reserve
    if need <= 0:
        run(_COUNT, changed)  # a counter that is not there will be counted from the books
        return True
    return run(_COUNT_WITHIN, (*changed, need, count.ceiling)).rowcount == 1


def _captured(run: Run, move: Move, now: str) -> bool:
    record_id = move.record[0] if move.record else None
    taken = (move.spend, now, record_id, move.capture, move.account_id, now)
    return run(_CAPTURE, (*taken, -move.reserve, move.spend)).rowcount == 1


def _enter(run: Run, move: Move, state: _State, *, rows: tuple[Row, Row], now: str) -> _State:
    entry, record = rows
    effective = stored_time(move.effective_at) if move.effective_at else now
    sequence, balance = state.sequence + 1, state.posted - move.spend
    digest = digest_of(entry[:-1], entry[-1])
    seal = seal_with(state.seal, (sequence, balance, effective, now), digest)
    run(_ENTRY, (*entry, balance, sequence, effective, now, seal))
    run(_RECORD, (*record, effective, now))
    cell = (move.account_id, effective[:10], *record[7:9])  # provider and model
    run(usage.ROLL_UP, (*cell, move.spend, 1, record[13]))  # flagged
    return _State(balance, sequence, seal)
