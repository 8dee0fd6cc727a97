"""An invoice in words: everything that stands on the paper is from what was stored when it was
issued, so that the same invoice is printed alike for ever."""

from __future__ import annotations

from collections.abc import Iterator

from billing_plugin import papers
from billing_plugin.context import current
from billing_plugin.models.invoices import CREDIT_NOTE, MONTHLY, VOID, Invoice, InvoiceLine
from billing_plugin.money import Money
from billing_plugin.operations.parties import Party
from billing_plugin.operations.taxes import Tax, whole
from billing_plugin.papers.paper import Paper

COLUMNS = ("Description", "Quantity", "Unit price", "Amount")
_TITLES = {CREDIT_NOTE: "Credit note"}
_WORDS = {
    "topup": "Prepaid credit",
    "refund": "Refund of prepaid credit",
    "stated": "Uses at a stated cost",
    "correction": "Corrections of earlier uses",
    "difference": "Difference to the price by unit",
}


def printed(invoice: Invoice) -> bytes:
    """The PDF of an issued invoice. Raises NotSupported, ConfigurationError."""
    return papers.write_pdf(paper_of(invoice), font=current().settings.invoice_font)


def paper_of(invoice: Invoice) -> Paper:
    """What stands on it: what was stored, and where it is void by now, that it is."""
    title = _TITLES.get(invoice.kind, "Invoice")
    return Paper(
        title=f"{title} {invoice.number_text}",
        made_at=invoice.issued_at,
        language="en",
        sender=_party(invoice.seller),
        receiver=_party(invoice.buyer),
        facts=list(_facts(invoice)),
        columns=COLUMNS,
        rows=[_row(invoice, line) for line in invoice.lines],
        sums=list(_sums(invoice)),
        remarks=["This document is void."] if invoice.status == VOID else [],
    )


def description(line: InvoiceLine) -> str:
    """A line in words, such as `gpt-4o (openai): input tokens`."""
    what = _WORDS.get(line.unit, line.unit.replace("_", " "))
    about = f"{line.model} ({line.provider}): {what}" if line.model else what
    return f"{about}, of earlier months" if line.late else about


def _party(party: Party) -> list[str]:
    tax_id = party.get("taxId")
    lines = [party.get("name", ""), *party.get("address", "").splitlines()]
    return [line for line in [*lines, f"Tax ID: {tax_id}" if tax_id else ""] if line]


def _facts(invoice: Invoice) -> Iterator[tuple[str, str]]:
    yield "Date", f"{invoice.issued_at:%Y-%m-%d}"
    if invoice.period_start and invoice.period_end:
        yield "Month (UTC)", invoice.cycle
    if invoice.due_at:
        yield "Due", f"{invoice.due_at:%Y-%m-%d}"
    for name, value in (("Top-up", invoice.topup_id), ("Corrects", invoice.facts.get("corrects"))):
        if value:
            yield name, value


def _row(invoice: Invoice, line: InvoiceLine) -> list[str]:
    amount = Money.from_cents(line.cents, invoice.currency)
    return [description(line), str(line.quantity), line.unit_price or "", amount.text]


def _sums(invoice: Invoice) -> Iterator[tuple[str, str]]:
    tax = Tax(**invoice.tax)
    if invoice.kind == MONTHLY:
        yield "Subtotal", str(whole(invoice.money(invoice.subtotal_nanos)))
        yield "Covered by prepaid credit", str(-covered(invoice))
    if tax.parts:
        yield "Net", str(invoice.money(invoice.net_nanos))
        contained = ", contained" if tax.inclusive else ""
        yield f"{tax.label} {tax.rate} %{contained}", str(invoice.money(invoice.tax_nanos))
    yield "Total", str(invoice.total)


def covered(invoice: Invoice) -> Money:
    """What prepaid credit has covered, in whole cents: the subtotal less what is left to be taxed,
    so that the figures of an invoice add up."""
    taxed = invoice.total_nanos if invoice.tax["inclusive"] else invoice.net_nanos
    return whole(invoice.money(invoice.subtotal_nanos)) - invoice.money(taxed)
