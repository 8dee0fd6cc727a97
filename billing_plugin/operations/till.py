"""The till: one account's book and ceilings, open together under the account's lock.

Whatever spends or reserves goes through here, so that balance, allowance and every limit are asked
in one transaction, and overdue holds are gone before anything is refused because of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from billing_plugin.context import Actor, Signature
from billing_plugin.errors import BillingError
from billing_plugin.models import credits, holds, ledger, limits
from billing_plugin.models.ceilings import Ceilings
from billing_plugin.models.holds import EXPIRED, Hold
from billing_plugin.models.ledger import Book
from billing_plugin.models.usage import Dims


@dataclass(slots=True)
class Till:
    """An open book and the ceilings over it. Made by `open_till`; `close` stores both."""

    book: Book
    ceilings: Ceilings

    def refusal(self, dims: Dims, nanos: int, at: datetime) -> BillingError | None:
        """Why so much more cannot be spent or held: a limit, or the balance. None where it can."""
        found = self._refusal(dims, nanos, at)
        return self._refusal(dims, nanos, at) if found and self.expire_holds() else found

    def spend_together(self, dims: Dims, nanos: int, *, span: tuple[datetime, datetime]) -> bool:
        """Counts the sum of many uses of the same, whose records are stored, if it fits whole; the
        caller enters it in the book. False where it does not, or where they lie in several windows,
        or in one not counted before."""
        first, last = span
        if not self.ceilings.have_counted(dims, last):
            return False
        if first != last and not self.ceilings.in_one_window(dims, span):
            return False
        if self._refusal(dims, nanos, last):
            return False
        self.ceilings.spend(dims, nanos, last)
        return True

    def require(self, nanos: int) -> None:
        """Raises InsufficientFunds where a debit that no limit is about does not fit."""
        found = self.book.refusal(nanos)
        if found and self.expire_holds():
            found = self.book.refusal(nanos)
        if found:
            raise found

    def expire_holds(self) -> bool:
        """Frees what overdue holds reserve. False when there are none."""
        ended = holds.overdue(self.book.account_id, self.book.at)
        for hold in ended:
            self.free(hold)
            holds.resolve(hold, EXPIRED, hold.expires_at)
        return bool(ended)

    def free(self, hold: Hold) -> None:
        """Gives back what an open hold reserves. Its row must still be open, and be ended next."""
        self.ceilings.hold(hold.dims, -hold.amount_nanos, hold.created_at)
        self.book.hold(-hold.amount_nanos)

    def close(self) -> None:
        """Stores balance, entries and counters."""
        self.book.close()
        self.ceilings.store()

    def _refusal(self, dims: Dims, nanos: int, at: datetime) -> BillingError | None:
        return self.ceilings.refusal(dims, nanos, at) or self.book.refusal(nanos)


def open_book(by: Actor | Signature, account_id: str) -> Book:
    """The account's book, locked, looked after, its entries signed by the actor."""
    return open_till(by, account_id).book


def open_till(by: Actor | Signature, account_id: str) -> Till:
    """The account's till, looked after. Needs a write transaction. Raises NotFound."""
    book = ledger.open_book(account_id)
    rules = limits.rules(account_id, book.limits_version)
    till = Till(book, Ceilings(account_id, rules, book.at))
    if book.at >= book.due_at:
        look_after(till)
    book.signature = by if isinstance(by, Signature) else by.signature
    return till


def look_after(till: Till) -> None:
    """Does what time alone demands: expires holds and then credit, ends a billing cycle."""
    book = till.book
    till.expire_holds()  # first: what they reserved must not outlive the credit it came from
    credits.settle(book)
    credits.expire(book)
    credits.end_cycle(book)
    credits.plan(book)
    till.close()
