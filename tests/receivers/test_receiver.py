"""What counts as received."""

from __future__ import annotations

import pytest

from billing_plugin.receivers.receiver import Answer


@pytest.mark.parametrize("status", [200, 202, 299])
def test_a_good_answer(status: int) -> None:
    assert Answer(status).is_good


@pytest.mark.parametrize("status", [None, 100, 199, 300, 302, 404, 410, 500])
def test_any_other_answer(status: int | None) -> None:
    assert not Answer(status).is_good
