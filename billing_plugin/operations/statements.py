"""Composing a statement: a stretch of an account's ledger as lines by model, unit and price.

Every nano is from the ledger: the lines add up to what the entries took, what prepaid credit did
not cover is what became receivable. Composing is the same for a preview and for an invoice.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from fractions import Fraction
from functools import lru_cache
from math import lcm
from typing import Any

from billing_plugin.errors import InternalError
from billing_plugin.models import statements
from billing_plugin.models.base import load
from billing_plugin.models.invoices import DRAFT, MANUAL, MONTHLY, Invoice, InvoiceLine
from billing_plugin.models.ledger import Book
from billing_plugin.models.statements import CHARGES, POSTPAID, Moved, Stretch, Used
from billing_plugin.models.usage import CORRECTED, RERATED
from billing_plugin.money import NANOS_PER_UNIT, Money, split_cents, split_nanos
from billing_plugin.operations.parties import buyer, seller
from billing_plugin.operations.tariffs import REQUESTS, TOTALS, Share, rounded, shares
from billing_plugin.operations.taxes import amounts_of, configured_tax
from billing_plugin.periods import Period, month_name

STATED, CORRECTION, DIFFERENCE = "stated", "correction", "difference"
_BOUGHT = ("topup", "topup_refund", "topup_dispute", "topup_restored")


def compose(book: Book, cycle: Period, stretch: Stretch, *, is_running: bool = False) -> Invoice:
    """The draft of a month's statement; of the running one, what is owed is what would become
    receivable now. Raises InternalError where records and entries do not agree."""
    found = statements.moved(stretch)
    sums = _sums(found)
    open_nanos = _would_owe(book) if is_running else 0
    owed = sums["postpaid"] + open_nanos
    lines = _lines(stretch, cycle, found, currency=book.currency)
    spent = sum(line.amount_nanos for line in lines)
    if spent != -sums["charged"]:
        raise InternalError("The records of a month are not what its entries charged.")
    tax = configured_tax()
    amounts = amounts_of(Money(owed, book.currency), tax)
    return Invoice(
        account_id=book.account_id, kind=MONTHLY, status=DRAFT, currency=book.currency,
        origin=MANUAL, cycle=month_name(cycle.start), period_start=cycle.start,
        period_end=cycle.end, subtotal_nanos=spent, credit_nanos=spent - owed,
        net_nanos=amounts.net.nanos, tax_nanos=amounts.tax.nanos,
        total_nanos=amounts.total.nanos, paid_nanos=0, tax=tax.facts,
        facts=_facts(book, stretch, sums, unpaid=open_nanos), seller=seller(),
        buyer=buyer(book.account_id),
        lines=lines,
    )  # fmt: skip


def _would_owe(book: Book) -> int:
    """What would become receivable if the billing cycle ended now."""
    return max(-book.posted_nanos, 0) if book.cycle_ends_at is not None else 0


def _sums(found: Sequence[Moved]) -> dict[str, int]:
    """What was charged, bought, given otherwise, and became receivable, in nanos."""
    sums = dict.fromkeys(("charged", "bought", "given", "postpaid"), 0)
    for one in found:
        sums[_purpose(one)] += one.nanos
    return sums


def _purpose(one: Moved) -> str:
    if _is_charge(one):
        return "charged"
    if one.kind in _BOUGHT:
        return "bought"
    return "postpaid" if one.kind == POSTPAID else "given"


def _is_charge(one: Moved) -> bool:
    return one.kind in CHARGES and (one.kind != "reversal" or one.reversed == "usage")


def _facts(
    book: Book, stretch: Stretch, sums: dict[str, int], *, unpaid: int
) -> dict[str, int]:  # fmt: skip
    """What a statement knows of the balance, in nanos: `opening`, what was `bought` and `given`,
    and what is left of it at the close, when what is owed has left the balance."""
    return {
        "opening": statements.balance_after(stretch.account_id, stretch.first),
        "closing": statements.balance_after(stretch.account_id, stretch.last) + unpaid,
        "bought": sums["bought"], "given": sums["given"], "postpaidLimit": book.postpaid_nanos,
        "firstSequence": stretch.first, "lastSequence": stretch.last,
    }  # fmt: skip


def _lines(
    stretch: Stretch, cycle: Period, found: Sequence[Moved], *, currency: str
) -> list[InvoiceLine]:
    """The lines in order, with cents that add up to those of their sum."""
    times = [one.since for one in found if _is_charge(one)]
    if not times:
        return []
    uses = statements.used(stretch, since=min(times), cycle_start=cycle.start)
    lines = merged(line for one in uses for line in lines_of(one))
    cents = split_cents([Money(line.amount_nanos, currency) for line in lines])
    return [line._replace(cents=some) for line, some in zip(lines, cents, strict=True)]


def merged(lines: Iterable[InvoiceLine]) -> list[InvoiceLine]:
    """One line for all of the same model, unit and price, in order."""
    found: dict[Any, InvoiceLine] = {}
    for line in lines:
        key = (line.provider, line.model, line.late, line.unit, line.unit_price or "")
        found[key] = _together(found[key], line) if key in found else line
    return [found[key] for key in sorted(found)]


def lines_of(used: Used) -> Iterator[InvoiceLine]:
    """Uses at one price by kind of token: each line is quantity times price, the nanos that were
    lost or won where each use was rounded being shared out among them."""
    parts = _parts(used)
    weights, scale = _weights(parts)
    exact = rounded(sum(weights), scale)
    is_rounding = exact > 0 and abs(used.cost_nanos - exact) <= used.uses
    by_price = used.cost_nanos if is_rounding else exact
    for (unit, quantity, price), nanos in zip(parts, split_nanos(by_price, weights), strict=True):
        yield _line(used, unit, quantity, price=price, nanos=nanos)
    if by_price != used.cost_nanos or not parts:
        unit = DIFFERENCE if parts else _unpriced(used)
        yield _line(used, unit, used.uses, price=None, nanos=used.cost_nanos - by_price)


def _parts(used: Used) -> list[tuple[str, int, str]]:
    """Unit, quantity and price of what was charged by price."""
    prices = load(used.price_text).get("prices", {})
    found = [
        (kind, sum(used.counts[count] * times for count, times in share.items()), prices[kind])
        for kind, share in _shares(tuple(sorted(prices))).items()
    ]
    if REQUESTS in prices:
        found.append((REQUESTS, used.uses, prices[REQUESTS]))
    return [part for part in found if part[1]]


@lru_cache
def _shares(kinds: tuple[str, ...]) -> dict[str, Share]:
    left = shares({*(kind for kind in kinds if kind != REQUESTS), *TOTALS})
    return {kind: left[kind] for kind in kinds if kind != REQUESTS}


def _weights(parts: Sequence[tuple[str, int, str]]) -> tuple[list[int], int]:
    """What each part comes to, in 1/scale nano."""
    exact = [Fraction(price) * NANOS_PER_UNIT * quantity for _, quantity, price in parts]
    scale = lcm(*(one.denominator for one in exact))
    return [int(one * scale) for one in exact], scale


def _unpriced(used: Used) -> str:
    return CORRECTION if used.price_text in (CORRECTED, RERATED) else STATED


def _line(
    used: Used, unit: str, quantity: int, *, price: str | None, nanos: int
) -> InvoiceLine:  # fmt: skip
    return InvoiceLine(
        unit, quantity, price, nanos, 0, used.provider, used.model, used.late, used.first_at,
        used.last_at,
    )  # fmt: skip


def _together(one: InvoiceLine, other: InvoiceLine) -> InvoiceLine:
    return one._replace(
        quantity=one.quantity + other.quantity,
        amount_nanos=one.amount_nanos + other.amount_nanos,
        first_at=min(filter(None, (one.first_at, other.first_at))),
        last_at=max(filter(None, (one.last_at, other.last_at))),
    )
