"""A short swarm on each database, and the naive ways that the same judge must catch.

The long one: `python -m tests.faults.swarm` (its docstring says how).
"""

from __future__ import annotations

import pytest

from tests.faults.swarm import Plan, run

SHORT = Plan(processes=6, transactions=900, threads=2)


@pytest.mark.parametrize("overdraft", [False, True])
def test_a_swarm_spends_exactly_what_fits(database_url: str, overdraft: bool) -> None:
    found = run(database_url, Plan(SHORT.processes, SHORT.transactions, 1, overdraft, threads=2))
    assert found.wrong == []
    assert found.facts["accepted"] > 200
    assert found.facts["refused"] > 50
    assert found.facts["observed"] > 5
    assert overdraft or found.facts["left_nanos"] >= 0


@pytest.mark.parametrize("naive", ["balance", "limits"])
def test_the_judge_catches_the_naive_way(database_url: str, naive: str) -> None:
    """Read, check, write: with public means, so that all sums agree and only the judge can tell."""
    found = run(database_url, Plan(SHORT.processes, 500, naive=naive))
    what = {"balance": "the balance", "limits": "a limit"}[naive]
    assert f"a charge was accepted that did not fit {what}" in found.wrong
    assert not any("add up" in one or "told" in one for one in found.wrong)
