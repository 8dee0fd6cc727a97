"""Signed cells: what a change adds to the sums, whether it is folded or not."""

from __future__ import annotations

import pytest

from billing_plugin import Billing
from billing_plugin.context import is_sqlite, write_transaction
from billing_plugin.models import recounts, rollups
from billing_plugin.models.base import fetch_all
from billing_plugin.models.items import CostItem
from billing_plugin.models.rollups import Cell, cells_of, net
from billing_plugin.operations.items import blank
from tests.deeds import refused
from tests.factories import START

ITEM = blank("acct_x", "USD", source="sync", at=START)._replace(
    nanos=5, attos=7, provider="p", tags_text='["a","b"]', recurs=1
)
DAY = Cell("2026-03-09", "USD", "sync", "p", recurring=1)
TAGS = [Cell("2026-03-09", "USD", "sync", "p", tag=tag) for tag in "ab"]


def rows(table: str) -> list[tuple[object, ...]]:
    return [row[1:] for row in fetch_all(f"SELECT * FROM billing_spend_{table} ORDER BY 1, 2, 5")]


def test_an_item_counts_in_its_day_and_in_each_tag() -> None:
    assert list(cells_of(ITEM)) == [DAY, *TAGS]
    assert list(cells_of(ITEM._replace(tags_text="[]")))[1:] == [TAGS[0]._replace(tag="")]


def test_what_did_not_change_is_no_change() -> None:
    assert net([ITEM], [ITEM]) == net([ITEM], [ITEM._replace(name="other")]) == {}
    assert net([], [ITEM]) == {cell: [5, 7, 1] for cell in (DAY, *TAGS)}
    more = ITEM._replace(nanos=4, attos=9, tags_text='["b"]')
    assert net([ITEM], [more]) == {
        DAY: [-1, 2, 0], TAGS[0]: [-5, -7, -1], TAGS[1]: [-1, 2, 0],
    }  # fmt: skip
    assert net([ITEM, ITEM], [more, more])[DAY] == [-2, 4, 0]


def test_many_changes_go_into_the_sums(billing: Billing) -> None:
    with billing.instance.active(), write_transaction():
        rollups.apply("acct_x", [], [ITEM] * 3, many=True)
        rollups.apply("acct_x", [ITEM], [], many=True)
        key = ("USD", "sync", "p", "", "", 1)
        assert rows("day") == [("2026-03-09", *key, 10, 14, 2)]
        assert rows("month") == [("2026-03", *key, 10, 14, 2)]
        assert rows("date") == [("2026-03-09", "USD", "sync", 10, 14, 2)]
        assert rows("tag") == [("2026-03", "USD", "sync", "p", tag, 10, 14, 2) for tag in "ab"]
        assert rows("tag_day") == [("2026-03-09", "USD", "sync", tag, 10, 14, 2) for tag in "ab"]
        assert rows("delta") == []


@pytest.mark.parametrize("every", [1, 11, 1_000])
def test_single_changes_are_folded_now_and_then(
    billing: Billing, monkeypatch: pytest.MonkeyPatch, every: int
) -> None:
    monkeypatch.setattr(rollups, "FOLDED_AT", every)
    with billing.instance.active(), write_transaction():
        for _ in range(10):
            rollups.apply("acct_x", [], [ITEM], many=False)
        left = 0 if is_sqlite() else {1: 0, 11: 6, 1_000: 30}[every]
        assert len(rows("delta")) == left
        counted = sum(int(str(row[-1])) for row in rows("date"))
        unfolded = sum(row[-2] is not None and row[-4] is None for row in rows("delta"))
        assert counted + unfolded == 10
        if not is_sqlite():
            rollups.fold("acct_x")
        assert rows("delta") == []
        assert rows("date") == [("2026-03-09", "USD", "sync", 50, 70, 10)]


def test_a_sum_beyond_64_bits_is_refused(billing: Billing) -> None:
    great = ITEM._replace(nanos=2**63 - 1)

    def twice(*before: CostItem) -> None:
        with write_transaction():
            rollups.apply("acct_x", [], before, many=True)
            rollups.apply("acct_x", [], [great], many=True)

    with billing.instance.active():
        for before in ([great], [great, great]):
            assert refused(twice, *before).code == "amount_out_of_range"
        assert rows("day") == []
        twice(ITEM._replace(nanos=-1))
        assert len(recounts.drifted()) > 0
