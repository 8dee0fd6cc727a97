"""Which window a use has reached the limit of."""

from __future__ import annotations

from datetime import timedelta

import pytest

from billing_plugin import Actor, Billing
from billing_plugin.models import limits
from billing_plugin.models.reached import reached
from tests.deeds import limit
from tests.factories import START


def at(billing: Billing, actor: Actor, limit_id: str, *, hours: int) -> str:
    with billing.instance.active():
        rule = limits.rule_of(limits.get(str(actor.account_id), limit_id))
        return reached(rule, "", START + timedelta(hours=hours)).window_start


def test_the_window_of_a_fixed_limit(billing: Billing, actor: Actor) -> None:
    daily = limit(actor, "5", "daily").limit.id
    assert at(billing, actor, daily, hours=0) == "2026-03-09T00:00:00.000000Z"
    assert at(billing, actor, daily, hours=9) == "2026-03-09T00:00:00.000000Z"
    assert at(billing, actor, daily, hours=10) == "2026-03-10T00:00:00.000000Z"


@pytest.mark.parametrize("window", ["daily", 86_400])
def test_a_sliding_limit_is_told_once_in_its_length(
    billing: Billing, actor: Actor, window: str | int
) -> None:
    """Its slots are a 64th of it; each would be told of by itself."""
    sliding = limit(actor, "5", window, technique="sliding").limit.id
    starts = {at(billing, actor, sliding, hours=hours) for hours in range(-14, 10)}
    assert starts == {"2026-03-09T00:00:00.000000Z"}
