"""Every event that was committed is told at least once, whenever the process died; none is told of
what was rolled back."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime

import pytest

from billing_plugin import Billing, operations
from billing_plugin.models.topups import TopUp
from tests.books import complaints
from tests.factories import SECRET_KEY, Clock, account_with, billing_on
from tests.faults.teller import KILLED, POINTS
from tests.receivers.servers import receiver
from tests.telling import bought, deliveries, endpoint, sweep


def kill_at(point: str, url: str, account_id: str) -> int:
    command = [sys.executable, "-m", "tests.faults.teller", url, account_id, point, SECRET_KEY]
    return subprocess.run(command, check=False, timeout=60).returncode


def settle(billing: Billing, clock: Clock) -> None:
    """What workers do after that: they ask about top-ups, spread and send."""
    for _ in range(4):
        clock.forward(minutes=30)
        operations.reconcile_topups(billing.operator())
        sweep(billing)


@pytest.mark.parametrize("point", POINTS)
def test_a_process_that_dies(database_url: str, point: str) -> None:
    clock = Clock(datetime.now(UTC))
    billing = billing_on(database_url, clock=clock, webhook_local=True)
    actor = account_with(billing)
    account_id = str(actor.account_id)
    with receiver() as there:
        made = endpoint(actor, there.url)
        died = kill_at(point, database_url, account_id)
        assert died == (KILLED if POINTS[point] else 0)
        told_before = set(there.ids)
        committed = set(bought(billing))
        assert told_before <= committed
        settle(billing, clock)
        [event_id] = bought(billing)
        with billing.instance.active():
            [topup] = TopUp.select()
        assert committed <= {event_id}
        assert set(there.ids) == {event_id}
        assert 1 <= len(there.ids) <= 2
        assert {one.body for one in there.received} == {there.received[0].body}
        assert there.received[0].told["data"]["topupId"] == topup.id
        assert all(one.verified(made.secret) for one in there.received)
        assert [one.status for one in deliveries(actor, made)] == ["delivered"]
    assert complaints(billing) == []
