"""Invoices: months are closed once and in order, and a preview is what its invoice will be."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from threading import Barrier
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from billing_plugin import Actor, Billing, Money, errors, operations
from billing_plugin.models.invoices import Invoice
from billing_plugin.models.statements import run_of
from billing_plugin.operations import invoices as module
from tests.billed import (
    allow,
    buy,
    buy_by_itself,
    figures,
    finalize,
    invoices,
    preview,
    told,
    use,
    with_prices,
)
from tests.books import complaints, counts, run_sql
from tests.deeds import balance, capture, give, hold, spend
from tests.factories import START, Clock, account_with, billing_on

APRIL = datetime(2026, 4, 1, tzinfo=UTC)
STEPS = st.lists(
    st.tuples(
        st.sampled_from(
            ["use", "use", "spend", "buy", "give", "late", "refund", "reverse", "hold", "capture"]
        ),
        st.integers(1, 999_999_999),
        st.integers(0, 40),
    ),
    max_size=12,
)


class Story:
    """Random things that happen to an account with credit and an allowance."""

    def __init__(self, billing: Billing, clock: Clock, limit: int) -> None:
        self.billing, self.clock, self.actor = billing, clock, account_with(billing, "3")
        self.mine, self.entries, self.holds = str(self.actor.account_id), [""], [None]
        allow(billing, self.actor, str(limit))

    def happens(self, kind: str, number: int) -> None:
        """One step; what the rules refuse does not happen."""
        amount = Money(number * 7)
        deeds: dict[str, Callable[[], Any]] = {
            "use": lambda: use(self.actor, input_tokens=number, output_tokens=number // 3),
            "spend": lambda: self.entries.append(spend(self.actor, amount.text).entry_id),
            "late": lambda: use(self.actor, output_tokens=number % 1000, effective_at=START),
            "buy": lambda: buy(self.actor, f"{number % 100 + 1}"),
            "give": lambda: give(self.billing, self.actor, amount.text),
            "refund": lambda: operations.refund_charge(
                self.billing.operator(), self.mine, self.entries[-1], amount=Money(number)
            ),
            "reverse": lambda: operations.reverse_entry(
                self.billing.operator(), self.mine, self.entries[-1]
            ),
            "hold": lambda: self.holds.append(hold(self.actor, amount.text)),
            "capture": lambda: self.holds[-1] and capture(self.actor, self.holds[-1]),
        }
        try:
            deeds[kind]()
        except errors.BillingError:
            return


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(STEPS, STEPS, st.integers(0, 20), st.booleans(), st.sampled_from(["0", "19", "8.875"]))
def test_a_preview_is_the_invoice_where_nothing_more_happens(
    billing: Billing, clock: Clock, first: Any, second: Any, limit: int, inclusive: bool, rate: str
) -> None:
    """In every line, total and fact; and each month goes on where the one before has ended."""
    clock.at = max(clock.at, START)
    billing.instance.settings = billing.instance.settings._replace(
        invoice_tax_rate=rate, invoice_tax_inclusive=inclusive
    )
    with_prices(billing)
    story, drafts = Story(billing, clock, limit), []
    for steps in (first, second):
        clock.at = _start_of_next_month(clock.at)
        for kind, number, minutes in steps:
            clock.forward(minutes=minutes)
            story.happens(kind, number)
        drafts.append(preview(story.actor))
        clock.forward(hours=1)
        assert told(preview(story.actor)) == told(drafts[-1])
    clock.at = _start_of_next_month(clock.at)
    _assert_issued(billing, clock, story, drafts=drafts)


def _assert_issued(billing: Billing, clock: Clock, story: Story, *, drafts: list[Invoice]) -> None:
    clock.forward(minutes=11)
    finalize(billing)
    issued = invoices(story.actor, "monthly")
    want = [draft for draft in drafts if draft.lines or draft.total_nanos]
    assert [told(one) for one in issued] == [told(draft) for draft in want]
    for one in issued:
        facts = one.facts
        owed = one.subtotal_nanos - one.credit_nanos
        before = facts["opening"] + facts["bought"] + facts["given"]
        assert before - one.subtotal_nanos + owed == facts["closing"]
        assert sum(line.amount_nanos for line in one.lines) == one.subtotal_nanos
        cents = one.money(one.subtotal_nanos).cents
        assert sum(line.cents for line in one.lines) == cents
        assert one.status == ("open" if one.total_nanos else "paid")
    assert finalize(billing) == 0
    assert complaints(billing) == []


def _start_of_next_month(at: datetime) -> datetime:
    days = {"day": 1, "hour": 0, "minute": 0, "second": 0, "microsecond": 0}
    return at.replace(year=at.year + at.month // 12, month=at.month % 12 + 1, **days)


def test_what_is_owed_is_what_became_receivable(billing: Billing, clock: Clock) -> None:
    actor = account_with(billing, "4")
    allow(billing, actor, "50")
    spend(actor, "12.3456789")
    clock.at = APRIL
    assert finalize(billing) == 0  # clocks of several machines may differ by a few minutes
    clock.forward(minutes=10)
    assert (finalize(billing), finalize(billing)) == (1, 0)
    [statement] = invoices(actor)
    assert figures(statement)["credit"] == "4.00"
    assert statement.total.text == "8.35"
    assert (statement.status, statement.left.text) == ("open", "8.35")
    assert statement.due_at == clock.at.replace(day=15)
    entries = operations.list_entries(actor, str(actor.account_id))
    assert (entries[0].kind, entries[0].amount.text) == ("postpaid", "8.3456789")
    assert balance(actor)[0] == "0.00"


def test_months_nobody_closed_are_closed_in_order(billing: Billing, clock: Clock) -> None:
    actor, idle = account_with(billing, "50"), account_with(billing, "9")
    for month in (4, 6, 7):
        clock.at = clock.at.replace(month=month)
        spend(actor, f"{month}")
    clock.forward(days=40)
    assert finalize(billing) == 3
    found = invoices(actor)
    assert [(one.cycle, one.subtotal_nanos // 10**9) for one in found] == [
        ("2026-04", 4), ("2026-06", 6), ("2026-07", 7),
    ]  # fmt: skip
    assert [one.number for one in found] == [1, 2, 3]
    stretches = [(one.facts["firstSequence"], one.facts["lastSequence"]) for one in found]
    assert stretches == [(0, 2), (2, 3), (3, 4)]
    assert invoices(idle) == []


def test_a_preview_is_of_the_running_month_alone(billing: Billing, clock: Clock) -> None:
    actor = account_with(billing, "50")
    spend(actor, "7")
    clock.at = APRIL
    spend(actor, "1")
    assert figures(preview(actor))["subtotal"] == "1.00"
    clock.forward(days=2)
    finalize(billing)
    assert figures(preview(actor))["subtotal"] == "1.00"
    assert preview(actor).facts["opening"] == 43 * 10**9


def test_many_at_once_close_each_month_once(database_url: str) -> None:
    clock = Clock()
    billing = billing_on(database_url, clock=clock)
    actors = [account_with(billing, "50") for _ in range(6)]
    for actor in actors:
        spend(actor, "1")
    clock.forward(days=40)
    together = Barrier(6)

    def close(number: int) -> int:
        together.wait()
        buy(actors[number], "5")
        return finalize(billing)

    with ThreadPoolExecutor(6) as pool:
        assert sum(pool.map(close, range(6))) == 6
    numbers = sorted(one.number for actor in actors for one in invoices(actor))
    assert numbers == list(range(1, 13))
    assert complaints(billing) == []


def test_a_crash_in_between_leaves_no_gap(
    billing: Billing, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    actors = [account_with(billing, "50") for _ in range(3)]
    for actor in actors:
        spend(actor, "1")
    clock.forward(days=40)
    issue, left = module.issue_statement, [2]

    def dies(draft: Invoice, at: datetime) -> Invoice:
        issued = issue(draft, at)
        left[0] -= 1
        if left[0] == 0:
            raise errors.StorageUnavailable("killed after the number was taken")
        return issued

    monkeypatch.setattr(module, "issue_statement", dies)
    assert finalize(billing) == 2
    assert finalize(billing) == 1
    assert sorted(one.number for actor in actors for one in invoices(actor)) == [1, 2, 3]


def test_one_account_that_fails_keeps_no_other_from_closing(
    billing: Billing, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    wrong, right = account_with(billing, "50"), account_with(billing, "50")
    record = spend(wrong, "1")
    spend(right, "2")
    clock.forward(days=40)
    change = "UPDATE billing_usage_record SET cost_nanos = ? WHERE id = ?"
    run_sql(billing, change, 1, record.id)
    assert finalize(billing) == 1
    assert str(wrong.account_id) in caplog.text
    assert (invoices(wrong), len(invoices(right))) == ([], 1)
    run_sql(billing, change, 10**9, record.id)
    assert (finalize(billing), finalize(billing)) == (1, 0)
    with billing.instance.active():
        assert run_of("2026-03") == ("", 0, True)


def test_many_accounts_are_closed_some_at_a_time(
    billing: Billing, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "AT_ONCE", 2)
    for _ in range(5):
        spend(account_with(billing, "5"), "1")
    clock.forward(days=40)
    assert [finalize(billing) for _ in range(4)] == [2, 2, 1, 0]


def test_a_database_whose_clock_is_behind_closes_nothing(billing: Billing, clock: Clock) -> None:
    actor = account_with(billing, "5")
    spend(actor, "1")
    ahead = Clock(APRIL.replace(day=2))
    monkey: Any = pytest.MonkeyPatch()
    with monkey.context() as patch:
        patch.setattr(module, "now", ahead)
        assert finalize(billing) == 0
    assert invoices(actor) == []
    clock.at = ahead.at
    assert finalize(billing) == 1


def test_a_filter_finds_what_it_says(billing: Billing, clock: Clock) -> None:
    actor = account_with(billing, "50")
    buy(actor, "5")
    spend(actor, "1")
    clock.forward(days=30)
    buy_by_itself(actor, "6")
    finalize(billing)
    mine = str(actor.account_id)

    def found(**said: Any) -> list[str | None]:
        chosen = operations.InvoiceFilter(**said)
        listed = operations.list_invoices(actor, mine, chosen=chosen)
        assert operations.count_invoices(actor, mine, chosen=chosen) == len(listed)
        return [one.number_text for one in listed]

    [first, _, _] = invoices(actor)
    assert found() == ["INV-000003", "INV-000002", "INV-000001"]
    assert found(kinds=["topup"]) == ["INV-000002", "INV-000001"]
    assert found(origin="auto") == ["INV-000002"]
    assert found(origin="manual") == ["INV-000001"]
    assert found(cycle="2026-03") == ["INV-000003", "INV-000001"]
    assert found(since="2026-04") == ["INV-000002"]
    assert found(ids=[first.id, "inv_x"]) == ["INV-000001"]
    assert found(ids=[]) == []
    assert found(kinds=["credit_note"]) == []
    assert operations.list_invoices(actor, mine, before=first.id) == []
    page = operations.list_invoices(actor, mine, limit=1, offset=2)
    assert [one.id for one in page] == [first.id]
    with pytest.raises(errors.InvalidRequest):
        operations.list_invoices(actor, mine, offset=-1)
    for wrong in ({"kinds": ["x"]}, {"kinds": []}, {"origin": "all"}, {"cycle": "2026-3"},
                  {"since": "x"}, {"ids": ["x"] * 101}):  # fmt: skip
        with pytest.raises(errors.InvalidRequest):
            found(**wrong)


def test_an_open_invoice_is_marked_once_and_its_balance_stays(
    billing: Billing, clock: Clock
) -> None:
    actor, operator = account_with(billing), billing.operator()
    allow(billing, actor, "50")
    mine = str(actor.account_id)
    spend(actor, "5")
    clock.forward(days=40)
    finalize(billing)
    [statement] = invoices(actor)
    before = balance(actor)

    def mark(status: str) -> Invoice:
        return operations.mark_invoice(operator, mine, statement.id, status=status, reason="bank")

    lost = mark("uncollectible")
    assert (lost.status, lost.paid.text, lost.replayed) == ("uncollectible", "0.00", False)
    assert mark("uncollectible").replayed
    paid = mark("paid")
    assert (paid.status, paid.paid.text, paid.reason) == ("paid", "5.00", "bank")
    assert told(paid) | {"paid_nanos": 0, "reason": None} == told(statement)
    assert balance(actor) == before
    for status in ("void", "uncollectible"):
        with pytest.raises(errors.Conflict):
            mark(status)
    with pytest.raises(errors.InvalidRequest):
        mark("open")
    done = operations.list_changes(operator, mine)
    assert [one.action for one in done][:2] == ["invoice.mark", "invoice.mark"]


def test_anothers_invoice_is_unknown(billing: Billing, actor: Actor) -> None:
    buy(actor, "5")
    [invoice] = invoices(actor)
    other = account_with(billing)
    for ask in (operations.get_invoice, operations.print_invoice):
        with pytest.raises(errors.NotFound):
            ask(other, str(other.account_id), invoice.id)
    with pytest.raises(errors.NotFound):
        operations.get_invoice(other, str(actor.account_id), invoice.id)


def test_a_file_is_named_by_its_number(billing: Billing, actor: Actor) -> None:
    buy(actor, "5")
    [invoice] = invoices(actor)
    printed = operations.print_invoice(actor, str(actor.account_id), invoice.id)
    assert printed.name == "INV-000001.pdf"
    assert printed.content.startswith(b"%PDF")


def test_nobody_but_an_operator_closes(actor: Actor) -> None:
    with pytest.raises(errors.Forbidden):
        operations.finalize_invoices(actor)
    with pytest.raises(errors.Forbidden):
        operations.mark_invoice(actor, str(actor.account_id), "inv_x", status="paid")


def test_a_preview_writes_nothing(billing: Billing, actor: Actor) -> None:
    spend(actor, "1")
    before = counts(billing)
    preview(actor)
    assert counts(billing) == before
