"""`billing invoices …`: listing, showing and printing invoices, and closing months by hand."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import click

from billing_plugin import operations
from billing_plugin.cli.base import ACCOUNT, DATABASE, JSON, account_id_of, operator_of, show
from billing_plugin.context import Actor
from billing_plugin.operations.invoices import KINDS, Invoice
from billing_plugin.operations.printing import description

PAGE = 100


@click.group()
def invoices() -> None:
    """Invoices and credit notes."""


@invoices.command("list")
@ACCOUNT
@click.option("--kind", "kinds", multiple=True, type=click.Choice(KINDS), help="All if left out.")
@click.option("--month", "cycle", metavar="YYYY-MM", help="Only of this month.")
@DATABASE
@JSON
def list_invoices(
    account: str, *, kinds: Sequence[str], cycle: str | None, database: str | None, as_json: bool
) -> None:
    """Every invoice of an account, newest first."""
    chosen = operations.InvoiceFilter(tuple(kinds) or KINDS, cycle=cycle)
    for one in _every(operator_of(database), account_id_of(account), chosen):
        facts = _facts(one)
        click.echo(json.dumps(facts) if as_json else "  ".join(map(str, facts.values())))


@invoices.command("show")
@ACCOUNT
@click.argument("invoice_id", required=False)
@DATABASE
@JSON
def show_invoice(
    account: str, invoice_id: str | None, *, database: str | None, as_json: bool
) -> None:
    """One invoice with its lines; without an id the draft of the running month."""
    operator, account_id = operator_of(database), account_id_of(account)
    if invoice_id is None:
        found = operations.preview_invoice(operator, account_id)
    else:
        found = operations.get_invoice(operator, account_id, invoice_id)
    show(_facts(found) | {"lines": _lines(found, as_json=as_json)}, as_json=as_json)


@invoices.command("pdf")
@ACCOUNT
@click.argument("invoice_id")
@click.option("-o", "--output", metavar="FILE", help="Instead of its number; - is stdout.")
@DATABASE
def print_invoice(
    account: str, invoice_id: str, *, output: str | None, database: str | None
) -> None:
    """Write an invoice or credit note as a PDF."""
    operator = operator_of(database)
    printed = operations.print_invoice(operator, account_id_of(account), invoice_id)
    if output == "-":
        sys.stdout.buffer.write(printed.content)
        return
    Path(output or printed.name).write_bytes(printed.content)
    click.echo(output or printed.name)


@invoices.command("finalize")
@DATABASE
@JSON
def finalize(*, database: str | None, as_json: bool) -> None:
    """Close the months that are over; the worker does it by itself."""
    show({"issued": operations.finalize_invoices(operator_of(database))}, as_json=as_json)


def _every(
    operator: Actor, account_id: str, chosen: operations.InvoiceFilter
) -> Iterator[Invoice]:  # fmt: skip
    before: str | None = None
    while page := operations.list_invoices(
        operator, account_id, chosen=chosen, before=before, limit=PAGE
    ):
        yield from page
        before = page[-1].id


def _facts(one: Invoice) -> dict[str, Any]:
    return {
        "id": one.id, "number": one.number_text, "kind": one.kind, "status": one.status,
        "cycle": one.cycle, "total": one.total.text, "left": one.left.text,
        "currency": one.currency,
    }  # fmt: skip


def _lines(one: Invoice, *, as_json: bool) -> list[Any]:
    if not as_json:
        words = "\n  {}: {}, {} cents"
        return [words.format(description(of), of.quantity, of.cents) for of in one.lines]
    return [
        {
            "description": description(line), "unit": line.unit, "quantity": line.quantity,
            "unitPrice": line.unit_price, "amount": one.money(line.amount_nanos).text,
        }
        for line in one.lines
    ]  # fmt: skip
