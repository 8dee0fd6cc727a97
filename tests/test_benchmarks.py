"""The benchmarks of reports, on a size that takes no time: what they compare must be equal."""

from __future__ import annotations

import json

import pytest

from tests.benchmarks import bench_lists, bench_reports
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
