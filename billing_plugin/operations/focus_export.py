"""What is stored as a FOCUS 1.2 file: every row behind a report, as of one moment."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import IO

from billing_plugin.context import Actor, snapshot
from billing_plugin.errors import Forbidden
from billing_plugin.models import accounts, categories, spend_rows
from billing_plugin.models.accounts import Account
from billing_plugin.models.spend import METERED, Asked
from billing_plugin.money import Exact
from billing_plugin.operations.breakdowns import ALL_ITEMS
from billing_plugin.operations.catalogue import operation
from billing_plugin.operations.focus_charges import EXTRA, charge_of_item, charge_of_record
from billing_plugin.operations.focus_columns import FocusCharge
from billing_plugin.operations.focus_writing import write_focus
from billing_plugin.operations.item_filters import SpendFilter, asked

METERED_SCOPE = "reports:read"  # of whoever sees single uses


@dataclass(slots=True)
class FocusExport:
    """What a file came to hold: its rows, and exact totals by currency."""

    rows: int = 0
    totals: dict[str, Exact] = field(default_factory=dict)

    def count(self, charge: FocusCharge) -> FocusCharge:
        """The charge itself, once it is counted."""
        self.rows += 1
        known = self.totals.get(charge.currency, Exact(0))
        self.totals[charge.currency] = known + charge.amount
        return charge


@operation(scope="items:read", effect="reads")
def export_focus(
    actor: Actor, account_id: str, file: IO[bytes], *, chosen: SpendFilter = ALL_ITEMS
) -> FocusExport:
    """Writes what `chosen` is about into a file that is open for bytes, as FOCUS 1.2 in UTF-8.

    It holds a line for each item, in order of time, and for each metered use where the sources
    name `metered`; so its totals are those of `summarize` of the same filter, to the last decimal.
    All is as of one moment, read page by page. Raises NotFound for an unknown account or category,
    InvalidRequest, Forbidden where metered uses are named without the scope to read them.
    """
    if METERED in chosen.sources and not actor.may(METERED_SCOPE):
        raise Forbidden(f"This needs the scope {METERED_SCOPE}.", extra={"scope": METERED_SCOPE})
    done = FocusExport()
    with snapshot():
        account = accounts.get(account_id)
        charges = _charges(asked(account_id, chosen), account)
        for line in write_focus(map(done.count, charges), extra=EXTRA):
            file.write(line.encode())
    return done


def _charges(asked: Asked, account: Account) -> Iterator[FocusCharge]:
    names = categories.names(account.id)
    for item in spend_rows.cost_items(asked):
        yield charge_of_item(item, account, names)
    for record in spend_rows.records(asked):
        yield charge_of_record(record, account)
