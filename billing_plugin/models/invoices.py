"""Invoices: documents about money, numbered without a gap, whose content is never changed.

A number is taken from a counter's row in the transaction that stores the document: whoever comes
next waits for it, and a transaction that is rolled back gives its number back.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

import peewee

from billing_plugin import ids
from billing_plugin.errors import NotFound
from billing_plugin.models.base import (
    JSONField,
    Table,
    UTCDateTimeField,
    fetch_all,
    fetch_one,
    insert_many,
    places,
    read_time,
    stored_time,
)
from billing_plugin.money import Money

PREFIX = "inv"
TOPUP, MONTHLY, CREDIT_NOTE = KINDS = ("topup", "monthly", "credit_note")
DRAFT, OPEN, PAID, VOID, UNCOLLECTIBLE = STATUSES = (
    "draft", "open", "paid", "void", "uncollectible",
)  # fmt: skip
MANUAL, AUTO = ORIGINS = ("manual", "auto")
_LINES = "billing_invoice_line"
_COLUMNS = (
    "invoice_id, position, provider, model, unit, quantity, unit_price, amount_nanos, cents, late,"
    " first_at, last_at"
)
_NUMBER = (
    "INSERT INTO billing_invoice_series (series, newest) VALUES (?, 1) ON CONFLICT (series)"
    " DO UPDATE SET newest = billing_invoice_series.newest + 1 RETURNING newest"
)


class InvoiceLine(NamedTuple):
    """One line: so many units at a price. `unit` is a kind of token, `requests`, or `stated` (its
    caller said the cost), `correction`, `difference`, `topup`, `refund`.

    `amount_nanos` is exact; the `cents` of all lines add up to those of the subtotal. `late`: it
    was used before the cycle in which it was recorded.
    """

    unit: str
    quantity: int
    unit_price: str | None
    amount_nanos: int
    cents: int
    provider: str = ""
    model: str = ""
    late: bool = False
    first_at: datetime | None = None
    last_at: datetime | None = None


class Invoice(Table):
    """One document: of a top-up, of a month, or a credit note. Amounts are nanos of `currency`.

    `subtotal` is exact, and so is `credit`: what of it prepaid credit has covered. The rest, in
    whole cents, is `net` and `tax`, together `total`. `cycle` is its month, such as 2026-03.
    """

    id = peewee.TextField(primary_key=True)
    account_id = peewee.TextField()
    kind = peewee.TextField()
    status = peewee.TextField()
    series = peewee.TextField()
    number = peewee.BigIntegerField()
    currency = peewee.TextField()
    origin = peewee.TextField()
    cycle = peewee.TextField()
    period_start = UTCDateTimeField(null=True)
    period_end = UTCDateTimeField(null=True)
    topup_id = peewee.TextField(null=True)
    corrects_id = peewee.TextField(null=True)
    fact_id = peewee.TextField(null=True)
    subtotal_nanos = peewee.BigIntegerField()
    credit_nanos = peewee.BigIntegerField()
    net_nanos = peewee.BigIntegerField()
    tax_nanos = peewee.BigIntegerField()
    total_nanos = peewee.BigIntegerField()
    paid_nanos = peewee.BigIntegerField()
    tax = JSONField()
    facts = JSONField()
    seller = JSONField()
    buyer = JSONField()
    reason = peewee.TextField(null=True)
    issued_at = UTCDateTimeField()
    due_at = UTCDateTimeField(null=True)
    changed_at = UTCDateTimeField()

    lines: Sequence[InvoiceLine] = ()
    notes: Sequence[str] = ()  # the ids of its credit notes, where they were asked for

    class Meta:
        table_name = "billing_invoice"

    @property
    def number_text(self) -> str | None:
        """The number as it is written; a draft has none."""
        return f"{self.series}-{self.number:06d}" if self.number else None

    @property
    def total(self) -> Money:
        """What is to be paid, or of a credit note what goes back."""
        return self.money(self.total_nanos)

    @property
    def paid(self) -> Money:
        """What was paid of it."""
        return self.money(self.paid_nanos)

    @property
    def left(self) -> Money:
        """What is still to be paid: of nothing but an open one is anything expected."""
        return self.money(self.total_nanos - self.paid_nanos if self.status in (DRAFT, OPEN) else 0)

    def money(self, nanos: int) -> Money:
        """So many nanos of its currency."""
        return Money(nanos, self.currency)


@dataclass(frozen=True, slots=True)
class InvoiceFilter:
    """Which invoices: of these kinds, of top-ups made by hand or automatically, of one month, since
    a month (both `YYYY-MM`), of these ids."""

    kinds: Sequence[str] = (TOPUP, MONTHLY)
    origin: str | None = None
    cycle: str | None = None
    since: str | None = None
    ids: Sequence[str] | None = None


def take_number(series: str) -> int:
    """The next number of a series, in the present transaction."""
    [number] = fetch_one(_NUMBER, (series,)) or [0]
    return int(number)


def store(invoice: Invoice) -> Invoice:
    """Stores a numbered invoice with its lines, in the present transaction."""
    invoice.id = ids.new_id(PREFIX)
    invoice.save(force_insert=True)
    rows = [_row(invoice.id, place, line) for place, line in enumerate(invoice.lines)]
    insert_many(_LINES, _COLUMNS, rows, number=len(rows))
    return invoice


def get(account_id: str, invoice_id: str) -> Invoice:
    """One invoice or credit note of the account, with lines and notes. Raises NotFound."""
    mine = (Invoice.id == invoice_id) & (Invoice.account_id == account_id)
    found: Invoice | None = Invoice.get_or_none(mine)
    if found is None:
        raise NotFound("There is no such invoice.")
    return with_lines([found])[0]


def of_topup(topup_id: str) -> Invoice | None:
    """The invoice of a top-up, without its lines."""
    is_its = (Invoice.topup_id == topup_id) & (Invoice.kind == TOPUP)
    found: Invoice | None = Invoice.get_or_none(is_its)
    return found


def of_fact(fact_id: str) -> Invoice | None:
    """The credit note of a refund, without its lines."""
    found: Invoice | None = Invoice.get_or_none(Invoice.fact_id == fact_id)
    return found


def notes_of(invoice_id: str) -> list[Invoice]:
    """The credit notes of an invoice that stand, without their lines."""
    stand = (Invoice.corrects_id == invoice_id) & (Invoice.status != VOID)
    return list(Invoice.select().where(stand).order_by(Invoice.id))


def newest_statement(account_id: str) -> Invoice | None:
    """The account's last monthly statement, without its lines."""
    query = Invoice.select().where((Invoice.account_id == account_id) & (Invoice.kind == MONTHLY))
    found: Invoice | None = query.order_by(Invoice.cycle.desc()).first()
    return found


def page(
    account_id: str, chosen: InvoiceFilter, *, before: str | None = None, limit: int = 50,
    offset: int = 0,
) -> list[Invoice]:  # fmt: skip
    """The account's invoices, newest first, with their lines; `before` is an id to go on from."""
    query = _chosen(account_id, chosen)
    if before is not None:
        query = query.where(Invoice.id < before)
    return with_lines(list(query.order_by(Invoice.id.desc()).limit(limit).offset(offset)))


def count(account_id: str, chosen: InvoiceFilter) -> int:
    """How many there are."""
    return int(_chosen(account_id, chosen).count())


def with_lines(invoices: list[Invoice]) -> list[Invoice]:
    """The same, each with its lines and the ids of its notes."""
    mine = [one.id for one in invoices]
    lines, notes = _lines_of(mine), _notes_of(mine)
    for one in invoices:
        one.lines, one.notes = lines.get(one.id, []), notes.get(one.id, [])
    return invoices


def change(invoice: Invoice, at: datetime, **values: Any) -> None:
    """Changes whether it is paid: `status`, `paid_nanos`, `reason`. The caller holds the account's
    lock, and read it under that."""
    Invoice.update(changed_at=at, **values).where(Invoice.id == invoice.id).execute()


def _chosen(account_id: str, chosen: InvoiceFilter) -> Any:
    query = Invoice.select().where(
        (Invoice.account_id == account_id) & (Invoice.kind << list(chosen.kinds))
    )
    if chosen.origin is not None:
        query = query.where((Invoice.kind == TOPUP) & (Invoice.origin == chosen.origin))
    if chosen.cycle is not None:
        query = query.where(Invoice.cycle == chosen.cycle)
    if chosen.since is not None:
        query = query.where(Invoice.cycle >= chosen.since)
    if chosen.ids is not None:
        query = query.where(Invoice.id << list(chosen.ids))
    return query


def _lines_of(invoice_ids: Sequence[str]) -> dict[str, list[InvoiceLine]]:
    found: dict[str, list[InvoiceLine]] = {}
    for row in _all(f"SELECT {_COLUMNS} FROM {_LINES} WHERE invoice_id", invoice_ids):
        found.setdefault(row[0], []).append(_line(row))
    return found


def _notes_of(invoice_ids: Sequence[str]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    sql = "SELECT corrects_id, id FROM billing_invoice WHERE corrects_id"
    for row in _all(sql, invoice_ids):
        found.setdefault(row[0], []).append(row[1])
    return found


def _all(sql: str, invoice_ids: Sequence[str]) -> Iterable[Any]:
    if not invoice_ids:
        return []
    return fetch_all(f"{sql} IN ({places(invoice_ids)}) ORDER BY 1, 2", invoice_ids)


def _row(invoice_id: str, place: int, line: InvoiceLine) -> tuple[Any, ...]:
    times = [None if at is None else stored_time(at) for at in (line.first_at, line.last_at)]
    return (
        invoice_id, place, line.provider, line.model, line.unit, line.quantity, line.unit_price,
        line.amount_nanos, line.cents, int(line.late), *times,
    )  # fmt: skip


def _line(row: Sequence[Any]) -> InvoiceLine:
    _, _, provider, model, unit, quantity, unit_price, nanos, cents, late, first, last = row
    return InvoiceLine(
        unit, quantity, unit_price, nanos, cents, provider, model, bool(late), read_time(first),
        read_time(last),
    )  # fmt: skip
