"""Where a month ends in a ledger, and what its entries say."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from billing_plugin import Actor, Billing, operations
from billing_plugin.models import statements
from billing_plugin.models.statements import Moved, Stretch
from tests.billed import MODEL, PROVIDER, allow, buy, finalize, use, with_prices
from tests.deeds import spend
from tests.factories import START, Clock, account_with

APRIL, MAY = datetime(2026, 4, 1, tzinfo=UTC), datetime(2026, 5, 1, tzinfo=UTC)
INSTANT = timedelta(microseconds=1)


def test_a_month_ends_with_what_became_receivable_then(billing: Billing, clock: Clock) -> None:
    actor = account_with(billing, "1")
    allow(billing, actor, "9")
    mine = str(actor.account_id)
    spend(actor, "3")
    clock.at = APRIL - INSTANT
    spend(actor, "1")
    clock.at = APRIL + timedelta(days=2)
    spend(actor, "1")  # after the entry by which March's debt leaves the balance
    with billing.instance.active():
        cuts = [statements.cut(mine, at) for at in (START, APRIL - INSTANT, APRIL, MAY)]
        assert cuts == [0, 2, 4, 5]
        assert statements.first_charge(mine, 0) == START
        assert statements.first_charge(mine, 3) == APRIL - INSTANT
        assert statements.first_charge(mine, 4) == clock.at
        assert statements.first_charge(mine, 5) is None
        assert [statements.balance_after(mine, at) for at in (0, 1, 3)] == [0, 10**9, -3 * 10**9]


def test_what_entries_moved_by_kind(billing: Billing, actor: Actor) -> None:
    mine = str(actor.account_id)
    record = spend(actor, "2", at=START - timedelta(days=9))
    buy(actor, "5")
    operations.reverse_entry(billing.operator(), mine, record.entry_id)
    early = START - timedelta(days=9)
    with billing.instance.active():
        found = statements.moved(Stretch(mine, 1, 4))
        assert statements.moved(Stretch(mine, 4, 9)) == []
    assert sorted(found) == [
        Moved("reversal", "usage", 2 * 10**9, early), Moved("topup", "", 5 * 10**9, START),
        Moved("usage", "", -2 * 10**9, early),
    ]  # fmt: skip


def test_uses_are_those_of_the_entries_alone(billing: Billing, actor: Actor, clock: Clock) -> None:
    with_prices(billing)
    clock.forward(days=3)
    mine, now = str(actor.account_id), clock.at
    use(actor, output_tokens=5)
    use(actor, output_tokens=7, effective_at=START)
    use(actor, output_tokens=9)
    with billing.instance.active():
        found = statements.used(Stretch(mine, 2, 4), since=START, cycle_start=now)
        assert [(one.late, one.uses, one.counts["output_tokens"]) for one in found] == [
            (False, 1, 9), (True, 1, 7),
        ]  # fmt: skip
        assert {(one.provider, one.model, one.counts["input_tokens"]) for one in found} == {
            (PROVIDER, MODEL, 0)
        }
        first = statements.used(Stretch(mine, 0, 2), since=START, cycle_start=START)
        assert [(one.cost_nanos, one.first_at, one.last_at) for one in first] == [
            (50_000, now, now)
        ]


def test_accounts_are_found_that_moved_since_their_statement(
    billing: Billing, clock: Clock
) -> None:
    still, moving = account_with(billing, "5"), account_with(billing, "5")
    account_with(billing)  # has no entry at all
    ids = [str(still.account_id), str(moving.account_id)]
    spend(still, "1"), spend(moving, "1")
    with billing.instance.active():
        assert statements.moved_accounts(after="", limit=9) == ids
        assert statements.moved_accounts(after="", limit=1) == ids[:1]
        assert statements.moved_accounts(after=ids[0], limit=9) == ids[1:]
    clock.forward(days=40)
    assert finalize(billing) == 2
    spend(moving, "1")
    with billing.instance.active():
        assert statements.moved_accounts(after="", limit=9) == ids[1:]


def test_a_run_is_kept(billing: Billing) -> None:
    with billing.instance.active():
        assert statements.run_of("2026-03") == ("", 0, False)
        statements.keep_run("2026-03", after="acct_1", failures=2, done=False)
        assert statements.run_of("2026-03") == ("acct_1", 2, False)
        statements.keep_run("2026-03", after="", failures=0, done=True)
        assert statements.run_of("2026-03") == ("", 0, True)
        assert statements.run_of("2026-04") == ("", 0, False)
