"""Issuing documents in the transaction of what they are about, under the account's lock.

A top-up has its invoice from the moment it is credited. A refund has a credit note; where the
refund failed the note is void, and its number stays. A dispute is no refund: while the bank has
the money, the invoice is open by so much.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from billing_plugin.context import current
from billing_plugin.models import events, invoices
from billing_plugin.models.invoices import (
    AUTO,
    CREDIT_NOTE,
    MANUAL,
    OPEN,
    PAID,
    TOPUP,
    VOID,
    Invoice,
    InvoiceLine,
)
from billing_plugin.models.topups import TopUp
from billing_plugin.money import Money
from billing_plugin.operations.parties import buyer, seller
from billing_plugin.operations.taxes import Amounts, Tax, amounts_of, configured_tax, contained
from billing_plugin.periods import month_name

RETURNED, DISPUTED, RESTORED = "topup_refund", "topup_dispute", "topup_restored"  # kinds of entries
REFUND, FAILED = "refund", " failed"  # the unit of a note's line; how the fact of a failure ends


def issue(draft: Invoice, at: datetime) -> Invoice:
    """Numbers and stores a draft, and tells of it: from now on it is an invoice. Every document of
    every kind passes here once. Needs a write transaction."""
    settings = current().settings
    is_note = draft.kind == CREDIT_NOTE
    draft.series = settings.invoice_note_series if is_note else settings.invoice_series
    draft.number = invoices.take_number(draft.series)
    draft.issued_at = draft.changed_at = at
    stored = invoices.store(draft)
    events.tell("invoice.finalized", stored.account_id, _told(stored))
    return stored


def issue_statement(draft: Invoice, at: datetime) -> Invoice:
    """Issues a month's draft: where nothing is to be paid, it is paid."""
    draft.status = OPEN if draft.total_nanos else PAID
    if draft.status == OPEN:
        draft.due_at = at + timedelta(days=current().settings.invoice_due_days)
    return issue(draft, at)


def bill(topup: TopUp, at: datetime) -> Invoice:
    """The invoice of a top-up that has just been paid. Its tax is contained in what was paid."""
    tax = contained(configured_tax())
    amounts = amounts_of(topup.amount, tax)
    return issue(
        _of_topup(
            topup, amounts, unit=TOPUP, kind=TOPUP, origin=_origin(topup), at=at, tax=tax.facts,
            facts={}, seller=seller(), buyer=buyer(topup.account_id),
        ),
        at,
    )  # fmt: skip


def follow(topup: TopUp, kind: str, *, fact_id: str, amount: Money, at: datetime) -> None:
    """Has the invoice of a top-up follow what has become of the money: a refund, a dispute, or what
    came back of one. A top-up from before there were invoices has none."""
    billed = invoices.of_topup(topup.id)
    if billed is None:
        return
    if kind == RETURNED:
        _note(topup, billed, fact_id=fact_id, amount=amount, at=at)
    elif kind == RESTORED and fact_id.endswith(FAILED):
        _void(fact_id.removesuffix(FAILED), at)
    else:
        _owe(billed, -amount.nanos if kind == DISPUTED else amount.nanos, at)


def _note(topup: TopUp, billed: Invoice, *, fact_id: str, amount: Money, at: datetime) -> None:
    """A credit note. All notes of an invoice have the tax of what they give back together."""
    tax = Tax(**billed.tax)
    others = invoices.notes_of(billed.id)
    before = sum(note.total_nanos for note in others)
    together = amounts_of(Money(before + amount.nanos, amount.currency), tax)
    part = together.tax - billed.money(sum(note.tax_nanos for note in others))
    issue(
        _of_topup(
            topup, Amounts(amount - part, part), unit=REFUND, kind=CREDIT_NOTE,
            origin=billed.origin, at=at, tax=billed.tax, seller=billed.seller, buyer=billed.buyer,
            corrects_id=billed.id, fact_id=fact_id, facts={"corrects": billed.number_text},
        ),
        at,
    )  # fmt: skip


def _void(fact_id: str, at: datetime) -> None:
    note = invoices.of_fact(fact_id)
    if note is not None:
        invoices.change(note, at, status=VOID, reason="the refund failed")


def _owe(billed: Invoice, nanos: int, at: datetime) -> None:
    paid = billed.paid_nanos + nanos
    status = PAID if paid >= billed.total_nanos else OPEN
    invoices.change(billed, at, status=status, paid_nanos=paid)


def _of_topup(
    topup: TopUp, amounts: Amounts, *, unit: str, at: datetime, **said: Any
) -> Invoice:  # fmt: skip
    """A paid document with the one line that a top-up or its refund has."""
    total = amounts.total
    line = InvoiceLine(unit, 1, total.text, total.nanos, total.cents)
    return Invoice(
        account_id=topup.account_id, status=PAID, currency=topup.currency, cycle=month_name(at),
        topup_id=topup.id, subtotal_nanos=total.nanos, credit_nanos=0,
        net_nanos=amounts.net.nanos, tax_nanos=amounts.tax.nanos, total_nanos=total.nanos,
        paid_nanos=total.nanos, lines=[line], **said,
    )  # fmt: skip


def _origin(topup: TopUp) -> str:
    return AUTO if topup.automatic else MANUAL


def _told(invoice: Invoice) -> dict[str, Any]:
    return {
        "invoiceId": invoice.id, "number": invoice.number_text, "kind": invoice.kind,
        "status": invoice.status, "total": invoice.total,
        "cycle": invoice.cycle, "topupId": invoice.topup_id, "correctsId": invoice.corrects_id,
    }  # fmt: skip
