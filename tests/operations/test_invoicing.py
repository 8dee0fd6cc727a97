"""Issuing: a top-up has one invoice, a refund one note, and numbers have no gap."""

from __future__ import annotations

from itertools import permutations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from billing_plugin import Billing, Money, errors, operations
from billing_plugin.context import write_transaction
from billing_plugin.models import topups
from billing_plugin.models.invoices import Invoice
from billing_plugin.operations import invoicing
from billing_plugin.operations.topups import ask
from billing_plugin.processors.processor import Dispute, Payment, Refund
from tests.billed import buy, buy_by_itself, figures, invoices
from tests.books import complaints
from tests.factories import Clock, account_with, billing_on
from tests.operations.test_settling import PAID, SLOW, Purchase, disputed, refunded

TEN = Money.parse("10")


@pytest.fixture
def purchase(database_url: str) -> Purchase:
    """Of ten units, in an instance with a tax."""
    return Purchase(billing_on(database_url, clock=Clock(), invoice_tax_rate="19"))


def documents(purchase: Purchase) -> list[Invoice]:
    return invoices(purchase.buyer, "topup", "credit_note")


def states(purchase: Purchase) -> list[tuple[str | None, str, str, str, str]]:
    """Number, status, total, tax and what is left of each, in order."""
    return [
        (one.number_text, one.status, one.total.text, figures(one)["tax"], one.left.text)
        for one in documents(purchase)
    ]


def test_a_top_up_has_an_invoice_from_when_it_is_credited(purchase: Purchase) -> None:
    purchase.learns(SLOW)
    assert documents(purchase) == []
    purchase.learns(PAID, PAID)
    [invoice] = documents(purchase)
    assert figures(invoice) == {
        "subtotal": "10.00", "credit": "0.00", "net": "8.40", "tax": "1.60", "total": "10.00",
    }  # fmt: skip
    assert (invoice.number_text, invoice.kind, invoice.status) == ("INV-000001", "topup", "paid")
    assert (invoice.topup_id, invoice.origin, invoice.cycle) == (purchase.id, "manual", "2026-03")
    assert invoice.tax == {"label": "Tax", "rate": "19", "inclusive": True}
    assert [line[:5] for line in invoice.lines] == [("topup", 1, "10.00", 10**10, 1000)]


def test_what_a_rule_demanded_was_bought_automatically(billing: Billing) -> None:
    actor = account_with(billing)
    buy_by_itself(actor, "5")
    buy(actor, "6", attended=False)
    assert [one.origin for one in invoices(actor)] == ["auto", "manual"]


def test_a_refund_has_a_note_of_the_same_parties_and_tax(purchase: Purchase) -> None:
    purchase.learns(PAID, refunded("4"))
    invoice, note = documents(purchase)
    assert (note.number_text, note.kind, note.status) == ("CN-000001", "credit_note", "paid")
    assert (note.corrects_id, note.topup_id) == (invoice.id, purchase.id)
    assert figures(note) == {
        "subtotal": "4.00", "credit": "0.00", "net": "3.36", "tax": "0.64", "total": "4.00",
    }  # fmt: skip
    assert (note.seller, note.buyer, note.tax) == (invoice.seller, invoice.buyer, invoice.tax)
    assert note.facts == {"corrects": "INV-000001"}
    assert invoice.notes == [note.id]
    assert invoice.status == "paid"


def test_the_note_of_a_refund_that_failed_is_void_and_keeps_its_number(purchase: Purchase) -> None:
    purchase.learns(PAID, refunded("4"), refunded("4", failed=True))
    assert states(purchase)[1] == ("CN-000001", "void", "4.00", "0.64", "0.00")
    other = Payment("succeeded", "pi_1", TEN, refunds=(Refund("re_9", TEN),))
    purchase.learns(other)
    assert states(purchase)[2] == ("CN-000002", "paid", "10.00", "1.60", "0.00")


def test_an_invoice_is_open_while_its_money_is_disputed(purchase: Purchase) -> None:
    purchase.learns(PAID, disputed("open"))
    assert states(purchase) == [("INV-000001", "open", "10.00", "1.60", "10.00")]
    purchase.learns(disputed("won"))
    assert states(purchase) == [("INV-000001", "paid", "10.00", "1.60", "0.00")]


def test_a_dispute_that_is_lost_leaves_it_open(purchase: Purchase) -> None:
    purchase.learns(PAID, disputed("open"), disputed("lost"))
    assert states(purchase)[0][1] == "open"


def test_in_whatever_order_it_is_told_the_documents_are_the_same(billing: Billing) -> None:
    part = refunded("3", "2")
    last = Payment(
        "succeeded", "pi_1", TEN, refunds=(part.refunds[0], Refund("re_1", Money.parse("2"), True)),
        disputes=(Dispute("dp_1", Money.parse("5"), "open"),),
    )  # fmt: skip
    story = [PAID, refunded("3"), part, last]
    want = None
    for order in permutations(range(len(story))):
        purchase = Purchase(billing)
        purchase.learns(*(story[max(order[: place + 1])] for place in range(len(order))))
        told = [one[1:] for one in states(purchase)]
        assert told == (want or told)
        want = told
    assert want is not None
    assert [one[0] for one in want] == ["open", "paid", "void"]
    numbers = sorted(one.number for one in _all(billing, "credit_note"))
    assert numbers == list(range(1, len(numbers) + 1))
    assert complaints(billing) == []


def test_what_was_bought_before_there_were_invoices_has_none(purchase: Purchase) -> None:
    with purchase.billing.instance.active(), write_transaction():
        found = topups.get(purchase.mine, purchase.id)
        for kind in (invoicing.RETURNED, invoicing.DISPUTED, invoicing.RESTORED):
            invoicing.follow(found, kind, fact_id="x", amount=TEN, at=found.created_at)
    assert documents(purchase) == []


def test_a_transaction_that_is_rolled_back_leaves_no_gap(purchase: Purchase) -> None:
    """The credit and its invoice are one change."""
    instance = purchase.billing.instance
    for _ in range(3):
        with instance.active(), pytest.raises(errors.Conflict), write_transaction():
            invoicing.bill(topups.get(purchase.mine, purchase.id), instance.clock())
            raise errors.Conflict("something else goes wrong")
    assert documents(purchase) == []
    purchase.learns(PAID)
    assert states(purchase)[0][0] == "INV-000001"


def test_another_series_begins_anew(database_url: str) -> None:
    for number, series in enumerate(("A", "B", "A")):
        billing = billing_on(database_url, clock=Clock(), invoice_series=series)
        buyer = account_with(billing)
        buy(buyer, "5")
        assert invoices(buyer)[0].number_text == f"{series}-{1 + number // 2:06d}"


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(st.integers(1, 400), min_size=1, max_size=4), st.data())
def test_the_taxes_of_all_notes_are_that_of_what_went_back(
    billing: Billing, cents: list[int], data: st.DataObject
) -> None:
    billing.instance.settings = billing.instance.settings._replace(invoice_tax_rate="8.875")
    purchase = Purchase(billing)
    failed = [data.draw(st.booleans()) for _ in cents]
    refunds: tuple[Refund, ...] = ()
    for number, part in enumerate(cents):
        refunds += (Refund(f"re_{number}", Money.from_cents(part)),)
        purchase.learns(Payment("succeeded", "pi_1", TEN, refunds=refunds))
        refunds = (*refunds[:-1], refunds[-1]._replace(failed=failed[number]))
    purchase.learns(Payment("succeeded", "pi_1", TEN, refunds=refunds))
    rest = 1000 - sum(
        part for part, has_failed in zip(cents, failed, strict=True) if not has_failed
    )
    if rest > 0:
        refunds = (*refunds, Refund("re_rest", Money.from_cents(rest)))
        purchase.learns(Payment("succeeded", "pi_1", TEN, refunds=refunds))
    invoice, *notes = documents(purchase)
    standing = [note for note in notes if note.status != "void"]
    assert [note.status == "void" for note in notes[: len(failed)]] == failed
    if rest >= 0:
        assert sum(note.total_nanos for note in standing) == invoice.total_nanos
        assert sum(note.tax_nanos for note in standing) == invoice.tax_nanos


def _all(billing: Billing, kind: str) -> list[Invoice]:
    with billing.instance.active():
        return list(Invoice.select().where(Invoice.kind == kind))


def test_asking_again_issues_nothing(purchase: Purchase) -> None:
    purchase.learns(PAID, refunded("4"))
    before = states(purchase)
    with purchase.billing.instance.active():
        for _ in range(3):
            ask(purchase.billing.operator(), topups.get(purchase.mine, purchase.id))
    assert states(purchase) == before
    [found] = operations.list_topups(purchase.buyer, purchase.mine)
    assert found.status == "succeeded"
