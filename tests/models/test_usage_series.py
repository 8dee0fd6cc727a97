"""The statement behind usage over time: buckets given as instants, groups, corrections."""

from __future__ import annotations

from datetime import timedelta

import pytest

from billing_plugin import Actor, Billing, Money, operations
from billing_plugin.models import usage_series
from billing_plugin.models.usage_series import COLUMNS, VALUES, Cell
from billing_plugin.operations import Usage
from billing_plugin.periods import Period
from tests.factories import START

HOUR = timedelta(hours=1)
BUCKETS = [Period(START - 2 * HOUR, START - HOUR), Period(START - HOUR, START + HOUR)]


@pytest.fixture
def used(billing: Billing, actor: Actor) -> Actor:
    """Two uses in the second bucket, one of which was taken back, and one too early."""
    mine = str(actor.account_id)
    for cost, tokens, ago in (("1", 3, 0), ("2", 4, 0), ("4", 5, 3)):
        used = Usage("m", "p", tokens, cost=Money.parse(cost), effective_at=START - ago * HOUR)
        done = operations.record_usage(actor, mine, used)
        if cost == "2" and done.record:
            operations.reverse_entry(billing.operator(), mine, done.record.entry_id)
    return actor


def cells(billing: Billing, actor: Actor, *groups: str, model: str = "m") -> list[Cell]:
    with billing.instance.active():
        return usage_series.cells(
            str(actor.account_id), BUCKETS, currency="USD", groups=groups,
            filters={"model": [model]}, values=("cost", "records", "input_tokens"),
        )  # fmt: skip


def test_a_cell_is_the_sum_of_what_lies_in_its_bucket(billing: Billing, used: Actor) -> None:
    figures = {
        "cost": (10**9, 10**9, 2 * 10**9), "records": (2, 1, 1), "input_tokens": (7, 3, 4),
    }  # fmt: skip
    assert cells(billing, used) == [Cell(1, (), 2, figures)]
    assert cells(billing, used, "model", "agent", "key") == [Cell(1, ("m", "", ""), 2, figures)]
    assert cells(billing, used, "provider", model="x") == []


def test_sums_by_day_tell_the_same(billing: Billing, used: Actor) -> None:
    mine, day = str(used.account_id), timedelta(days=1)
    first = START.replace(hour=0, minute=0)
    days = [Period(first - day, first), Period(first, first + 2 * day)]
    groups, filters = ("model", "provider"), {"provider": ["p", "q"]}
    with billing.instance.active():
        rolled = usage_series.rolled_cells(mine, days, groups=groups, filters=filters)
        read = usage_series.cells(
            mine, days, currency="USD", groups=groups, filters=filters, values=("cost", "records")
        )
        none = usage_series.rolled_cells(mine, days, groups=(), filters={"model": ["x"]})
    assert [(one.bucket, one.group, one.uses) for one in rolled] == [(1, ("m", "p"), 3)]
    assert [one.figures["cost"][0] for one in rolled] == [5 * 10**9]
    assert [one.figures["cost"][0] for one in read] == [5 * 10**9]
    assert [one.figures["records"] for one in rolled] == [one.figures["records"] for one in read]
    assert none == []


def test_every_name_can_be_asked_for(billing: Billing, used: Actor) -> None:
    with billing.instance.active():
        [cell] = usage_series.cells(
            str(used.account_id), BUCKETS, currency="USD", groups=tuple(COLUMNS), filters={},
            values=VALUES,
        )  # fmt: skip
        assert cell.figures.keys() == set(VALUES)
        assert usage_series.cells(
            str(used.account_id), BUCKETS, currency="EUR", groups=(), filters={}, values=VALUES
        ) == []  # fmt: skip
