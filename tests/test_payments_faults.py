"""docs/payments-faults.md names real tests: each is there, under the file that is named with it."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "docs" / "payments-faults.md").read_text(encoding="utf-8")
ROWS = {
    row.split("|")[1].strip(): row.split("|")[4]
    for row in TEXT.splitlines()
    if row.startswith("| E-")
}


def test_the_scenarios_are_there() -> None:
    assert list(ROWS) == [f"E-{number}" for number in range(1, 16)]


@pytest.mark.parametrize("scenario", ROWS)
def test_the_tests_of_a_scenario_exist(scenario: str) -> None:
    named = re.findall(r"`([^`]*)::(\w+)`", ROWS[scenario])
    assert named
    assert len(named) == ROWS[scenario].count("`") // 2, "what is named is no test"
    file = ""
    for said, name in named:
        file = said or file  # `::test` is in the file before it
        assert name in _tests_of(file), f"{file} has no {name}"


def _tests_of(file: str) -> set[str]:
    tree = ast.parse((ROOT / file).read_text(encoding="utf-8"))
    return {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
