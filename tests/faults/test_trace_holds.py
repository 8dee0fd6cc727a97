"""The beginning of the public trace through holds, by several processes, under nested limits."""

from __future__ import annotations

import pytest

from tests.faults.trace_holds import TRACE, run

pytestmark = pytest.mark.skipif(
    not TRACE.exists(), reason=f"The public trace {TRACE.name} is not beside this project."
)


def test_the_trace_through_holds_overspends_nothing(database_url: str) -> None:
    found = run(database_url, processes=5, rows=900)
    assert found["wrong"] == []
    assert sum(found["answers"].values()) == 900
    assert found["answers"]["ok"] > 300
    assert found["answers"]["limit_exceeded"] > 100
