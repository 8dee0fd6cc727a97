"""Ceilings: an account's limits at work, under the account's lock.

Every debit and every hold asks all of them, in the same transaction in which it is written.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from billing_plugin import periods
from billing_plugin.errors import LimitExceeded
from billing_plugin.models.base import Row, execute_many, stored_time
from billing_plugin.models.counters import Counter, load_one, load_slots, load_stored, tally
from billing_plugin.models.limits import HARD, METADATA, SHADOW, SOFT, WHOLE, Cell, Rule
from billing_plugin.models.reached import Reached, reached, tell
from billing_plugin.models.usage import Dims
from billing_plugin.money import Money
from billing_plugin.periods import SLOTS, Period

REACHED, WOULD_REFUSE = "reached", "would_refuse"
_AHEAD = timedelta(minutes=10)  # twice what a use may lie ahead, as clocks differ
COUNTER_COLUMNS = "limit_id, bucket, window_start, spent_nanos, held_nanos"
COUNTER_UPSERT = (
    " ON CONFLICT (limit_id, bucket, window_start)"
    " DO UPDATE SET spent_nanos = excluded.spent_nanos, held_nanos = excluded.held_nanos"
)
_STORE = (
    f"INSERT INTO billing_limit_counter ({COUNTER_COLUMNS}) VALUES (?, ?, ?, ?, ?){COUNTER_UPSERT}"
)
_NOTICE = (
    "INSERT INTO billing_limit_notice AS n"
    " (limit_id, bucket, window_start, kind, times, requested_nanos, first_at, last_at)"
    " VALUES (?, ?, ?, ?, 1, ?, ?, ?) ON CONFLICT (limit_id, bucket, window_start, kind)"
    " DO UPDATE SET times = n.times + 1, last_at = excluded.last_at,"
    " requested_nanos = n.requested_nanos + excluded.requested_nanos"
)


class Notice(NamedTuple):
    """What a soft or shadow limit has to say about a use that was let through."""

    limit_id: str
    bucket: str
    window_start: str
    kind: str
    requested_nanos: int


@dataclass(slots=True)
class Ceilings:
    """The rules of one account, with the counters that debits and holds touch.

    `at` is the moment of deciding: it says which raises are in force and how far windows reach.
    """

    account_id: str
    rules: list[Rule]
    at: datetime
    notices: list[Notice] = field(default_factory=list)
    told: list[tuple[Reached, dict[str, Any]]] = field(default_factory=list)
    _counters: dict[tuple[str, str, datetime], Counter] = field(default_factory=dict)
    _whole: list[Cell] | None = None  # the cells of every use, where no rule asks whose it is

    @property
    def are_plain(self) -> bool:
        """Whether all of them are hard, fixed, and not about metadata: then what is of one key,
        provider and model and in one window can be added up before it is held against them."""
        return all(
            rule.action == HARD
            and not rule.slides
            and not any(name.startswith(METADATA) for name, _ in rule.filters)
            and not any(name.startswith(METADATA) for name in rule.partitions)
            for rule in self.rules
        )

    def in_one_window(self, dims: Dims, span: tuple[datetime, datetime]) -> bool:
        """Whether the first and the last of the instants share every window."""
        first, last = span
        return all(
            first in (period := cell.rule.period(last)) and last in period
            for cell in self.cells(dims)
        )

    def have_counted(self, dims: Dims, at: datetime) -> bool:
        """Whether every window of a use at the instant has its counter, so that none of them will
        be counted from the books."""
        for cell in self.cells(dims):
            period = cell.rule.period(at)
            key = (cell.rule.id, cell.bucket, period.start)
            found = self._counters.get(key) or load_stored(cell, period)
            if found is None:
                return False
            self._counters[key] = found
        return True

    def cells(self, dims: Dims) -> list[Cell]:
        """Where a use counts: the bucket of every rule that is about it."""
        if self._whole is None:
            plain = not any(rule.filters or rule.partitions for rule in self.rules)
            self._whole = [Cell(rule, WHOLE) for rule in self.rules] if plain else []
        if self._whole or not self.rules:
            return self._whole
        buckets = ((rule, rule.bucket(dims)) for rule in self.rules)
        return [Cell(rule, bucket) for rule, bucket in buckets if bucket is not None]

    def refusal(self, dims: Dims, nanos: int, at: datetime) -> LimitExceeded | None:
        """The first hard limit that so much more at `at` would pass, or None. Zero always fits."""
        for cell in self.cells(dims) if nanos else ():
            rule = cell.rule
            if rule.action == HARD and self._fullest(cell, at).used + nanos > rule.ceiling(self.at):
                return self._refusal(cell, nanos, at)
        return None

    def spend(self, dims: Dims, nanos: int, at: datetime, *, was_held: bool = False) -> None:
        """Counts a debit in every limit's window. Call `store` to keep it."""
        for cell in self.cells(dims):
            action = cell.rule.action
            if nanos > 0 and (action == SOFT or (action == SHADOW and not was_held)):
                self._note(cell, nanos, at)
            counter = self.counter(cell, cell.rule.period(at))
            counter.spent_nanos += nanos
            counter.changed = True

    def hold(self, dims: Dims, nanos: int, at: datetime) -> None:
        """Counts so much more (or, negative, less) as held."""
        for cell in self.cells(dims):
            if nanos > 0 and cell.rule.action == SHADOW:
                self._note(cell, nanos, at)
            counter = self.counter(cell, cell.rule.period(at))
            counter.held_nanos += nanos
            counter.changed = True

    def used(self, cell: Cell, at: datetime) -> Counter:
        """What the window that ends (or holds, where it is fixed) at the instant has counted."""
        rule = cell.rule
        if not rule.slides:
            return self.counter(cell, rule.period(at))
        return _sum(self._slots(cell, self.first_slot(rule, at), rule.period(at).start))

    def first_slot(self, rule: Rule, at: datetime) -> datetime:
        """The start of the oldest slot of a sliding window that ends at the instant."""
        return max(rule.period(at).start - _reach(rule), periods.BEGINNING)

    def counter(self, cell: Cell, period: Period) -> Counter:
        """The counter of one window or slot; counted from the books where nothing is stored."""
        key = (cell.rule.id, cell.bucket, period.start)
        found = self._counters.get(key)
        if found is None:
            found = self._counters[key] = load_one(self.account_id, cell, period)
        return found

    def lay_out(self) -> None:
        """Counts every bucket of the rules from the books, from the present windows on: so a new
        partition shows what was used before it was set. Call `store` to keep it."""
        for rule in self.rules:
            start = self.first_slot(rule, self.at) if rule.slides else rule.period(self.at).start
            counted = tally(self.account_id, rule, Period(start, periods.END))
            for (bucket, begun), counter in counted.items():
                counter.changed = True
                self._counters[rule.id, bucket, begun] = counter

    def store(self) -> None:
        """Writes the counters that changed and the notices, in the present transaction."""
        execute_many(_STORE, self.changed_rows())
        self.store_notices()

    def changed_rows(self) -> list[Row]:
        """The counters that changed, by COUNTER_COLUMNS."""
        return [
            (limit_id, bucket, stored_time(start), counter.spent_nanos, counter.held_nanos)
            for (limit_id, bucket, start), counter in self._counters.items()
            if counter.changed
        ]

    def store_notices(self) -> None:
        """Writes what soft and shadow limits had to say, and tells which were reached."""
        at = stored_time(self.at)
        execute_many(_NOTICE, [(*notice, at, at) for notice in self.notices])
        for one, said in self.told:
            tell(self.account_id, one, said)
        self.notices.clear()
        self.told.clear()

    def _fullest(self, cell: Cell, at: datetime) -> Counter:
        """The window of the instant; of windows that slide, the one that holds the instant and
        has the most spent and held, early uses included."""
        rule = cell.rule
        if not rule.slides:
            return self.counter(cell, rule.period(at))
        start = rule.period(at).start
        newest = periods.slot(rule.length_s, self.at + _AHEAD).start
        last = max(start, min(start + _reach(rule), newest))
        slots = self._slots(cell, start - _reach(rule), last)
        most = total = sum(counter.used for counter in slots[:SLOTS])
        end = SLOTS
        for place in range(SLOTS, len(slots)):
            total += slots[place].used - slots[place - SLOTS].used
            if total > most:
                most, end = total, place + 1
        return _sum(slots[end - SLOTS : end])

    def _slots(self, cell: Cell, first: datetime, last: datetime) -> list[Counter]:
        rule, bucket = cell
        length = periods.slot_length(rule.length_s)
        starts = [first + step * length for step in range((last - first) // length + 1)]
        known = [start for start in starts if start >= periods.BEGINNING]
        missing = [start for start in known if (rule.id, bucket, start) not in self._counters]
        if missing:
            loaded = load_slots(self.account_id, cell, missing)
            self._counters |= {(rule.id, bucket, start): loaded[start] for start in missing}
        before = [Counter()] * (len(starts) - len(known))  # nothing is older than time itself
        return before + [self._counters[rule.id, bucket, start] for start in known]

    def _note(self, cell: Cell, nanos: int, at: datetime) -> None:
        rule = cell.rule
        before, ceiling = self._fullest(cell, at), rule.ceiling(self.at)
        spent = before.spent_nanos
        full = rule.action == SOFT and spent < max(ceiling, 1) <= spent + nanos
        refused = rule.action == SHADOW and before.used + nanos > ceiling
        if full:
            said = {"spent": spent + nanos, "held": before.held_nanos, "ceiling": ceiling}
            facts: dict[str, Any] = {
                name: Money(value, rule.currency) for name, value in said.items()
            }
            facts |= {"limitName": rule.name, "action": SOFT, "resetsAt": None}
            self.told.append((reached(rule, cell.bucket, at), facts))
        if full or refused:
            kind = REACHED if full else WOULD_REFUSE
            start = stored_time(rule.period(at).start)
            self.notices.append(Notice(rule.id, cell.bucket, start, kind, nanos))

    def _refusal(self, cell: Cell, nanos: int, at: datetime) -> LimitExceeded:
        rule = cell.rule
        used, requested = self._fullest(cell, at), Money(nanos, rule.currency)
        ceiling = Money(rule.ceiling(self.at), rule.currency)
        resets_at = self._frees_at(cell, nanos, at)
        found = _refusal(rule, used, requested, ceiling=ceiling, resets_at=resets_at)
        found.details = reached(rule, cell.bucket, at)
        return found

    def _frees_at(self, cell: Cell, nanos: int, at: datetime) -> datetime | None:
        """When so much fits again if nothing else is spent; None for never."""
        rule = cell.rule
        if not rule.slides:
            end = rule.period(at).end
            return None if end == periods.END else end
        newest = rule.period(self.at).start
        slots = self._slots(cell, newest - _reach(rule), newest)
        used, ceiling = [counter.used for counter in slots], rule.ceiling(self.at)
        fitting = (step for step in range(1, SLOTS + 1) if sum(used[step:]) + nanos <= ceiling)
        steps = next(fitting, None)
        return None if steps is None else newest + steps * periods.slot_length(rule.length_s)


def _refusal(
    rule: Rule, used: Counter, requested: Money, *, ceiling: Money, resets_at: datetime | None
) -> LimitExceeded:
    window = f"{rule.window} s" if isinstance(rule.window, int) else rule.window
    return LimitExceeded(
        f"The {window} spending limit of {ceiling} refuses this.",
        extra={
            "limit_id": rule.id,
            "limit_name": rule.name,
            "amount": ceiling.text,
            "spent": Money(used.spent_nanos, rule.currency).text,
            "held": Money(used.held_nanos, rule.currency).text,
            "requested": requested.text,
            "currency": rule.currency,
            "resets_at": resets_at,
        },
    )


def _sum(counters: Iterable[Counter]) -> Counter:
    total = Counter()
    for counter in counters:
        total.spent_nanos += counter.spent_nanos
        total.held_nanos += counter.held_nanos
    return total


def _reach(rule: Rule) -> timedelta:
    return (SLOTS - 1) * periods.slot_length(rule.length_s)
