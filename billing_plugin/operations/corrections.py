"""Corrections: what was entered is never changed, it is answered by another entry.

A reversal undoes an entry whole, once. A refund gives back part of a charge, as often as parts are
left. Both correct the usage records of a charge, in their own windows, so that limits and reports
see the net. What is given back is paid credit without expiry.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from billing_plugin import ids
from billing_plugin.context import Actor, write_transaction
from billing_plugin.errors import Conflict, InvalidRequest
from billing_plugin.models import credits, ledger, usage
from billing_plugin.models.base import stored_time
from billing_plugin.models.ledger import LedgerEntry, Movement
from billing_plugin.models.usage import UsageRecord
from billing_plugin.money import Money, split_nanos
from billing_plugin.operations.catalogue import operation
from billing_plugin.operations.ledger import checked_reason
from billing_plugin.operations.once import Once, marked, once
from billing_plugin.operations.till import Till, open_till
from billing_plugin.periods import parse_time

_NOT = "not_reversible"
REVERSIBLE = ("usage", "support", "promotion", "adjustment")


class Correction(NamedTuple):
    """A use as it stands (see `usage.standing`), and by how many nanos its cost changes.

    `is_priced`: a price is known for it now, which was not so far.
    """

    record: UsageRecord
    nanos: int
    is_priced: bool = False

    @property
    def parts(self) -> list[tuple[int, int, str]]:
        """The cost, the flag and the price of each record that stores it."""
        if not self.is_priced:
            return [(self.nanos, self.record.flag, usage.CORRECTED)]
        cost = self.record.cost_nanos
        return [(-cost, 1, usage.RERATED), (cost + self.nanos, 0, usage.CORRECTED)]


@operation(scope="adjustments:write", effect="spends")
def reverse_entry(
    actor: Actor,
    account_id: str,
    entry_id: str,
    *,
    reason: str = "",
    idempotency_key: str | None = None,
) -> LedgerEntry:
    """Undoes a charge, a credit or an adjustment by an entry of the opposite amount.

    Each entry is reversed once: again answers with the first reversal. A credit that is partly
    spent is taken from what else the account has; what has expired of it is not taken again.

    Raises NotFound, IdempotencyConflict; Conflict (`not_reversible`) for other kinds and refunded
    charges; InsufficientFunds where a credit was spent.
    """
    metadata = {"reason": checked_reason(reason)} if reason else {}
    said = Once("reverse", idempotency_key, [entry_id, reason])
    with write_transaction():
        till = open_till(actor, account_id)
        entry = ledger.get(account_id, entry_id)
        known = ledger.reversal_of(entry_id)

        def reverse() -> str:
            return str(known.id) if known else _reversed(till, entry, metadata)

        reversal_id, replayed = once(account_id, said, reverse, at=till.book.at)
        done_before = replayed or known is not None
        return marked(ledger.get(account_id, reversal_id), replayed=done_before)


@operation(scope="adjustments:write", effect="spends")
def refund_charge(
    actor: Actor,
    account_id: str,
    entry_id: str,
    *,
    amount: Money,
    reason: str = "",
    idempotency_key: str | None = None,
) -> LedgerEntry:
    """Gives back part of a charge; all refunds of a charge never exceed it.

    Raises NotFound, IdempotencyConflict, InvalidRequest for an amount of zero or less, Conflict
    (`refund_exceeds_charge`, `not_reversible` for what is no charge or was reversed).
    """
    if amount.nanos <= 0:
        raise InvalidRequest("A refund has an amount.")
    metadata = {"reason": checked_reason(reason)} if reason else {}
    with write_transaction():
        till = open_till(actor, account_id)
        till.book.require_currency(amount)
        entry = ledger.get(account_id, entry_id)

        def give() -> str:
            records = _refundable(entry, amount)
            movement = Movement("refund", amount.nanos, reverses_id=entry_id, metadata=metadata)
            return _give_back(till, movement, records)

        said = Once("refund", idempotency_key, [entry_id, str(amount), reason])
        refund_id, replayed = once(account_id, said, give, at=till.book.at)
        return marked(ledger.get(account_id, refund_id), replayed=replayed)


def correct(till: Till, corrections: Sequence[Correction], *, entry_id: str) -> None:
    """Stores corrections of uses, in the uses' own windows.

    Call it before the till is closed; it counts in the limits, and never refuses.
    """
    for record, nanos, _ in corrections:
        till.ceilings.spend(record.dims, nanos, record.effective_at, was_held=True)
    parts = [(one.record, part) for one in corrections for part in one.parts]
    fresh = ids.new_ids(usage.PREFIX, len(parts))
    at = stored_time(till.book.at)
    usage.store(
        [
            _stored(record, part, record_id, entry_id=entry_id, at=at)
            for (record, part), record_id in zip(parts, fresh, strict=True)
        ]
    )


def _reversed(till: Till, entry: LedgerEntry, metadata: dict[str, str]) -> str:
    records = _charged(entry)
    nanos = sum(one.cost_nanos for one in records) if entry.kind == "usage" else _credited(entry)
    if entry.kind not in REVERSIBLE or nanos == 0:
        raise Conflict("This entry cannot be reversed.", code=_NOT)
    movement = Movement(
        "reversal", nanos, reference_id=entry.reference_id, reverses_id=entry.id,
        metadata=metadata,
    )  # fmt: skip
    return _give_back(till, movement, records)


def _give_back(till: Till, movement: Movement, records: list[UsageRecord]) -> str:
    """Enters a reversal or refund, with the corrections of what the entry charged."""
    book = till.book
    credits.settle(book)
    if movement.nanos > 0:
        given_id = credits.add(book, movement)
    else:
        till.require(-movement.nanos)
        given_id = book.enter(movement)
        credits.take_back(book, str(movement.reverses_id), -movement.nanos)
    if records:
        parts = split_nanos(movement.nanos, [one.cost_nanos for one in records])
        given = zip(records, parts, strict=True)
        correct(till, [Correction(one, -nanos) for one, nanos in given if nanos], entry_id=given_id)
    till.close()
    return given_id


def _credited(entry: LedgerEntry) -> int:
    """What undoes a credit or an adjustment: what has expired of it is gone already."""
    return ledger.expired_of(entry) - entry.amount_nanos


def _charged(entry: LedgerEntry) -> list[UsageRecord]:
    """The records of a charge as they stand."""
    if entry.kind != "usage":
        return []
    first = entry.metadata.get("since")  # of several uses the earliest; the entry has the latest
    span = (parse_time(first) if first else entry.effective_at, entry.effective_at)
    return usage.standing(usage.of_entry(entry.account_id, entry.id, span))


def _refundable(entry: LedgerEntry, amount: Money) -> list[UsageRecord]:
    if entry.kind != "usage" or ledger.reversal_of(entry.id) is not None:
        raise Conflict("Only a charge is refunded, and none that was reversed.", code=_NOT)
    records = _charged(entry)
    left = sum(one.cost_nanos for one in records)
    if amount.nanos > left:
        raise Conflict(
            "The refunds would exceed the charge.", code="refund_exceeds_charge",
            extra={"left": Money(left, entry.currency).text},
        )  # fmt: skip
    return records


def _stored(
    record: UsageRecord, part: tuple[int, int, str], record_id: str, *, entry_id: str, at: str
) -> UsageRecord:
    nanos, flag, price = part
    return UsageRecord(
        record_id, record.account_id, entry_id, None, record.id, record.key_id, record.agent,
        record.provider, record.model, "{}", price, nanos, record.currency, flag,
        record.metadata_text, record.effective, at,
    )  # fmt: skip
