"""Looking after the books: the invariants of the ledger and of the limit counters."""

from __future__ import annotations

from billing_plugin.context import Actor
from billing_plugin.models import ledger, limits, usage
from billing_plugin.operations.catalogue import operation


@operation(scope="jobs:run", effect="reads")
def check_ledger(actor: Actor) -> list[str]:
    """What contradicts the books' invariants, one sentence each; an empty list is health.

    posted = sum of entries; newest balance_after = posted; available not below the floor; every
    entry follows from the one before; every usage record = its entry; every limit counter = the
    usage recorded in its window.
    """
    del actor
    books = ledger.broken_accounts() + ledger.broken_entries()
    return books + usage.unmatched() + limits.drifted_counters()
