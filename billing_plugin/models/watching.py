"""Watching a balance: below which threshold it is told that it is low, once for each crossing.

Which debit crosses it is known from `watch_nanos`, a column of the account that whatever debits
reads anyway: the threshold while the posted balance is not below it, else lower than any balance.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from billing_plugin.models import events
from billing_plugin.money import Money

if TYPE_CHECKING:
    from billing_plugin.models.ledger import Book

UNWATCHED = -(2**63)  # no balance is below it


def watched(book: Book) -> int:
    """Below how many posted nanos the next debit is looked at. Tells `balance.low` where the
    balance has fallen below the threshold."""
    low, watch = book.low_nanos, book.watch_nanos
    if low is None:
        return watch
    if book.posted_nanos < watch:
        said = {
            "balance": Money(book.posted_nanos, book.currency),
            "available": book.available,
            "threshold": Money(low, book.currency),
        }
        events.tell("balance.low", book.account_id, said)
        return UNWATCHED
    return low if book.posted_nanos >= low else watch
