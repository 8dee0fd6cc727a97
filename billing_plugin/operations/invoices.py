"""Invoices for those who ask: listed, seen, foreseen, printed, marked; and each month's closing.

What an account used in a month is closed a few minutes after its end, in the order of months, once
for each account and month, whoever runs it and however often.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import NamedTuple

from billing_plugin.context import Actor, now, write_transaction
from billing_plugin.errors import BillingError, Conflict, InvalidRequest
from billing_plugin.models import accounts, audit, invoices, statements
from billing_plugin.models.invoices import (
    CREDIT_NOTE,
    KINDS,
    OPEN,
    ORIGINS,
    PAID,
    STATUSES,
    UNCOLLECTIBLE,
    VOID,
    Invoice,
    InvoiceFilter,
)
from billing_plugin.models.ledger import Book
from billing_plugin.models.statements import Stretch
from billing_plugin.operations.catalogue import MAX_PAGE, check_page, operation
from billing_plugin.operations.invoicing import issue_statement
from billing_plugin.operations.ledger import checked_reason
from billing_plugin.operations.once import marked
from billing_plugin.operations.printing import printed
from billing_plugin.operations.statements import compose
from billing_plugin.operations.till import open_book
from billing_plugin.periods import BEGINNING, MONTHLY, Period, month_name, parse_month, window

__all__ = [
    "KINDS",
    "MARKS",
    "OPEN",
    "ORIGINS",
    "STATUSES",
    "Invoice",
    "Printed",
    "count_invoices",
    "finalize_invoices",
    "get_invoice",
    "list_invoices",
    "mark_invoice",
    "preview_invoice",
    "print_invoice",
]

EVERY = InvoiceFilter()
MARKS = {OPEN: (PAID, VOID, UNCOLLECTIBLE), UNCOLLECTIBLE: (PAID, VOID)}  # from -> to
GRACE = timedelta(minutes=10)  # by which clocks of several machines may differ
AT_ONCE = 500  # accounts
_INSTANT = timedelta(microseconds=1)
log = logging.getLogger("billing_plugin")


class Printed(NamedTuple):
    """An invoice as a PDF, and a name for the file."""

    name: str
    content: bytes


@operation(scope="invoices:read", effect="reads")
def list_invoices(
    actor: Actor,
    account_id: str,
    *,
    chosen: InvoiceFilter = EVERY,
    before: str | None = None,
    limit: int = 50,
    offset: int = 0,
) -> list[Invoice]:
    """The account's invoices with their lines, newest first; credit notes where their kind is
    asked for. `before` is an id to go on from, or `offset` how many to leave out; `limit` is 1 to
    100. Raises NotFound, InvalidRequest.
    """
    del actor
    check_page(limit)
    if offset < 0:
        raise InvalidRequest("offset is not negative.")
    _check(chosen)
    accounts.get(account_id)
    return invoices.page(account_id, chosen, before=before, limit=limit, offset=offset)


@operation(scope="invoices:read", effect="reads")
def count_invoices(actor: Actor, account_id: str, *, chosen: InvoiceFilter = EVERY) -> int:
    """How many `list_invoices` has for the same filter. Raises NotFound, InvalidRequest."""
    del actor
    _check(chosen)
    accounts.get(account_id)
    return invoices.count(account_id, chosen)


@operation(scope="invoices:read", effect="reads")
def get_invoice(actor: Actor, account_id: str, invoice_id: str) -> Invoice:
    """One invoice or credit note of the account, with its lines. Raises NotFound."""
    del actor
    return invoices.get(account_id, invoice_id)


@operation(scope="invoices:read", effect="reads")
def preview_invoice(actor: Actor, account_id: str) -> Invoice:
    """The draft of the running month (UTC): its statement, if nothing more happened. It has no id,
    number or date. Raises NotFound."""
    book = _looked_after(actor, account_id)
    running = window(MONTHLY, book.at)
    after, least = _closed(account_id)
    at = statements.first_charge(account_id, after)
    if at is not None and max(at, least) < running.start:  # of a month that is still to be closed
        after = statements.cut(account_id, running.start)
    return compose(book, running, Stretch(account_id, after, book.sequence), is_running=True)


@operation(scope="invoices:read", effect="reads")
def print_invoice(actor: Actor, account_id: str, invoice_id: str) -> Printed:
    """An invoice or credit note as a PDF: the same bytes each time. Raises NotFound, NotSupported
    without the extra `pdf`, ConfigurationError for a font that cannot be read."""
    del actor
    found = invoices.get(account_id, invoice_id)
    return Printed(f"{found.number_text}.pdf", printed(found))


@operation(scope="adjustments:write", effect="writes")
def mark_invoice(
    actor: Actor, account_id: str, invoice_id: str, *, status: str, reason: str = ""
) -> Invoice:
    """Says that an open invoice was paid, is void or uncollectible; the latter may still be paid or
    made void. No entry is made: what is receivable left the account's balance at the month's end.

    The same again is a replay. Raises NotFound, InvalidRequest, Conflict (`not_open`).
    """
    if status not in (PAID, VOID, UNCOLLECTIBLE):
        raise InvalidRequest("An invoice is marked paid, void or uncollectible.")
    said = checked_reason(reason) if reason else None
    with write_transaction():
        book = open_book(actor, account_id)
        found = invoices.get(account_id, invoice_id)
        is_done = found.status == status and found.kind != CREDIT_NOTE
        if not is_done:
            _mark(book, found, status, reason=said)
        return marked(invoices.get(account_id, invoice_id), replayed=is_done)


@operation(scope="jobs:run", effect="writes")
def finalize_invoices(actor: Actor) -> int:
    """Closes the months that are over, a few minutes after their end: a statement for each account
    and month with a charge. Returns how many were issued; at most AT_ONCE accounts are looked at,
    the others next time, and one that fails is tried again."""
    running = window(MONTHLY, now() - GRACE)
    cycle = month_name(running.start - _INSTANT)
    after, failures, is_done = statements.run_of(cycle)
    if is_done:
        return 0
    found = statements.moved_accounts(after=after, limit=AT_ONCE)
    closed = [_closed_or_logged(actor, account_id, running) for account_id in found]
    failures += closed.count(None)
    is_last = len(found) < AT_ONCE
    with write_transaction():
        statements.keep_run(
            cycle, after="" if is_last else found[-1], failures=0 if is_last else failures,
            done=is_last and not failures,
        )  # fmt: skip
    return sum(filter(None, closed))


def _check(chosen: InvoiceFilter) -> None:
    if not chosen.kinds or not set(chosen.kinds) <= set(KINDS):
        raise InvalidRequest(f"Kinds of invoices are {', '.join(KINDS)}.")
    if chosen.origin not in (None, *ORIGINS):
        raise InvalidRequest(f"Top-ups are {' or '.join(ORIGINS)}.")
    if chosen.ids is not None and len(chosen.ids) > MAX_PAGE:
        raise InvalidRequest(f"At most {MAX_PAGE} invoices are asked for by id.")
    for month in filter(None, (chosen.cycle, chosen.since)):
        parse_month(month)


def _mark(book: Book, found: Invoice, status: str, *, reason: str | None) -> None:
    if found.kind == CREDIT_NOTE or status not in MARKS.get(found.status, ()):
        raise Conflict(
            f"This is {found.status}: it cannot be marked {status}.", code="not_open",
            extra={"invoice_id": found.id},
        )  # fmt: skip
    paid = found.total_nanos if status == PAID else found.paid_nanos
    invoices.change(found, book.at, status=status, paid_nanos=paid, reason=reason)
    audit.write(
        book.signature, "invoice.mark", found.id, account_id=book.account_id, at=book.at,
        before={"status": found.status}, after={"status": status, "reason": reason},
    )  # fmt: skip


def _closed_or_logged(actor: Actor, account_id: str, running: Period) -> int | None:
    """How many months of the account were closed; None where it failed."""
    try:
        return sum(_close(actor, account_id, running))
    except BillingError as error:
        log.warning("the months of %s are not closed: %s", account_id, error.message)
        return None


def _close(actor: Actor, account_id: str, running: Period) -> Iterator[bool]:
    """Closes the account's months before the running one, in order; whether each was issued."""
    book = _looked_after(actor, account_id)
    if book.at < running.start:
        raise Conflict("By the database's clock the month is not over.")
    after, least = _closed(account_id)
    while at := statements.first_charge(account_id, after):
        cycle = window(MONTHLY, max(at, least))
        last = statements.cut(account_id, cycle.end)
        if cycle.end > running.start or last <= after:
            return
        draft = compose(book, cycle, Stretch(account_id, after, last))
        yield _issued(actor, draft) if draft.lines or draft.total_nanos else False
        after, least = last, cycle.end


def _issued(actor: Actor, draft: Invoice) -> bool:
    """Issues a statement, unless somebody has meanwhile."""
    with write_transaction():
        book = open_book(actor, draft.account_id)
        newest = invoices.newest_statement(draft.account_id)
        is_first = newest is None or newest.cycle < draft.cycle
        if is_first:
            issue_statement(draft, book.at)
        return is_first


def _looked_after(actor: Actor, account_id: str) -> Book:
    """The account's book as it is now: what it says of entries up to its last stays true."""
    with write_transaction():
        return open_book(actor, account_id)


def _closed(account_id: str) -> tuple[int, datetime]:
    """The last entry that stands in a statement, and the end of that statement's month."""
    newest = invoices.newest_statement(account_id)
    if newest is None:
        return 0, BEGINNING
    return int(newest.facts["lastSequence"]), parse_month(newest.cycle).end
