"""Writing what was charged: few rows in one statement, many table by table, the same books."""

from __future__ import annotations

import pytest

from billing_plugin import Actor, Billing, Money, operations
from billing_plugin.models import store
from billing_plugin.models.store import FEW
from billing_plugin.operations import Submission, Usage
from tests.books import complaints, everything
from tests.factories import Clock

LATE = {"action": "soft"}  # keeps charges off the happy path


def submissions(number: int) -> list[Submission]:
    odd = 'a "quoted" \\ word'
    return [
        Submission(
            Usage(odd if turn % 2 else "m", "p", turn, cost=Money(turn), metadata={"n": odd}),
            f"{odd} {turn}" if turn % 3 else None,
        )
        for turn in range(number)
    ]


@pytest.mark.parametrize("number", [2, FEW, FEW + 1])
def test_every_row_is_there_as_it_was_made(billing: Billing, actor: Actor, number: int) -> None:
    account_id = str(actor.account_id)
    for about in ({}, {"partitions": ["model"]}, LATE):
        operations.set_limit(actor, account_id, Money.parse("1"), **about)
    outcomes = operations.record_usage_batch(actor, account_id, submissions(number))
    for outcome in outcomes:
        assert outcome.record is not None
        read = operations.get_usage(actor, account_id, outcome.record.id)
        for name in ("quantities", "cost", "model", "metadata", "effective_at", "entry_id"):
            assert getattr(read, name) == getattr(outcome.record, name)
    again = operations.record_usage_batch(actor, account_id, submissions(number))
    assert [one.replayed for one in again] == [bool(turn % 3) for turn in range(number)]
    assert complaints(billing) == []
    assert operations.verify_ledger(billing.operator()).broken == []


def test_one_statement_writes_what_many_do(
    billing: Billing, actor: Actor, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    account_id = str(actor.account_id)
    for few in (0, FEW):
        monkeypatch.setattr(store, "FEW", few)
        before = everything(billing)
        operations.record_usage_batch(actor, account_id, submissions(5)[::3])
        clock.forward(minutes=1)
        new = {name: len(rows) - len(before[name]) for name, rows in everything(billing).items()}
        assert {name: number for name, number in new.items() if number} == (
            {"ledger_entry": 2, "usage_record": 2, "usage_rollup": 2}
            if few == 0
            else {"ledger_entry": 2, "usage_record": 2}
        )
    assert complaints(billing) == []
