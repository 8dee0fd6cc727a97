"""Invoices as rows: numbers without a gap, content that nobody can change."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier

import peewee
import pytest

from billing_plugin import Actor, Billing, errors
from billing_plugin.context import write_transaction
from billing_plugin.models import invoices
from billing_plugin.models.base import execute
from billing_plugin.models.invoices import Invoice, InvoiceFilter, InvoiceLine
from tests.factories import START, account_with, billing_on

PARTY = {"name": "Zażółć", "address": "", "taxId": ""}
LINES = (
    InvoiceLine("input_tokens", 10**15, "0.0000000001", 7, 0, "p", "m", True, START, START),
    InvoiceLine("stated", 2, None, -3, -1),
)
CONTENT = ("total_nanos = 1", "number = 9", "seller = '{}'", "account_id = 'x'", "lines = 1")


def stored(actor: Actor, **said: object) -> Invoice:
    """An invoice of the account. Needs an instance at work."""
    facts = {
        "kind": "topup", "status": "open", "series": "INV", "currency": "USD", "origin": "manual",
        "cycle": "2026-03", "subtotal_nanos": 4, "credit_nanos": 0, "net_nanos": 10**9,
        "tax_nanos": 10**7, "total_nanos": 101 * 10**7, "paid_nanos": 0,
        "tax": {"label": "VAT", "rate": "1", "inclusive": False}, "facts": {"opening": 2**62},
        "seller": PARTY, "buyer": PARTY, "issued_at": START, "changed_at": START, "lines": LINES,
    } | said  # fmt: skip
    with write_transaction():
        draft = Invoice(account_id=actor.account_id, **facts)
        draft.number = invoices.take_number(draft.series)
        return invoices.store(draft)


def test_what_is_stored_is_what_is_read(billing: Billing, actor: Actor) -> None:
    with billing.instance.active():
        made = stored(actor)
        found = invoices.get(str(actor.account_id), made.id)
    assert found.lines == list(LINES)
    assert (found.seller, found.facts) == (PARTY, {"opening": 2**62})
    assert (found.total.text, found.paid.text, found.left.text) == ("1.01", "0.00", "1.01")
    assert (found.number_text, found.issued_at) == ("INV-000001", START)
    assert Invoice(series="INV", number=None).number_text is None


@pytest.mark.parametrize("change", CONTENT)
def test_content_is_never_changed(billing: Billing, actor: Actor, change: str) -> None:
    with billing.instance.active():
        made = stored(actor)
        about = "_line SET position" if change.startswith("lines") else f" SET {change}"
        sql = f"UPDATE billing_invoice{about}" + (" = 7" if "_line" in about else "")
        with pytest.raises((peewee.DatabaseError, peewee.InternalError)):
            execute(sql)
        for table in ("billing_invoice_line", "billing_invoice"):
            with pytest.raises((peewee.DatabaseError, peewee.InternalError)):
                execute(f"DELETE FROM {table}")
        assert invoices.get(made.account_id, made.id).lines == list(LINES)


def test_whether_it_is_paid_is_changed(billing: Billing, actor: Actor) -> None:
    with billing.instance.active():
        made = stored(actor)
        later = START + timedelta(days=1)
        invoices.change(made, later, status="paid", paid_nanos=7, reason="bank")
        found = invoices.get(made.account_id, made.id)
    assert (found.status, found.paid_nanos, found.reason) == ("paid", 7, "bank")
    assert (found.changed_at, found.issued_at) == (later, START)


def test_a_month_and_a_top_up_have_one_invoice_each(billing: Billing, actor: Actor) -> None:
    with billing.instance.active():
        for said in ({"kind": "monthly"}, {"topup_id": "top_1"}, {"fact_id": "re_1"}):
            stored(actor, **said)
            with pytest.raises(peewee.IntegrityError):
                stored(actor, **said)
        stored(account_with(billing), kind="monthly")
        listed = invoices.page(str(actor.account_id), InvoiceFilter())
        assert [one.number for one in listed] == [3, 2, 1]


def test_numbers_of_many_at_once_have_no_gap(database_url: str) -> None:
    """Every third transaction is rolled back."""
    billing = billing_on(database_url)
    actors = [account_with(billing) for _ in range(6)]
    together = Barrier(6)

    def issue(place: int) -> None:
        together.wait()
        with billing.instance.active():
            for number in range(6):
                if number % 3:
                    stored(actors[place])
                    continue
                with pytest.raises(errors.Conflict), write_transaction():
                    stored(actors[place])
                    raise errors.Conflict("not this one")

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(issue, range(6)))
    with billing.instance.active():
        numbers = [one.number for one in Invoice.select().order_by(Invoice.number)]
    assert numbers == list(range(1, 25))


def test_notes_stand_beside_their_invoice(billing: Billing, actor: Actor) -> None:
    with billing.instance.active():
        made = stored(actor, topup_id="top_1")
        note = stored(actor, kind="credit_note", corrects_id=made.id, fact_id="re_1")
        void = stored(actor, kind="credit_note", corrects_id=made.id, status="void")
        assert invoices.get(made.account_id, made.id).notes == [note.id, void.id]
        assert [one.id for one in invoices.notes_of(made.id)] == [note.id]
        found, own = invoices.of_fact("re_1"), invoices.of_topup("top_1")
        assert (found and found.id, own and own.id) == (note.id, made.id)
        assert (invoices.of_fact("re_2"), invoices.of_topup("top_2")) == (None, None)


def test_the_newest_statement_is_that_of_the_last_month(billing: Billing, actor: Actor) -> None:
    mine = str(actor.account_id)
    with billing.instance.active():
        assert invoices.newest_statement(mine) is None
        for cycle in ("2026-11", "2027-01", "2026-12"):
            stored(actor, kind="monthly", cycle=cycle)
        found = invoices.newest_statement(mine)
    assert found is not None
    assert found.cycle == "2027-01"
