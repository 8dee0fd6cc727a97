"""The clockwork, by a clock that is moved by hand and by a real one."""

from __future__ import annotations

import logging
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import pytest

from billing_plugin import Actor, Billing, operations
from tests.billed import invoices
from tests.deeds import spend
from tests.factories import Clock, account_with, billing_on
from tests.receivers.servers import receiver
from tests.telling import buy, deliveries, endpoint
from tests.worker.processes import until
from worker.schedule import start_ticker, tick


def connected(billing: Billing) -> Actor:
    actor = account_with(billing)
    operations.connect(actor, actor.account_id, "fake", credentials={"api_key": "k"})
    return actor


def origins(actor: Actor) -> list[str]:
    return [job.origin for job in operations.list_sync_jobs(actor, actor.account_id)]


def test_every_account_is_synced_once_in_four_hours(billing: Billing, clock: Clock) -> None:
    actors = [connected(billing) for _ in range(3)]
    account_with(billing)  # has no vendor, so nothing is due for it
    assert len(tick(billing)) == 3
    clock.forward(minutes=5)
    assert tick(billing) == []
    clock.forward(hours=4)
    assert len(tick(billing)) == 3
    assert [origins(actor) for actor in actors] == [["scheduled"] * 2] * 3


def test_after_a_long_pause_there_is_one_catching_up(billing: Billing, clock: Clock) -> None:
    actor = connected(billing)
    tick(billing)
    clock.forward(days=3)
    for _ in range(3):
        tick(billing)
    assert len(origins(actor)) == 2


def test_a_clock_that_is_set_back_repeats_no_slot(billing: Billing, clock: Clock) -> None:
    actor = connected(billing)
    tick(billing)
    clock.forward(hours=4)
    tick(billing)
    clock.forward(hours=-4)
    assert tick(billing) == []
    assert len(origins(actor)) == 2


def test_a_slot_is_taken_by_one_of_many(billing: Billing) -> None:
    actor = connected(billing)
    together = Barrier(8)

    def one(_: int) -> int:
        together.wait()
        return len(tick(billing))

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(one, range(8))) == 1
    assert origins(actor) == ["scheduled"]


def test_months_that_are_over_are_closed(billing: Billing, clock: Clock) -> None:
    actor = account_with(billing, "5")
    spend(actor, "1")
    clock.forward(days=40)
    tick(billing)
    tick(billing)
    assert [one.cycle for one in invoices(actor)] == ["2026-03"]


def test_a_database_that_is_away_is_said_and_survived(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    away = billing_on("postgresql://postgres:canary@127.0.0.1:1/none")
    with caplog.at_level(logging.WARNING):
        assert tick(away) == []
    assert "The database cannot be reached" in caplog.text
    assert "canary" not in caplog.text


def test_a_ticker_ticks_at_once_and_again_until_stopped(tmp_path: Path) -> None:
    billing = billing_on(f"sqlite:///{tmp_path / 'own.db'}", sync_interval_s=1)
    actor = connected(billing)
    ticker = start_ticker(billing, every_s=1)
    until(lambda: len(origins(actor)) >= 2, within_s=10)
    ticker.stop()
    assert not ticker.is_alive()
    ran = len(origins(actor))
    tick(billing)
    assert len(origins(actor)) <= ran + 1
    billing.instance.database.close_all()


def test_a_ticker_survives_what_it_meets(tmp_path: Path) -> None:
    billing = billing_on(f"sqlite:///{tmp_path / 'missing' / 'own.db'}", sync_interval_s=1)
    ticker = start_ticker(billing, every_s=1)
    (tmp_path / "missing").mkdir()
    until((tmp_path / "missing" / "own.db").exists, within_s=10)
    ticker.stop()
    billing.instance.database.close_all()


def test_events_are_spread_and_told(database_url: str, clock: Clock) -> None:
    """Without a queue a tick does both, in the process that ticks."""
    billing = billing_on(database_url, clock=clock, webhook_local=True)
    actor = account_with(billing)
    with receiver() as there:
        made = endpoint(actor, there.url)
        buy(actor)
        [delivery_id] = tick(billing)
        assert [one.id for one in deliveries(actor, made)] == [delivery_id]
        assert there.events == ["topup.succeeded"]
        assert tick(billing) == []
