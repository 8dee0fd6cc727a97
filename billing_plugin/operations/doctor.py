"""Looking after the books: the invariants of the ledger and of the limit counters."""

from __future__ import annotations

from billing_plugin.context import Actor
from billing_plugin.models import ledger, limits
from billing_plugin.operations.catalogue import operation


@operation(scope="jobs:run", effect="reads")
def check_ledger(actor: Actor) -> list[str]:
    """What contradicts the books' invariants, one sentence each; an empty list is health.

    posted = sum of entries; newest balance_after = posted; available not below the floor; every
    limit counter = the usage recorded in its window.
    """
    del actor
    return ledger.broken_accounts() + limits.drifted_counters()
