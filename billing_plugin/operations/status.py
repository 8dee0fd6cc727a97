"""Status: what an account has here, in a few numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from billing_plugin.context import Actor, is_sqlite, snapshot
from billing_plugin.models import accounts, categories, sync_jobs
from billing_plugin.operations.breakdowns import Total, summarize
from billing_plugin.operations.catalogue import operation

FILE, POSTGRESQL = "file", "postgresql"


@dataclass(frozen=True, slots=True)
class Status:
    """How much there is: cost items of all sources by currency, without metered usage; and where
    it is kept, in a `file` (SQLite) or by `postgresql`."""

    currency: str
    totals: Sequence[Total]
    categories: int
    sync_jobs: int
    storage: str

    @property
    def items(self) -> int:
        """How many cost items, of whatever currency."""
        return sum(total.count for total in self.totals)


@operation(scope="reports:read", effect="reads")
def check_status(actor: Actor, account_id: str) -> Status:
    """What the account has here, as of one moment. Raises NotFound."""
    with snapshot():
        return Status(
            currency=accounts.get(account_id).currency,
            totals=summarize(actor, account_id).totals,
            categories=categories.count(account_id),
            sync_jobs=sync_jobs.count(account_id),
            storage=FILE if is_sqlite() else POSTGRESQL,
        )
