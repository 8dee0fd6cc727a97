"""What limits have counted. The counter belongs to the window, not to the limit's amount.

A window that has no counter yet is counted from the usage records and open holds in it, so a new,
edited or re-created limit never grants a second budget.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from billing_plugin import periods
from billing_plugin.models import holds
from billing_plugin.models.base import (
    fetch_all,
    fetch_one,
    load,
    read_time,
)
from billing_plugin.models.limits import Cell, Rule
from billing_plugin.models.usage import Dims
from billing_plugin.periods import Period

_FIND = (
    "SELECT spent_nanos, held_nanos FROM billing_limit_counter"
    " WHERE limit_id = ? AND bucket = ? AND window_start = ?"
)
_SLOTS = (
    "SELECT window_start, spent_nanos, held_nanos FROM billing_limit_counter"
    " WHERE limit_id = ? AND bucket = ? AND window_start >= ? AND window_start <= ?"
)
_USED = (
    "SELECT provider, model, key_id, agent, metadata, effective_at, cost_nanos"
    " FROM billing_usage_record WHERE account_id = ? AND effective_at >= ? AND effective_at < ?"
)
_SUM = (
    "SELECT SUM(cost_nanos) FROM billing_usage_record"
    " WHERE account_id = ? AND effective_at >= ? AND effective_at < ?"
)


@dataclass(slots=True)
class Counter:
    """What one limit has counted in one window (or slot) and bucket."""

    spent_nanos: int = 0
    held_nanos: int = 0
    changed: bool = False

    @property
    def used(self) -> int:
        """Spent and held."""
        return self.spent_nanos + self.held_nanos


def load_one(account_id: str, cell: Cell, period: Period) -> Counter:
    """The counter of a window; from the books where nothing is stored."""
    stored = load_stored(cell, period)
    if stored is not None:
        return stored
    return count(account_id, cell, period).get(period.start, Counter())


def load_stored(cell: Cell, period: Period) -> Counter | None:
    """The counter of a window as it is stored."""
    row = fetch_one(_FIND, (cell.rule.id, cell.bucket, period.start))
    return None if row is None else Counter(*row)


def load_slots(account_id: str, cell: Cell, starts: list[datetime]) -> dict[datetime, Counter]:
    """The counters of a sliding window's slots, by their starts; what was not stored is counted
    from the books, and marked to be stored, so that nobody has to count it again."""
    rows = fetch_all(_SLOTS, (cell.rule.id, cell.bucket, starts[0], starts[-1]))
    found = {start: Counter(spent, held) for at, spent, held in rows if (start := read_time(at))}
    uncounted = [start for start in starts if start not in found]
    if uncounted:
        end = uncounted[-1] + periods.slot_length(cell.rule.length_s)
        fresh = count(account_id, cell, Period(uncounted[0], end))
        for start in uncounted:
            found[start] = fresh.get(start, Counter())
            found[start].changed = True
    return found


def count(account_id: str, cell: Cell, period: Period) -> dict[datetime, Counter]:
    """What the books say about a bucket in a period, by the start of the rule's window (or slot)
    in it."""
    counted = tally(account_id, cell.rule, period)
    return {start: one for (bucket, start), one in counted.items() if bucket == cell.bucket}


def tally(account_id: str, rule: Rule, period: Period) -> dict[tuple[str, datetime], Counter]:
    """What the books say about every bucket of a rule in a period, by bucket and the start of the
    window (or slot)."""
    found: dict[tuple[str, datetime], Counter] = {}
    for at, dims, nanos in _uses(account_id, rule, period):
        if (bucket := rule.bucket(dims)) is not None:
            found.setdefault((bucket, rule.period(at).start), Counter()).spent_nanos += nanos
    for hold in holds.open_within(account_id, period.start, period.end):
        if (bucket := rule.bucket(hold.dims)) is not None:
            key = (bucket, rule.period(hold.created_at).start)
            found.setdefault(key, Counter()).held_nanos += hold.amount_nanos
    return found


def buckets(limit_id: str, start: datetime, end: datetime) -> list[str]:
    """The buckets of a limit that have counted in a period, in order."""
    rows = fetch_all(
        "SELECT DISTINCT bucket FROM billing_limit_counter WHERE limit_id = ?"
        " AND window_start >= ? AND window_start < ? ORDER BY bucket",
        (limit_id, start, end),
    )
    return [row[0] for row in rows]


def values_of(bucket: str) -> list[str | None]:
    """The values of the partitions that a bucket stands for."""
    found: list[str | None] = load(bucket) if bucket else []
    return found


def stored_windows(limit_id: str) -> list[tuple[str, datetime, int, int]]:
    """Every stored counter of a limit: bucket, window start, spent and held nanos."""
    rows = fetch_all(
        "SELECT bucket, window_start, spent_nanos, held_nanos FROM billing_limit_counter"
        " WHERE limit_id = ?",
        (limit_id,),
    )
    return [(row[0], read_time(row[1]) or periods.END, row[2], row[3]) for row in rows]


def notices(limit_id: str) -> list[dict[str, Any]]:
    """What a limit has had to say, newest first: one line for each window, bucket and kind."""
    names = ("bucket", "window_start", "kind", "times", "requested_nanos", "first_at", "last_at")
    rows = fetch_all(
        f"SELECT {', '.join(names)} FROM billing_limit_notice WHERE limit_id = ?"
        " ORDER BY last_at DESC, bucket LIMIT 100",
        (limit_id,),
    )
    return [
        {name: read_time(v) if name.endswith(("_at", "_start")) else v for name, v in pairs}
        for pairs in (zip(names, row, strict=True) for row in rows)
    ]


def _uses(account_id: str, rule: Rule, period: Period) -> Iterable[tuple[datetime, Dims, int]]:
    if not (rule.filters or rule.partitions or rule.slides):
        row = fetch_one(_SUM, (account_id, period.start, period.end))
        nothing = Dims(None, None, "", "", {})
        return [(period.start, nothing, int(row[0]))] if row and row[0] is not None else []
    rows = fetch_all(_USED, (account_id, period.start, period.end))
    return ((read_time(row[5]) or periods.END, _dims(row), int(row[6])) for row in rows)


def _dims(row: tuple[Any, ...]) -> Dims:
    provider, model, key, agent, metadata, *_ = row
    return Dims(key, agent, provider, model, load(metadata))
