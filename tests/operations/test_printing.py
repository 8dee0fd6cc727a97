"""An invoice in words: what stands on the paper is what was stored."""

from __future__ import annotations

from pathlib import Path

import pytest

from billing_plugin import Actor, Billing, errors, operations, papers
from billing_plugin.context import write_transaction
from billing_plugin.models import topups
from billing_plugin.models.invoices import Invoice, InvoiceLine
from billing_plugin.operations import invoicing
from billing_plugin.operations.printing import COLUMNS, covered, description, paper_of, printed
from tests.billed import allow, buy, finalize, invoices, text_of, use, with_prices
from tests.deeds import spend
from tests.factories import START, Clock, account_with, billing_on

SELLER = {
    "invoice_seller_name": "Błękitna Sp. z o.o.",
    "invoice_seller_address": "ul. Żółta 1\n00-001 Warszawa",
    "invoice_seller_tax_id": "PL123",
    "invoice_tax_rate": "19",
    "invoice_tax_label": "VAT",
}


def closed(database_url: str, **settings: object) -> tuple[Billing, Actor, Invoice]:
    """An account that owes something for a month which is closed, and its statement."""
    clock = Clock()
    billing = billing_on(database_url, clock=clock, **SELLER | settings)
    actor = account_with(billing, "4")
    allow(billing, actor, "50")
    with_prices(billing)
    use(actor, input_tokens=1_000_000, output_tokens=3)
    spend(actor, "9.5", model="other", provider="zeta")
    clock.forward(days=40)
    finalize(billing)
    return billing, actor, invoices(actor)[0]


def test_a_statement(database_url: str) -> None:
    _, _, statement = closed(database_url)
    paper = paper_of(statement)
    assert paper.title == "Invoice INV-000001"
    assert paper.sender == [
        "Błękitna Sp. z o.o.",
        "ul. Żółta 1",
        "00-001 Warszawa",
        "Tax ID: PL123",
    ]
    assert paper.receiver == [statement.buyer["name"]]
    assert paper.facts == [
        ("Date", "2026-04-18"), ("Month (UTC)", "2026-03"), ("Due", "2026-05-02"),
    ]  # fmt: skip
    assert (paper.columns, paper.rows) == (COLUMNS, [
        ["small (acme): input tokens", "1000000", "0.0000025", "2.50"],
        ["small (acme): output tokens", "3", "0.00001", "0.00"],
        ["other (zeta): Uses at a stated cost", "1", "", "9.50"],
    ])  # fmt: skip
    assert paper.sums == [
        ("Subtotal", "12.00 USD"), ("Covered by prepaid credit", "-4.00 USD"),
        ("Net", "8.00 USD"), ("VAT 19 %", "1.52 USD"), ("Total", "9.52 USD"),
    ]  # fmt: skip


def test_a_tax_that_is_contained_and_none_at_all(database_url: str) -> None:
    _, _, statement = closed(database_url, invoice_tax_inclusive=True)
    assert paper_of(statement).sums[2:] == [
        ("Net", "6.72 USD"), ("VAT 19 %, contained", "1.28 USD"), ("Total", "8.00 USD"),
    ]  # fmt: skip
    assert covered(statement).text == "4.00"
    statement.tax = statement.tax | {"rate": "0"}
    assert [name for name, _ in paper_of(statement).sums] == [
        "Subtotal", "Covered by prepaid credit", "Total",
    ]  # fmt: skip


def test_it_is_printed_alike_for_ever(database_url: str) -> None:
    billing, actor, statement = closed(database_url)
    mine, operator = str(actor.account_id), billing.operator()
    first = operations.print_invoice(actor, mine, statement.id).content
    text = text_of(first)
    for words in ("Invoice INV-000001", "2026-04-18", "small (acme): input tokens", "9.52 USD"):
        assert words in text
    operations.mark_invoice(operator, mine, statement.id, status="paid")
    other = billing_on(database_url, clock=Clock(START.replace(year=2030)))
    again = operations.print_invoice(other.operator(), mine, statement.id).content
    assert again == first
    assert b"20300" not in first


def test_a_note_names_what_it_corrects_and_that_it_is_void(billing: Billing, actor: Actor) -> None:
    bought = buy(actor, "5")
    with billing.instance.active(), write_transaction():
        topup = topups.get(str(actor.account_id), bought.id)
        for kind, fact_id in ((invoicing.RETURNED, "re"), (invoicing.RESTORED, "re failed")):
            invoicing.follow(topup, kind, fact_id=fact_id, amount=topup.amount, at=START)
    [note] = invoices(actor, "credit_note")
    paper = paper_of(note)
    assert paper.title == "Credit note CN-000001"
    assert ("Corrects", "INV-000001") in paper.facts
    assert paper.rows == [["Refund of prepaid credit", "1", "5.00", "5.00"]]
    assert paper.remarks == ["This document is void."]


@pytest.mark.parametrize(
    ("unit", "late", "words"),
    [
        ("cache_read_tokens", False, "m (p): cache read tokens"),
        ("correction", True, "m (p): Corrections of earlier uses, of earlier months"),
        ("requests", False, "m (p): requests"),
    ],
)
def test_lines_in_words(unit: str, late: bool, words: str) -> None:
    assert description(InvoiceLine(unit, 1, None, 0, 0, "p", "m", late)) == words


def test_a_font_that_is_none(database_url: str, tmp_path: Path) -> None:
    wrong, broken = tmp_path / "font.ttf", tmp_path / "font.bin"
    wrong.write_bytes(b"no font")
    broken.write_bytes(b"\0\1\0\0" + bytes(60))
    for path in (str(wrong), str(broken), "/nowhere.ttf", str(tmp_path)):
        billing = billing_on(database_url, invoice_font=path)
        buyer = account_with(billing)
        buy(buyer, "5")
        [invoice] = invoices(buyer)
        with pytest.raises(errors.ConfigurationError, match="BILLING_INVOICE_FONT"):
            operations.print_invoice(buyer, str(buyer.account_id), invoice.id)


def test_without_the_library(
    billing: Billing, actor: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    buy(actor, "5")
    monkeypatch.setattr(papers, "WRITER", "billing_plugin.papers.absent:write")
    with billing.instance.active(), pytest.raises(errors.NotSupported, match="extra `pdf`"):
        printed(invoices(actor)[0])
