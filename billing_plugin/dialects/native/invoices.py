"""Native: invoices, credit notes, the draft of the running month, and all of them as PDFs."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import marshmallow
from flask import Response
from marshmallow import fields, validate
from webargs.fields import DelimitedList

from billing_plugin import operations
from billing_plugin.dialects.dialect import account_id, actor
from billing_plugin.dialects.native.face import Strict, idempotency_key, native, ok
from billing_plugin.dialects.native.paging import pages
from billing_plugin.dialects.native.shapes import MONEY, REASON, money, pattern
from billing_plugin.dialects.native.tables import ListQuery, Rows, listed
from billing_plugin.dialects.openapi import (
    FLAG,
    PDF,
    TEXT,
    TIME,
    WHOLE,
    many,
    nullable,
    shape,
    word,
)
from billing_plugin.money import Money
from billing_plugin.operations.invoices import KINDS, MARKS, OPEN, ORIGINS, STATUSES
from billing_plugin.operations.printing import description

if TYPE_CHECKING:
    from billing_plugin.models.invoices import Invoice, InvoiceLine

TAGS = ["Invoices"]
MONTH = pattern(r"[0-9]{4}-[0-9]{2}")
FACTS = ("opening", "bought", "given", "closing", "postpaidLimit")  # of the balance
PARTY = shape("Party", "Who sells or buys.", name=TEXT, address=TEXT, taxId=TEXT)
LINE = shape(
    "InvoiceLine",
    "So many units at a price. `unit` is a kind of tokens, `requests`, `stated` (the cost was"
    " stated), `correction`, `difference`, `topup` or `refund`; cents add up to the subtotal's."
    " `late`: used before the month in which it was recorded.",
    description=TEXT,
    provider=TEXT,
    model=TEXT,
    unit=TEXT,
    quantity=WHOLE,
    unitPrice=nullable(TEXT),
    amount=MONEY,
    late=FLAG,
    firstAt=nullable(TIME),
    lastAt=nullable(TIME),
)
INVOICE = shape(
    "Invoice",
    "A document, or the draft of one, which has no id, number or date. `credit` is what prepaid"
    " credit has covered of the subtotal; the rest is `net` and `tax`, together `total`.",
    id=nullable(TEXT),
    number=nullable(TEXT),
    kind=word(*KINDS),
    status=word(*STATUSES),
    origin=word(*ORIGINS),
    cycle=TEXT,
    periodStart=nullable(TIME),
    periodEnd=nullable(TIME),
    topupId=nullable(TEXT),
    correctsId=nullable(TEXT),
    creditNotes=many(TEXT),
    subtotal=MONEY,
    credit=MONEY,
    net=MONEY,
    tax=MONEY,
    taxLabel=TEXT,
    taxRate=TEXT,
    taxInclusive=FLAG,
    total=MONEY,
    paid=MONEY,
    left=MONEY,
    opening=nullable(MONEY),
    bought=nullable(MONEY),
    given=nullable(MONEY),
    closing=nullable(MONEY),
    postpaidLimit=nullable(MONEY),
    seller=PARTY,
    buyer=PARTY,
    lines=many(LINE),
    reason=nullable(TEXT),
    issuedAt=nullable(TIME),
    dueAt=nullable(TIME),
    changedAt=nullable(TIME),
)


class NoteQuery(ListQuery):
    """Of which months; `cycle` is one, `since` the first of several, such as 2026-03."""

    cycle = fields.String(load_default=None, validate=MONTH)
    since = fields.String(load_default=None, validate=MONTH)


class InvoiceQuery(NoteQuery):
    """Which invoices, besides."""

    kind = fields.String(load_default=None, validate=validate.OneOf(("topup", "monthly")))
    origin = fields.String(load_default=None, validate=validate.OneOf(ORIGINS))
    ids = DelimitedList(
        fields.String(validate=validate.Length(min=1, max=100)),
        validate=validate.Length(min=1, max=100),
    )


class MarkBody(Strict):
    """What has become of an open invoice."""

    status = fields.String(required=True, validate=validate.OneOf(MARKS[OPEN]))
    reason = fields.String(load_default="", validate=REASON)


@native.view(answers={200: pages(INVOICE)}, csv=True, tags=TAGS)
@native.arguments(InvoiceQuery(), location="query", unknown=marshmallow.RAISE)
def list_invoices(query: dict[str, Any]) -> Response:
    """List invoices

    The newest first; of top-ups and of months.
    """
    kinds = ("topup", "monthly") if query["kind"] is None else (query["kind"],)
    chosen = operations.InvoiceFilter(
        kinds, query["origin"], query["cycle"], query["since"], query.get("ids")
    )
    return _listed(query, "invoices", chosen)


@native.view(answers={200: pages(INVOICE)}, csv=True, tags=TAGS)
@native.arguments(NoteQuery(), location="query", unknown=marshmallow.RAISE)
def list_credit_notes(query: dict[str, Any]) -> Response:
    """List credit notes

    The newest first; one of a refund that failed is `void`.
    """
    chosen = operations.InvoiceFilter(("credit_note",), None, query["cycle"], query["since"])
    return _listed(query, "credit-notes", chosen)


@native.view(answers={200: INVOICE}, tags=TAGS)
def preview_invoice() -> Response:
    """See the draft of the running month

    Its statement, if nothing more happened.
    """
    return ok(_shape(operations.preview_invoice(actor(), account_id())))


@native.view(answers={200: INVOICE}, tags=TAGS)
def get_invoice(invoice_id: str) -> Response:
    """See one invoice or credit note"""
    return ok(_shape(operations.get_invoice(actor(), account_id(), invoice_id)))


@native.view(answers={200: None}, refusals=(501,), pdf=True, tags=TAGS)
def print_invoice(invoice_id: str) -> Response:
    """Get an invoice or credit note as a PDF

    The same bytes each time.
    """
    printed = operations.print_invoice(actor(), account_id(), invoice_id)
    response = Response(printed.content, mimetype=PDF)
    response.headers["Content-Disposition"] = f'attachment; filename="{printed.name}"'
    return response


@native.view(answers={200: INVOICE}, tags=TAGS)
@native.arguments(MarkBody())
def mark_invoice(body: dict[str, Any], invoice_id: str) -> Response:
    """Mark an open invoice

    As `paid`, `void` or `uncollectible`; the balance stays as it is.
    """
    idempotency_key()  # any will do: an invoice is marked so once
    done = operations.mark_invoice(
        actor(), account_id(), invoice_id, status=body["status"], reason=body["reason"]
    )
    return ok(_shape(done), replayed=done.replayed)


def _listed(query: dict[str, Any], name: str, chosen: operations.InvoiceFilter) -> Response:
    account = account_id()
    page = partial(operations.list_invoices, actor(), account, chosen=chosen)
    return listed(query, Rows(name, INVOICE), page, account=account, shape=_shape)


def _shape(invoice: Invoice) -> dict[str, Any]:
    return {
        "id": invoice.id,
        "number": invoice.number_text,
        "kind": invoice.kind,
        "status": invoice.status,
        "origin": invoice.origin,
        "cycle": invoice.cycle,
        "periodStart": invoice.period_start,
        "periodEnd": invoice.period_end,
        "topupId": invoice.topup_id,
        "correctsId": invoice.corrects_id,
        "creditNotes": list(invoice.notes),
        **_amounts(invoice),
        "taxLabel": invoice.tax["label"],
        "taxRate": invoice.tax["rate"],
        "taxInclusive": invoice.tax["inclusive"],
        "seller": invoice.seller,
        "buyer": invoice.buyer,
        "lines": [_line(line, invoice.currency) for line in invoice.lines],
        "reason": invoice.reason,
        "issuedAt": invoice.issued_at,
        "dueAt": invoice.due_at,
        "changedAt": invoice.changed_at,
    }


def _amounts(invoice: Invoice) -> dict[str, Any]:
    names = ("subtotal", "credit", "net", "tax")
    told = {name: money(invoice.money(getattr(invoice, f"{name}_nanos"))) for name in names}
    known = {name: invoice.facts.get(name) for name in FACTS}
    facts = {
        name: None if nanos is None else money(invoice.money(nanos))
        for name, nanos in known.items()
    }
    sums = {"total": invoice.total, "paid": invoice.paid, "left": invoice.left}
    return told | facts | {name: money(value) for name, value in sums.items()}


def _line(line: InvoiceLine, currency: str) -> dict[str, Any]:
    return {
        "description": description(line),
        "provider": line.provider,
        "model": line.model,
        "unit": line.unit,
        "quantity": line.quantity,
        "unitPrice": line.unit_price,
        "amount": {
            "amount": Money(line.amount_nanos, currency).text,
            "cents": line.cents,
            "currency": currency,
        },
        "late": line.late,
        "firstAt": line.first_at,
        "lastAt": line.last_at,
    }
