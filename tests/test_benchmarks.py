"""The benchmarks of cost items, on a size that takes no time: what they compare must be equal."""

from __future__ import annotations

import json
from collections import Counter

import pytest

from tests.benchmarks import bench_items, bench_lists, bench_reports
from tests.benchmarks.items import stocked


def test_every_report_is_what_duckdb_says(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    said = ["bench_reports", "--json", "--items", "700", "--database", "sqlite", "--rounds", "1"]
    monkeypatch.setattr("sys.argv", said)
    assert bench_reports.main() == 0
    told = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert len(told) == len(bench_reports.reports()) + 1
    assert {one["conditions"]["items"] for one in told} == {700}


def test_a_wrong_sum_does_not_pass(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(bench_reports, "_delete", lambda stock: stock.duck.execute(
        "UPDATE item SET attos = attos + 1 WHERE i = 9"
    ))  # fmt: skip
    said = ["bench_reports", "--items", "300", "--database", "sqlite", "--rounds", "1"]
    monkeypatch.setattr("sys.argv", said)
    assert bench_reports.main() == 1
    assert "MISS" in capsys.readouterr().out


def test_both_lists_name_the_same_items() -> None:
    with stocked([300]) as stocks:
        for stock in next(stocks):
            for name in bench_lists.LISTS:
                assert bench_lists.listed(stock, name, 1).correct


def test_items_taken_in_are_those_written_by_hand(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert taking_in(monkeypatch, "100,200", "--json") == 0
    told = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert Counter(one["backend"] for one in told) == {"sqlite": 9, "postgresql": 9}
    assert {one["conditions"]["items"] for one in told if one["reference"] == "bare rows"} == {
        100, 200,
    }  # fmt: skip


def test_an_item_that_is_not_changed_does_not_pass(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    change = bench_items._change
    monkeypatch.setattr(bench_items, "_change", lambda stock, drafts: change(stock, drafts[1:]))
    assert taking_in(monkeypatch, "100", "--database", "sqlite") == 1
    shown = capsys.readouterr().out
    assert shown.count("pass") == 2
    assert shown.count("MISS") == 1


def taking_in(monkeypatch: pytest.MonkeyPatch, sizes: str, *more: str) -> int:
    """What the benchmark comes to, with few items in a turn."""
    for name, number in (("BATCH", 30), ("SINGLES", 3)):
        monkeypatch.setattr(bench_items, name, number)
    said = ["bench_items", "--items", sizes, "--rounds", "1", *more]
    monkeypatch.setattr("sys.argv", said)
    return bench_items.main()
