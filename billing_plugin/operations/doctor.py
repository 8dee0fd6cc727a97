"""Looking after the books: their invariants, their seals, and what has grown too old to keep."""

from __future__ import annotations

from dataclasses import dataclass

from billing_plugin.context import Actor, now, snapshot, write_transaction
from billing_plugin.models import accounts, doctor, idempotency, recounts, sync_jobs
from billing_plugin.models.doctor import BrokenSeal
from billing_plugin.operations.catalogue import operation

PRUNING = "idempotency keys"  # the name of its schedule

__all__ = [
    "BrokenSeal", "Verification", "check_ledger", "check_reports", "prune_idempotency_keys",
    "rebuild_reports", "verify_ledger",
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Verification:
    """What `verify_ledger` found: how many accounts and entries were read, and the first broken
    seal of each account. `heads`: account -> (number of entries, newest seal), to be kept
    elsewhere; nothing is ever unsealed, as the seal is written with its entry."""

    accounts: int
    entries: int
    broken: list[BrokenSeal]
    heads: dict[str, tuple[int, str]]


@operation(scope="jobs:run", effect="reads")
def check_ledger(actor: Actor) -> list[str]:
    """What contradicts the books' invariants (models/doctor.py), one sentence each; an empty list
    is health. All is seen as of one moment, so that what is written meanwhile is no contradiction.
    Seals are read by `verify_ledger`, sums of cost items by `check_reports`."""
    del actor
    with snapshot():
        books = doctor.broken_accounts() + doctor.broken_entries() + doctor.unmatched()
        sums = doctor.drifted_credits() + doctor.drifted_roll_ups() + doctor.drifted_counters()
        items = doctor.homeless_items()
    return books + sums + items


@operation(scope="jobs:run", effect="reads")
def check_reports(actor: Actor) -> list[str]:
    """Sums, tags and words that differ from the items they are made of, one sentence each; an empty
    list is health. All is seen as of one moment. `rebuild_reports` mends what is named."""
    del actor
    with snapshot():
        return doctor.drifted_spend()


@operation(scope="jobs:run", effect="writes")
def rebuild_reports(actor: Actor, *, account: str | None = None) -> int:
    """Makes sums, tags and words of one account's cost items anew, or of all; of how many accounts.

    Each account in a transaction of its own, in which nobody else changes its items. Raises
    NotFound, and InvalidRequest for a sum beyond 64 bits of nanos.
    """
    del actor
    chosen = [found for found, _, _ in doctor.heads()] if account is None else [account]
    for one in chosen:
        with write_transaction():
            recounts.rebuild(accounts.get(one).id)
    return len(chosen)


@operation(scope="jobs:run", effect="reads")
def verify_ledger(actor: Actor, *, account: str | None = None) -> Verification:
    """Reads every entry of one account, or of all, and recomputes its seal."""
    del actor
    heads = {found: (number, seal) for found, number, seal in doctor.heads(account)}
    broken = [found for one in heads if (found := doctor.broken_seal(one))]
    entries = sum(number for number, _ in heads.values())
    return Verification(len(heads), entries, broken, heads)


@operation(scope="jobs:run", effect="writes")
def prune_idempotency_keys(actor: Actor) -> int:
    """Takes away idempotency keys older than 35 days, in small steps; returns how many.

    Once a day, however many ask: the first takes the day's slot. What a crash leaves is taken
    the next day.
    """
    del actor
    with write_transaction():
        if not sync_jobs.claim_slot(PRUNING, idempotency.day_of(now()), now()):
            return 0
    total = 0
    while True:
        with write_transaction():
            gone = idempotency.prune(now())
        total += gone
        if gone == 0:
            return total
