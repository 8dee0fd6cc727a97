"""Statements: every line is from the ledger, and a preview is the invoice that comes of it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing_plugin import Actor, Billing, Money, errors, operations
from billing_plugin.models.base import dump
from billing_plugin.models.invoices import Invoice
from billing_plugin.models.statements import Used
from billing_plugin.models.usage import QUANTITIES
from billing_plugin.money import NANOS_PER_UNIT
from billing_plugin.operations.statements import lines_of, merged
from billing_plugin.periods import window
from tests.billed import (
    MODEL,
    PROVIDER,
    allow,
    buy,
    figures,
    finalize,
    invoices,
    preview,
    told,
    use,
    with_prices,
)
from tests.books import run_sql
from tests.deeds import give, hold, spend
from tests.factories import START, Clock, account_with, billing_on

AT = datetime(2026, 3, 9, tzinfo=UTC)
NEXT = {"days": 23}  # from START into April


def summed(invoice: Invoice) -> int:
    return sum(line.amount_nanos for line in invoice.lines)


def test_lines_by_model_kind_of_token_and_price(billing: Billing, actor: Actor) -> None:
    with_prices(billing)
    use(actor, input_tokens=1_000, output_tokens=10, cache_read_tokens=400)
    use(actor, input_tokens=3, output_tokens=2)
    spend(actor, "1.5", model="other", provider="zeta")
    draft = preview(actor)
    assert [line[:4] for line in draft.lines] == [
        ("cache_read_tokens", 400, "0.000001", 400_000),
        ("input_tokens", 603, "0.0000025", 1_507_500),
        ("output_tokens", 12, "0.00001", 120_000),
        ("stated", 1, None, 1_500_000_000),
    ]
    assert {(line.provider, line.model) for line in draft.lines[:3]} == {(PROVIDER, MODEL)}
    assert summed(draft) == draft.subtotal_nanos == 1_502_027_500
    assert figures(draft) == {
        "subtotal": "1.5020275", "credit": "1.5020275", "net": "0.00", "tax": "0.00",
        "total": "0.00",
    }  # fmt: skip
    assert (draft.id, draft.number_text, draft.status, draft.cycle) == (
        None, None, "draft", "2026-03",
    )  # fmt: skip


def test_credit_is_used_first_and_the_rest_is_owed(database_url: str) -> None:
    billing = billing_on(database_url, clock=Clock(), invoice_tax_rate="10")
    actor = account_with(billing, "4")
    allow(billing, actor, "50")
    give(billing, actor, "2")
    buy(actor, "3")
    spend(actor, "12.345")
    draft = preview(actor)
    assert figures(draft) == {
        "subtotal": "12.345", "credit": "9.00", "net": "3.34", "tax": "0.33", "total": "3.67",
    }  # fmt: skip
    names = ("opening", "bought", "given", "closing", "postpaidLimit")
    told_in = [draft.facts[name] // 10**9 for name in names]
    assert told_in == [0, 3, 6, 0, 50]


def test_what_goes_back_is_a_line_of_the_month_in_which_it_does(
    billing: Billing, actor: Actor, clock: Clock
) -> None:
    with_prices(billing)
    use(actor, input_tokens=400_000)
    first = spend(actor, "5")
    clock.forward(**NEXT)
    assert finalize(billing) == 1
    mine = str(actor.account_id)
    operations.refund_charge(billing.operator(), mine, first.entry_id, amount=Money.parse("2"))
    operations.reverse_entry(billing.operator(), mine, first.entry_id)
    draft = preview(actor)
    assert [(line.unit, line.quantity, line.amount_nanos, line.late) for line in draft.lines] == [
        ("correction", 2, -5 * NANOS_PER_UNIT, True)
    ]
    assert figures(draft)["credit"] == "-5.00"
    assert invoices(actor)[0].subtotal_nanos == 6 * NANOS_PER_UNIT


def test_late_usage_is_marked_and_stands_in_the_next_statement(
    billing: Billing, actor: Actor, clock: Clock
) -> None:
    with_prices(billing)
    use(actor, output_tokens=10)
    clock.forward(**NEXT)
    assert finalize(billing) == 1
    before = told(invoices(actor)[0])
    use(actor, output_tokens=7, effective_at=START)
    use(actor, output_tokens=1)
    draft = preview(actor)
    assert [(line.quantity, line.late) for line in draft.lines] == [(1, False), (7, True)]
    assert draft.lines[1].first_at == START
    clock.forward(days=31)
    assert finalize(billing) == 1
    first, second = invoices(actor)
    assert told(first) == before
    assert told(second)["lines"] == draft.lines


def test_a_rating_again_is_a_correction(billing: Billing, actor: Actor) -> None:
    with_prices(billing)
    use(actor, input_tokens=1_000_000)
    with_prices(billing, input_tokens="0.000002")
    month, mine = window("monthly", START), str(actor.account_id)
    operations.rerate_usage(billing.operator(), mine, month, dry_run=False)
    units = {line.unit: line.amount_nanos for line in preview(actor).lines}
    assert units == {"input_tokens": 2_500_000_000, "correction": -500_000_000}


def test_a_hold_is_nothing_until_it_is_captured(billing: Billing, actor: Actor) -> None:
    allow(billing, actor, "50")
    hold(actor, "20")
    assert preview(actor).lines == []
    assert figures(preview(actor))["total"] == "0.00"


def test_records_that_do_not_fit_their_entries_are_never_billed(
    billing: Billing, actor: Actor
) -> None:
    record = spend(actor, "1")
    run_sql(billing, "UPDATE billing_usage_record SET cost_nanos = 7 WHERE id = ?", record.id)
    with pytest.raises(errors.InternalError):
        preview(actor)


def used(prices: dict[str, str] | None, cost: int, uses: int = 1, **counts: int) -> Used:
    """Uses at those prices (None: their caller stated the cost)."""
    price = {"source": "caller"} if prices is None else {"source": "book", "prices": prices}
    known = dict.fromkeys(QUANTITIES, 0) | counts
    return Used("p", "m", dump(price), False, uses, cost, AT, AT, known)


def parts(one: Used) -> list[tuple[str, int, str | None, int]]:
    return [line[:4] for line in lines_of(one)]


def test_a_request_and_what_has_no_price_of_its_own() -> None:
    prices = {"requests": "0.01", "input_tokens": "0.001"}
    one = used(prices, 2 * 10**7 + 5 * 10**6, 2, input_tokens=5, cache_read_tokens=3)
    assert parts(one) == [
        ("input_tokens", 5, "0.001", 5 * 10**6), ("requests", 2, "0.01", 2 * 10**7),
    ]  # fmt: skip


def test_a_cost_that_no_price_explains_is_a_line_of_its_own() -> None:
    assert parts(used(None, 17, 3)) == [("stated", 3, None, 17)]
    assert parts(used({}, 0, 2)) == [("stated", 2, None, 0)]
    odd = used({"output_tokens": "0.000000001"}, 10, 2, output_tokens=4)
    assert parts(odd) == [
        ("output_tokens", 4, "0.000000001", 4), ("difference", 2, None, 6),
    ]  # fmt: skip
    free = used({"output_tokens": "0"}, 1, 2, output_tokens=4)
    assert parts(free) == [("output_tokens", 4, "0", 0), ("difference", 2, None, 1)]


PRICE = st.integers(0, 10**15).map(lambda parts: format(Decimal(parts).scaleb(-15), "f"))
COUNT = st.integers(0, 10**12)


@given(st.dictionaries(st.sampled_from(["input_tokens", "output_tokens"]), PRICE), COUNT, COUNT,
       st.integers(1, 1000), st.integers(-1000, 1000))  # fmt: skip
def test_lines_add_up_to_the_cost_and_are_quantity_times_price(
    prices: dict[str, str], read: int, written: int, uses: int, lost: int
) -> None:
    counts = {"input_tokens": read, "output_tokens": written}
    exact = sum(counts[unit] * Fraction(price) * NANOS_PER_UNIT for unit, price in prices.items())
    cost = max(int(exact) + lost, 0)
    found = list(lines_of(used(prices, cost, uses, **counts)))
    assert sum(line.amount_nanos for line in found) == cost
    for line in found:
        if line.unit_price is not None:
            assert line.quantity == counts[line.unit]
            by_price = line.quantity * Fraction(line.unit_price) * NANOS_PER_UNIT
            assert abs(line.amount_nanos - by_price) <= uses + 2


def test_the_same_at_the_same_price_is_one_line() -> None:
    one, other = used({"output_tokens": "1"}, 5 * 10**9, output_tokens=5), used(None, 3)
    again = one._replace(price_text=dump({"source": "x", "prices": {"output_tokens": "1"}}))
    later = again._replace(last_at=AT + timedelta(days=1))
    found = merged(line for used in (one, other, later) for line in lines_of(used))
    assert [(line.unit, line.quantity, line.amount_nanos) for line in found] == [
        ("output_tokens", 10, 10 * 10**9), ("stated", 1, 3),
    ]  # fmt: skip
    assert (found[0].first_at, found[0].last_at) == (AT, AT + timedelta(days=1))


def test_cents_of_lines_add_up_to_those_of_the_subtotal(billing: Billing, actor: Actor) -> None:
    for model in ("a", "b", "c"):
        spend(actor, "0.333333333", model=model)
    draft = preview(actor)
    assert sorted(line.cents for line in draft.lines) == [33, 33, 34]
    assert draft.money(draft.subtotal_nanos).cents == 100
