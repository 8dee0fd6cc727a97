"""Rating a period again after a price was put right: the differences, as entries of their own.

Each record is held against what it costs by the price book of today at its own time; the
difference to what it cost so far, earlier ratings included, is corrected. So the second run of the
same finds nothing. Costs that the caller stated, and charges of which something was given back,
are left as they are. A difference in our favour is booked even where the balance does not cover it,
because the use has happened. A use that was charged without a known price is flagged no longer
once it is rated by one.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from billing_plugin.context import Actor, write_transaction
from billing_plugin.errors import BillingError
from billing_plugin.models import accounts, credits, usage
from billing_plugin.models.base import dump, load
from billing_plugin.models.ledger import Movement
from billing_plugin.models.usage import Usage, UsageRecord
from billing_plugin.money import Money
from billing_plugin.operations.catalogue import operation
from billing_plugin.operations.corrections import Correction, correct
from billing_plugin.operations.once import Once, done_before, once
from billing_plugin.operations.prices import rate
from billing_plugin.operations.rating import Rated
from billing_plugin.operations.till import Till, open_book, open_till
from billing_plugin.periods import Period

PAGE = 500
CALLER = "caller"


@dataclass(frozen=True, slots=True)
class Rerating:
    """What a re-rating found (`dry_run`) or booked: records read, left alone (`skipped`), changed,
    without a price now (`unpriced`), and by how much the account's cost changes."""

    dry_run: bool
    change: Money
    read: int = 0
    skipped: int = 0
    changed: int = 0
    unpriced: int = 0
    replayed: bool = False


@operation(scope="adjustments:write", effect="spends")
def rerate_usage(
    actor: Actor,
    account_id: str,
    period: Period,
    *,
    dry_run: bool = True,
    idempotency_key: str | None = None,
) -> Rerating:
    """Rates the account's usage of the half-open period again; without `dry_run` it is booked.

    Pages of 500 records are transactions of their own: run it again after a crash. The same key
    answers what the first run found. Raises NotFound, IdempotencyConflict.
    """
    currency = accounts.get(account_id).currency
    span = [period.start.isoformat(), period.end.isoformat()]
    said = Once("rerating", idempotency_key, [*span, dry_run])
    told = done_before(account_id, said)
    if told is not None:
        return _retold(told, dry_run, currency)
    found = _run(actor, account_id, period, found=Rerating(dry_run, Money.zero(currency)))
    with write_transaction():
        book = open_book(actor, account_id)
        told, replayed = once(account_id, said, lambda: _told(found), at=book.at)
    return _retold(told, dry_run, currency) if replayed else found


def _run(actor: Actor, account_id: str, period: Period, *, found: Rerating) -> Rerating:
    for records in _pages(account_id, period):
        prices = _prices(records)
        with write_transaction():
            till = open_till(actor, account_id)
            corrections = _corrections(records, prices)
            if not found.dry_run:
                _book(till, corrections, period=period)
        found = _added(found, records, prices, corrections=corrections)
    return found


def _told(found: Rerating) -> str:
    """What a run found, as it is kept under an idempotency key."""
    counts = (found.read, found.skipped, found.changed, found.unpriced)
    return dump([found.change.nanos, *counts])


def _retold(told: str, dry_run: bool, currency: str) -> Rerating:
    nanos, read, skipped, changed, unpriced = load(told)
    change = Money(nanos, currency)
    return Rerating(dry_run, change, read, skipped, changed, unpriced, replayed=True)


def _pages(account_id: str, period: Period) -> Iterator[list[UsageRecord]]:
    after = ""
    while records := usage.originals(account_id, period, after=after, limit=PAGE):
        yield records
        after = records[-1].id


def _prices(records: Sequence[UsageRecord]) -> list[Rated | None]:
    """What each record costs now; None where no price is known or the caller stated the cost."""
    return [_price(record) for record in records]


def _price(record: UsageRecord) -> Rated | None:
    if record.price.get("source") == CALLER:
        return None
    counts: dict[str, Any] = dict(record.quantities)
    used = Usage(record.model, record.provider, **counts)
    try:
        return rate(used, record.effective_at, record.account_id)
    except BillingError:
        return None


def _corrections(
    records: Sequence[UsageRecord], prices: Sequence[Rated | None]
) -> list[Correction]:
    """Of the uses that now cost something else, or have a price at last."""
    given_back = usage.given_back([record.id for record in records])
    return [
        Correction(record, price.nanos - record.cost_nanos, record.flag > price.flagged)
        for record, price in zip(usage.standing(records), prices, strict=True)
        if price is not None
        and record.id not in given_back
        and (price.nanos != record.cost_nanos or record.flag > price.flagged)
    ]


def _book(till: Till, corrections: Sequence[Correction], *, period: Period) -> None:
    groups: dict[tuple[str, str], list[Correction]] = defaultdict(list)
    for one in corrections:
        groups[one.record.provider, one.record.model].append(one)
    if not groups:
        return
    credits.settle(till.book)
    for changed in groups.values():
        _enter(till, changed, period=period)
    till.close()


def _enter(till: Till, changed: list[Correction], *, period: Period) -> None:
    first, total = changed[0].record, sum(one.nanos for one in changed)
    said = {"model": first.model, "provider": first.provider, "records": len(changed)}
    span = {"from": period.start.isoformat(), "to": period.end.isoformat()}
    movement = Movement("rerating", -total, metadata={**said, **span})
    if total < 0:
        entry_id = credits.add(till.book, movement)
    else:
        entry_id = till.book.enter(movement)
        credits.draw(credits.left(till.book.account_id), total)
        till.book.drawn_sequence = till.book.sequence
        till.book.overdraw()
    correct(till, changed, entry_id=entry_id)


def _added(
    found: Rerating, records: Sequence[UsageRecord], prices: Sequence[Rated | None], *,
    corrections: Sequence[Correction],
) -> Rerating:  # fmt: skip
    stated = sum(record.price.get("source") == CALLER for record in records)
    unpriced = sum(price is None for price in prices) - stated
    change = sum(one.nanos for one in corrections)
    return replace(
        found,
        change=found.change + Money(change, found.change.currency),
        read=found.read + len(records),
        skipped=found.skipped + stated,
        changed=found.changed + len(corrections),
        unpriced=found.unpriced + unpriced,
    )
