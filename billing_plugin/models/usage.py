"""Usage records: one metered use of a model, with the price that was applied and its exact cost.

A record is never changed. A correction (a reversal, a refund, a new rating) is a record of its own
with the difference, in the same place and time as the record it corrects, so that every sum over
records is the net of all corrections.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import compress
from operator import attrgetter
from typing import Any, NamedTuple

from billing_plugin.errors import InvalidRequest, NotFound
from billing_plugin.models.base import (
    Row,
    dump,
    execute_many,
    fetch_all,
    insert_many,
    load,
    load_said,
    places,
    read_time,
    stored_time,
)
from billing_plugin.money import Money
from billing_plugin.periods import END, Period

PREFIX = "use"
MAX_TOKENS = 10**12
EVERY = 2**31  # no limit to the rows of an answer
TABLE = "billing_usage_record"
QUANTITIES = (
    "input_tokens",
    "output_tokens",
    "cache_read_tokens",
    "cache_write_tokens",
    "reasoning_tokens",
    "input_audio_tokens",
    "output_audio_tokens",
    "cache_audio_read_tokens",
    "input_image_tokens",
    "output_image_tokens",
)
COLUMNS = (
    "id, account_id, entry_id, hold_id, corrects_id, key_id, agent, provider, model, quantities,"
    " price, cost_nanos, currency, flagged, metadata, effective_at, recorded_at"
)
CORRECTED, RERATED = '{"source":"correction"}', '{"source":"rerating"}'  # prices of corrections
FLAGGED_USES = (
    "SUM(CASE WHEN corrects_id IS NULL THEN flagged"
    f" WHEN price = '{RERATED}' THEN -flagged ELSE 0 END)"
)
HEAD = 15  # of the columns, those before the two times
counts_of = attrgetter(*QUANTITIES)
ROLL_UP_COLUMNS = "account_id, day, provider, model, cost_nanos, records, flagged"
ROLL_UP_UPSERT = (
    " ON CONFLICT (account_id, day, provider, model) DO UPDATE SET"
    " cost_nanos = r.cost_nanos + excluded.cost_nanos, records = r.records + excluded.records,"
    " flagged = r.flagged + excluded.flagged"
)
ROLL_UP = (
    f"INSERT INTO billing_usage_rollup AS r ({ROLL_UP_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?)"
    + ROLL_UP_UPSERT
)


@dataclass(slots=True)
class Usage:
    """What was used: tokens of a model, or an exact cost that the caller states.

    Once made it is not changed (to be frozen would cost as much as to be rated).

    `input_tokens` and `output_tokens` are totals: they include those read from or written to a
    cache, spent on reasoning, or of another modality, which are named besides. `effective_at` is
    when it was used (None: now); it decides in which window of a limit the cost lands.
    """

    model: str
    provider: str = ""
    input_tokens: int = 0
    output_tokens: int = 0
    cache_read_tokens: int = 0
    cache_write_tokens: int = 0
    reasoning_tokens: int = 0
    input_audio_tokens: int = 0
    output_audio_tokens: int = 0
    cache_audio_read_tokens: int = 0
    input_image_tokens: int = 0
    output_image_tokens: int = 0
    cost: Money | None = None
    effective_at: datetime | None = None
    metadata: dict[str, Any] = field(default_factory=dict)

    @property
    def quantities(self) -> dict[str, int]:
        """The token counts that are not zero, by name."""
        counts = counts_of(self)
        return dict(compress(zip(QUANTITIES, counts, strict=True), counts))

    @property
    def counts_text(self) -> str:
        """The same as JSON text, as it is stored. Raises InvalidRequest for what is no count."""
        named = []
        for name, count in zip(QUANTITIES, counts_of(self), strict=True):
            if not count and type(count) is int:
                continue  # most of them
            if type(count) is not int or not 0 <= count <= MAX_TOKENS:
                raise InvalidRequest(f"Token counts are whole numbers from 0 to {MAX_TOKENS}.")
            named.append(f'"{name}":{count}')
        return "{" + ",".join(named) + "}"

    @property
    def content(self) -> str:
        """Everything the caller said, for comparison under an idempotency key."""
        return self.content_with(self.counts_text)

    def content_with(self, counts: str) -> str:
        """The same, where the text of the token counts is known already."""
        cost = f"{self.cost.nanos} {self.cost.currency}" if self.cost else ""
        at = stored_time(self.effective_at) if self.effective_at else ""
        said = dump(self.metadata) if self.metadata else ""
        return f"{self.model}\n{self.provider}\n{counts}\n{cost}\n{at}\n{said}"


class Dims(NamedTuple):
    """Whose use it is and of what: what a limit may be about."""

    key: str | None
    agent: str | None
    provider: str
    model: str
    metadata: dict[str, Any]


class UsageRecord(NamedTuple):
    """One stored use: its row as it is stored, by COLUMNS, read where somebody asks.

    `price` says where the price came from and what it was, exactly. A correction is flagged where
    the use that it corrects is; one of the price RERATED takes back what was charged without a
    price. A time is what the database takes or gave: text, or on PostgreSQL an instant.
    """

    id: str
    account_id: str
    entry_id: str
    hold_id: str | None
    corrects_id: str | None
    key_id: str | None
    agent: str | None
    provider: str
    model: str
    counts_text: str
    price_text: str
    cost_nanos: int
    currency: str
    flag: int
    metadata_text: str
    effective: str | datetime
    recorded: str | datetime

    @property
    def cost(self) -> Money:
        """What it cost."""
        return Money(self.cost_nanos, self.currency)

    @property
    def flagged(self) -> bool:
        """Whether no price was known for it."""
        return self.flag == 1

    @property
    def flagged_uses(self) -> int:
        """What it adds to the number of uses without a known price; see FLAGGED_USES."""
        if self.corrects_id is None:
            return self.flag
        return -self.flag if self.price_text == RERATED else 0

    @property
    def quantities(self) -> dict[str, int]:
        """The token counts that are not zero, by name."""
        found: dict[str, int] = load(self.counts_text)
        return found

    @property
    def price(self) -> dict[str, Any]:
        """Where the price came from, and what it was."""
        found: dict[str, Any] = load(self.price_text)
        return found

    @property
    def metadata(self) -> dict[str, Any]:
        """What its caller said about it besides."""
        found: dict[str, Any] = load_said(self.metadata_text)
        return found

    @property
    def effective_at(self) -> datetime:
        """When it was used."""
        return read_time(self.effective) or END

    @property
    def recorded_at(self) -> datetime:
        """When it was stored."""
        return read_time(self.recorded) or END

    @property
    def day(self) -> str:
        """The UTC day of its use, such as 2026-03-04."""
        text = self.effective
        return text[:10] if isinstance(text, str) else self.effective_at.date().isoformat()

    @property
    def dims(self) -> Dims:
        """Whose use it was and of what."""
        return Dims(self.key_id, self.agent, self.provider, self.model, self.metadata)

    def moved(self, effective: str | datetime, recorded: str | datetime) -> UsageRecord:
        """The same record with other times."""
        return UsageRecord._make((*self[:HEAD], effective, recorded))


def store(records: Sequence[UsageRecord]) -> None:
    """Stores records in the present transaction and adds them to the roll-up."""
    insert(map(tuple, records), number=len(records))
    roll_up(rolled_up(records))


def insert(rows: Iterable[Row], *, number: int) -> None:
    """Stores so many records, by their rows, in the present transaction; see `roll_up`."""
    insert_many(TABLE, COLUMNS, rows, number=number)


def roll_up(rolled: Sequence[Row]) -> None:
    """Adds to the roll-up what `rolled_up` found."""
    execute_many(ROLL_UP, rolled)


def get(account_id: str, record_id: str) -> UsageRecord:
    """One record of the account. Raises NotFound."""
    found = by_ids(account_id, [record_id])
    if not found:
        raise NotFound("There is no such usage record.")
    return found[record_id]


def by_ids(account_id: str, record_ids: Sequence[str]) -> dict[str, UsageRecord]:
    """The account's records of those ids."""
    found: dict[str, UsageRecord] = {}
    for start in range(0, len(record_ids), 500):
        some = record_ids[start : start + 500]
        rows = _select(f"account_id = ? AND id IN ({places(some)})", account_id, *some)
        found.update({record.id: record for record in rows})
    return found


def of_entry(account_id: str, entry_id: str, span: tuple[datetime, datetime]) -> list[UsageRecord]:
    """The records that one ledger entry charged, effective from the first to the last instant."""
    first, last = span
    where = "account_id = ? AND effective_at >= ? AND effective_at <= ? AND entry_id = ?"
    return _select(where, account_id, stored_time(first), stored_time(last), entry_id)


def standing(records: Sequence[UsageRecord]) -> list[UsageRecord]:
    """The same with what they cost now, after all corrections, and flagged only where there was no
    price since either."""
    changes: dict[str, tuple[int, int]] = {}
    for start in range(0, len(records), 500):
        some = [record.id for record in records[start : start + 500]]
        rows = fetch_all(
            f"SELECT corrects_id, SUM(cost_nanos), {FLAGGED_USES} FROM billing_usage_record"
            f" WHERE corrects_id IN ({places(some)}) GROUP BY corrects_id",
            some,
        )
        changes.update({record_id: (int(nanos), int(flags)) for record_id, nanos, flags in rows})
    return [_changed(record, *changes.get(record.id, (0, 0))) for record in records]


def given_back(record_ids: Sequence[str]) -> set[str]:
    """Those of the records of which a reversal or refund has given something back."""
    rows = fetch_all(
        "SELECT DISTINCT u.corrects_id FROM billing_usage_record u JOIN billing_ledger_entry e"
        f" ON e.id = u.entry_id WHERE u.corrects_id IN ({places(record_ids)})"
        " AND e.kind IN ('reversal', 'refund')",
        record_ids,
    )
    return {row[0] for row in rows}


def page(
    account_id: str, *, period: Period | None = None, before: str | None = None, limit: int = 50
) -> list[UsageRecord]:
    """Records of the account, newest id first; `before` is the id to go on from."""
    where, values = "account_id = ?", [account_id]
    if period:
        where += " AND effective_at >= ? AND effective_at < ?"
        values += [stored_time(period.start), stored_time(period.end)]
    if before:
        where, values = where + " AND id < ?", [*values, before]
    return _select(where, *values, order="id DESC", limit=limit)


def originals(account_id: str, period: Period, *, after: str, limit: int) -> list[UsageRecord]:
    """Records effective in the period that correct nothing, by id from `after` on."""
    where = (
        "account_id = ? AND effective_at >= ? AND effective_at < ?"
        " AND corrects_id IS NULL AND id > ?"
    )
    times = (stored_time(period.start), stored_time(period.end))
    return _select(where, account_id, *times, after, limit=limit)


def rolled_up(records: Iterable[UsageRecord]) -> list[Row]:
    """What records add to the roll-up, by ROLL_UP_COLUMNS; in order: nobody waits in a ring."""
    cells: dict[tuple[str, str, str, str], list[int]] = {}
    for record in records:
        key = (record.account_id, record.day, record.provider, record.model)
        cell = cells.setdefault(key, [0, 0, 0])
        cell[0] += record.cost_nanos
        cell[1] += record.corrects_id is None
        cell[2] += record.flagged_uses
    return [(*key, *cells[key]) for key in sorted(cells)]


def _changed(record: UsageRecord, nanos: int, flags: int) -> UsageRecord:
    return record._replace(cost_nanos=record.cost_nanos + nanos, flag=record.flag + flags)


def _select(where: str, *values: Any, order: str = "id", limit: int = EVERY) -> list[UsageRecord]:
    rows = fetch_all(
        f"SELECT {COLUMNS} FROM {TABLE} WHERE {where} ORDER BY {order} LIMIT {int(limit)}",
        values,
    )
    return list(map(UsageRecord._make, rows))
