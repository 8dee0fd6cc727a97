"""Usage records: one metered use of a model, with the price that was applied and its exact cost."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import peewee

from billing_plugin import ids
from billing_plugin.errors import NotFound
from billing_plugin.models.base import (
    JSONField,
    Table,
    UTCDateTimeField,
    dump,
    execute_many,
    fetch_all,
)
from billing_plugin.money import Money
from billing_plugin.periods import aware

PREFIX = "use"
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
_INSERT = (
    "INSERT INTO billing_usage_record (id, account_id, entry_id, key_id, provider, model,"
    " quantities, price, cost_nanos, currency, metadata, effective_at, recorded_at)"
    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)
_UNMATCHED = (
    "SELECT u.id, u.account_id FROM billing_usage_record u LEFT JOIN billing_ledger_entry e"
    " ON e.id = u.entry_id AND e.reference_id = u.id AND e.kind = 'usage'"
    " AND e.account_id = u.account_id AND e.amount_nanos = -u.cost_nanos"
    " AND e.currency = u.currency WHERE e.id IS NULL"
    " UNION ALL"
    " SELECT e.id, e.account_id FROM billing_ledger_entry e LEFT JOIN billing_usage_record u"
    " ON u.id = e.reference_id AND u.entry_id = e.id"
    " WHERE e.kind = 'usage' AND u.id IS NULL ORDER BY 1"
)


@dataclass(frozen=True, slots=True)
class Usage:
    """What was used: tokens of a model, or an exact cost that the caller states.

    `input_tokens` and `output_tokens` are totals: they include the kinds that are named apart (read
    from or written to a cache, audio, image, reasoning). `effective_at` is when it was
    used (None: now); it decides in which window of a limit the cost lands.
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
        counts = {name: getattr(self, name) for name in QUANTITIES}
        return {name: count for name, count in counts.items() if count}

    @property
    def content(self) -> dict[str, Any]:
        """Everything the caller said, for comparison under an idempotency key."""
        said: dict[str, Any] = {"model": self.model, "provider": self.provider}
        said |= self.quantities | {"metadata": self.metadata}
        said["cost"] = str(self.cost) if self.cost else None
        said["at"] = aware(self.effective_at).isoformat() if self.effective_at else None
        return said


class UsageRecord(Table):
    """One stored use. `price` says where the price came from and what it was, exactly."""

    id = peewee.TextField(primary_key=True)
    account_id = peewee.TextField()
    entry_id = peewee.TextField()
    key_id = peewee.TextField(null=True)
    provider = peewee.TextField()
    model = peewee.TextField()
    quantities = JSONField()
    price = JSONField()
    cost_nanos = peewee.BigIntegerField()
    currency = peewee.TextField()
    metadata = JSONField()
    effective_at = UTCDateTimeField()
    recorded_at = UTCDateTimeField()

    class Meta:
        table_name = "billing_usage_record"

    @property
    def cost(self) -> Money:
        """What it cost."""
        return Money(self.cost_nanos, self.currency)


def record_of(values: dict[str, Any]) -> UsageRecord:
    """A record with a fresh id, not yet stored."""
    return UsageRecord(id=ids.new_id(PREFIX), **values)


def store(records: Iterable[UsageRecord]) -> None:
    """Stores records in the present transaction."""
    execute_many(
        _INSERT,
        [
            (
                record.id, record.account_id, record.entry_id, record.key_id, record.provider,
                record.model, dump(record.quantities), dump(record.price), record.cost_nanos,
                record.currency, dump(record.metadata), record.effective_at, record.recorded_at,
            )
            for record in records
        ],
    )  # fmt: skip


def get(account_id: str, record_id: str) -> UsageRecord:
    """One record of the account. Raises NotFound."""
    found = by_ids(account_id, [record_id])
    if not found:
        raise NotFound("There is no such usage record.")
    return found[record_id]


def by_ids(account_id: str, record_ids: Sequence[str]) -> dict[str, UsageRecord]:
    """The account's records of those ids."""
    owned = (UsageRecord.account_id == account_id) & UsageRecord.id.in_(list(record_ids))
    return {record.id: record for record in UsageRecord.select().where(owned)}


def unmatched() -> list[str]:
    """Usage records and usage entries that do not state the same movement; normally nothing."""
    return [
        f"{found} of {account}: charge and usage differ" for found, account in fetch_all(_UNMATCHED)
    ]
